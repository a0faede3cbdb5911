//! The operators for machine learning (`ai.onnx.ml`), all in single precision as onnxruntime computes them.

use super::decode::Node;
use super::import::{Importer, unsupported};
use super::operators::{finite, misfit};
use super::pipeline::{Operation, Precision};
use super::selection::texts;
use super::value::{Element, Row, Value};
use crate::Error;
use crate::engine::Classes;

impl<'a> Importer<'a> {
    pub(super) fn scaler(&mut self, node: &Node<'a>) -> Result<Value, Error> {
        let row = self.row(node)?;
        // Doubles are scaled as doubles and rounded at the end, whole numbers are rounded first: what onnxruntime does.
        let double = row.element == Element::Real(Precision::Double);
        let (row, precision) =
            if double { (row, Precision::Double) } else { (self.single(row), Precision::Single) };
        let offset = self.operand(row, node.floats("offset"))?;
        let row = self.step(row, precision, Operation::Subtract(offset));
        let scale = self.operand(row, node.floats("scale"))?;
        let row = self.step(row, precision, Operation::Multiply(scale));
        Ok(Value::Row(self.single(row)))
    }

    pub(super) fn imputer(&mut self, node: &Node<'a>) -> Result<Value, Error> {
        if !node.float("replaced_value_float").is_some_and(f32::is_nan) {
            return Err(unsupported("it replaces another value than NaN"));
        }
        let row = self.row(node)?;
        let row = self.single(row);
        let values = self.operand(row, node.floats("imputed_value_floats"))?;
        Ok(Value::Row(self.step(row, Precision::Single, Operation::Impute(values))))
    }

    pub(super) fn linear_regressor(&mut self, node: &Node<'a>) -> Result<Value, Error> {
        let post_transform = node.text("post_transform");
        if !matches!(post_transform, b"" | b"NONE") {
            return Err(unsupported(format!("its post_transform is {}", post_transform.escape_ascii())));
        }
        let targets = node.int("targets").unwrap_or(1);
        let sums = usize::try_from(targets).map_err(|_| misfit(format!("it has {targets} targets")))?;
        self.linear(node, sums).map(Value::Row)
    }

    pub(super) fn linear_classifier(&mut self, node: &Node<'a>) -> Result<Vec<Value>, Error> {
        let classes = match node.texts("classlabels_strings") {
            [] => Classes::from(node.ints("classlabels_ints").to_vec()),
            labels => Classes::from(texts(labels)?),
        };
        let scores = self.linear(node, classes.len())?;
        let probabilities = match node.text("post_transform") {
            b"" | b"NONE" => scores,
            b"SOFTMAX" => self.step(scores, Precision::Single, Operation::Softmax),
            b"LOGISTIC" => self.step(scores, Precision::Single, Operation::Sigmoid),
            other => return Err(unsupported(format!("its post_transform is {}", other.escape_ascii()))),
        };
        Ok(vec![self.labelled(scores, classes)?, Value::Row(probabilities)])
    }

    /// Adds the weighted sums that the attributes `coefficients` and `intercepts` describe.
    fn linear(&mut self, node: &Node<'a>, sums: usize) -> Result<Row, Error> {
        let row = self.row(node)?;
        let row = self.single(row);
        let (weights, intercepts) = (node.floats("coefficients"), node.floats("intercepts"));
        if sums == 0 || sums.checked_mul(row.width) != Some(weights.len()) {
            let (weights, width) = (weights.len(), row.width);
            return Err(misfit(format!("it has {weights} coefficients for {sums} sums of {width} features")));
        }
        let row = self.step(row, Precision::Single, Operation::MatMul(finite(weights)?));
        match intercepts.len() {
            0 => Ok(row),
            count if count == sums => {
                Ok(self.step(row, Precision::Single, Operation::Add(finite(intercepts)?)))
            }
            count => Err(misfit(format!("it has {count} intercepts for {sums} sums"))),
        }
    }

    pub(super) fn normalizer(&mut self, node: &Node<'a>) -> Result<Value, Error> {
        let row = self.row(node)?;
        let row = self.single(row);
        match node.text("norm") {
            b"L1" => Ok(Value::Row(self.step(row, Precision::Single, Operation::Normalise))),
            other => Err(unsupported(format!(
                "its norm is {:?}, and only L1 is read",
                other.escape_ascii().to_string()
            ))),
        }
    }
}
