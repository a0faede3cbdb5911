//! What each operator does to the meaning of its inputs: <https://onnx.ai/onnx/operators/>.
//!
//! Those that pick columns and classes stand in `selection`, those for machine learning in `ml_operators`.

use super::decode::Node;
use super::import::{Importer, unsupported};
use super::pipeline::{Operation, Precision};
use super::tensor::{Constant, Values, element};
use super::value::{Element, Row, Value};
use crate::engine::Classes;
use crate::{Error, ErrorKind};

impl<'a> Importer<'a> {
    /// Returns the meaning of each output of a node.
    pub(super) fn apply(&mut self, node: &Node<'a>) -> Result<Vec<Value>, Error> {
        let value = match (node.domain, node.operator) {
            ("" | "ai.onnx", operator) => match operator {
                "Identity" => self.value(node, 0)?.clone(),
                "Cast" => self.cast(node)?,
                "Add" | "Sub" | "Mul" | "Div" => self.arithmetic(node)?,
                "MatMul" => self.mat_mul(node)?,
                "Abs" => self.map(node, Operation::Abs)?,
                "Sigmoid" => self.map(node, Operation::Sigmoid)?,
                "Softmax" => last_axis(node.int("axis").unwrap_or(-1))
                    .and_then(|()| self.map(node, Operation::Softmax))?,
                "ReduceSum" => self.reduce_sum(node)?,
                "ArgMax" => self.arg_max(node)?,
                "Gather" => self.gather(node)?,
                "Slice" => self.slice(node)?,
                "Split" => return self.split(node),
                "IsNaN" => Value::Missing(self.row(node)?),
                "Where" => self.impute(node)?,
                "Reshape" => self.reshape(node)?,
                _ => return Err(unknown()),
            },
            ("ai.onnx.ml", operator) => match operator {
                "Scaler" => self.scaler(node)?,
                "Imputer" => self.imputer(node)?,
                "LinearRegressor" => self.linear_regressor(node)?,
                "LinearClassifier" => return self.linear_classifier(node),
                "Normalizer" => self.normalizer(node)?,
                "ZipMap" => self.zip_map(node)?,
                "ArrayFeatureExtractor" => self.label(node)?,
                _ => return Err(unknown()),
            },
            _ => return Err(unknown()),
        };
        Ok(vec![value])
    }

    fn cast(&mut self, node: &Node<'a>) -> Result<Value, Error> {
        let to = node.int("to").unwrap_or(0);
        match (self.value(node, 0)?.clone(), to) {
            (Value::Row(row), element::FLOAT) => Ok(Value::Row(self.single(row))),
            (Value::Row(row), element::DOUBLE) => {
                Ok(Value::Row(Row { element: Element::Real(Precision::Double), ..row }))
            }
            (Value::Label(row, classes @ Classes::Text(_)), element::STRING) => {
                Ok(Value::Label(row, classes))
            }
            (Value::Label(row, Classes::Integers(labels)), to)
                if labels.iter().all(|label| holds(to, *label)) =>
            {
                Ok(Value::Label(row, Classes::Integers(labels)))
            }
            (_, to) => Err(unsupported(format!("it casts to the element type {to}, which is not read here"))),
        }
    }

    fn arithmetic(&mut self, node: &Node<'a>) -> Result<Value, Error> {
        if let (Ok(Value::Row(row)), Ok(Value::Sum(sum))) = (self.value(node, 0), self.value(node, 1)) {
            let (row, sum) = (*row, *sum);
            let whole = row == sum || self.is_abs_of(sum, row);
            return match (node.operator, real(row)) {
                ("Div", Ok(precision)) if whole => {
                    Ok(Value::Row(self.step(row, precision, Operation::Normalise)))
                }
                _ => Err(unsupported("it combines two values that are both computed from the columns")),
            };
        }
        let turned = self.value(node, 0).is_err() && matches!(node.operator, "Add" | "Mul");
        let (value, constant) = if turned { (1, 0) } else { (0, 1) };
        let row = self.row_at(node, value)?;
        let constant = self.constant(node, constant)?;
        let precision = same_precision(row, &constant)?;
        if !constant.dims.iter().rev().skip(1).all(|&dim| dim == 1) {
            return Err(unsupported("its constant is not a single row"));
        }
        let operand = self.operand(row, reals(constant)?)?;
        let operation = match node.operator {
            "Add" => Operation::Add(operand),
            "Sub" => Operation::Subtract(operand),
            "Mul" => Operation::Multiply(operand),
            _ => Operation::Divide(operand),
        };
        Ok(Value::Row(self.step(row, precision, operation)))
    }

    fn mat_mul(&mut self, node: &Node<'a>) -> Result<Value, Error> {
        let row = self.row(node)?;
        let constant = self.constant(node, 1)?;
        let precision = same_precision(row, &constant)?;
        let [features, sums] = *constant.dims else {
            return Err(unsupported("its weights are not a matrix"));
        };
        if features != row.width || sums == 0 {
            return Err(misfit(format!(
                "its weights are for {features} features and a row has {}",
                row.width
            )));
        }
        let weights = reals(constant)?;
        let columns = (0..sums).flat_map(|sum| weights.iter().skip(sum).step_by(sums).copied());
        Ok(Value::Row(self.step(row, precision, Operation::MatMul(finite(columns.collect())?))))
    }

    fn map(&mut self, node: &Node<'a>, operation: Operation) -> Result<Value, Error> {
        let row = self.row(node)?;
        let precision = real(row)?;
        Ok(Value::Row(self.step(row, precision, operation)))
    }

    fn reduce_sum(&mut self, node: &Node<'a>) -> Result<Value, Error> {
        let row = self.row(node)?;
        // From version 13 on the axes are an input.
        let axes = match node.inputs.len() {
            0 | 1 => node.ints("axes").to_vec(),
            _ => wholes(self.constant(node, 1)?)?,
        };
        match (axes.as_slice(), node.int("keepdims").unwrap_or(1)) {
            (&[axis], 1) => last_axis(axis).map(|()| Value::Sum(row)),
            _ => Err(unsupported("it does not add up each row")),
        }
    }

    /// Takes another number where one is missing; that may be missing as well, in a column that never lacks a value.
    fn impute(&mut self, node: &Node<'a>) -> Result<Value, Error> {
        let (missing, row) = (self.value(node, 0)?.clone(), self.row_at(node, 2)?);
        let constant = self.constant(node, 1)?;
        let precision = same_precision(row, &constant)?;
        let stand_ins = reals(constant)?;
        match missing {
            Value::Missing(of) if of == row && stand_ins.len() == row.width => {
                Ok(Value::Row(self.step(row, precision, Operation::Impute(stand_ins))))
            }
            _ => Err(unsupported("it does not put a number in the place of a missing one")),
        }
    }

    /// Accepts a new shape only where it leaves the rows what they are.
    fn reshape(&mut self, node: &Node<'a>) -> Result<Value, Error> {
        let shape = wholes(self.constant(node, 1)?)?;
        let value = self.value(node, 0)?;
        let width = match value {
            Value::Row(row) => row.width,
            _ => 1,
        };
        let same = match shape.as_slice() {
            [-1] => width == 1,
            [-1 | 0, columns] => usize::try_from(*columns) == Ok(width),
            _ => false,
        };
        if same { Ok(value.clone()) } else { Err(unsupported(format!("it gives rows the shape {shape:?}"))) }
    }

    /// Makes a vector as long as the row out of one that may have a single number.
    pub(super) fn operand(&mut self, row: Row, mut values: Vec<f64>) -> Result<Vec<f64>, Error> {
        if let [only] = values[..] {
            self.spend(row.width)?;
            values.resize(row.width, only);
        }
        let message = || format!("its constant has {} numbers and a row has {}", values.len(), row.width);
        if values.len() == row.width { finite(values) } else { Err(misfit(message())) }
    }

    pub(super) fn row(&self, node: &Node<'a>) -> Result<Row, Error> {
        self.row_at(node, 0)
    }

    fn row_at(&self, node: &Node<'a>, input: usize) -> Result<Row, Error> {
        match self.value(node, input)? {
            Value::Row(row) => Ok(*row),
            _ => Err(unsupported(format!("its input {input} is not a row of numbers"))),
        }
    }

    pub(super) fn single(&mut self, row: Row) -> Row {
        if row.element == Element::Real(Precision::Single) { row } else { self.round(row) }
    }
}

/// Returns true if a label passes through that element type unchanged.
fn holds(element: i64, label: i64) -> bool {
    match element {
        element::INT64 => true,
        element::DOUBLE => label.unsigned_abs() <= 1 << f64::MANTISSA_DIGITS,
        element::FLOAT => label.unsigned_abs() <= 1 << f32::MANTISSA_DIGITS,
        _ => false,
    }
}

fn unknown() -> Error {
    unsupported("this operator is not read; the graphs of linear and logistic models are")
}

pub(super) fn misfit(message: String) -> Error {
    Error::new(ErrorKind::InvalidModel, message)
}

/// Takes the weights of a step only if they are numbers; with one that is not, no row has an answer.
pub(super) fn finite(values: Vec<f64>) -> Result<Vec<f64>, Error> {
    let sound = values.iter().all(|value| value.is_finite());
    if sound { Ok(values) } else { Err(misfit("its constants are not all finite numbers".to_owned())) }
}

/// A table of rows has two axes, so that its last one has two names.
pub(super) fn last_axis(axis: i64) -> Result<(), Error> {
    if matches!(axis, 1 | -1) { Ok(()) } else { Err(unsupported(format!("it works along the axis {axis}"))) }
}

fn real(row: Row) -> Result<Precision, Error> {
    match row.element {
        Element::Real(precision) => Ok(precision),
        Element::Whole => Err(unsupported("arithmetic with whole numbers is not read")),
    }
}

fn same_precision(row: Row, constant: &Constant<'_>) -> Result<Precision, Error> {
    let precision = real(row)?;
    match (precision, &constant.values) {
        (Precision::Single, Values::Single(_)) | (Precision::Double, Values::Double(_)) => Ok(precision),
        _ => Err(misfit("its inputs have different element types".to_owned())),
    }
}

fn reals(constant: Constant<'_>) -> Result<Vec<f64>, Error> {
    match constant.values {
        Values::Single(values) | Values::Double(values) => Ok(values),
        Values::Whole(_) | Values::Texts(_) => {
            Err(misfit("its constant does not hold numbers with a fraction".to_owned()))
        }
    }
}

pub(super) fn wholes(constant: Constant<'_>) -> Result<Vec<i64>, Error> {
    match constant.values {
        Values::Whole(values) => Ok(values),
        _ => Err(misfit("its constant does not hold whole numbers".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_passes_through_a_type_that_holds_it() {
        assert!(
            holds(element::FLOAT, 1 << 24)
                && holds(element::DOUBLE, -(1 << 53))
                && holds(element::INT64, i64::MAX)
        );
        assert!(
            !holds(element::FLOAT, (1 << 24) + 1)
                && !holds(element::DOUBLE, i64::MAX)
                && !holds(element::BOOL, 1)
        );
    }
}
