//! What each operator does to the meaning of its inputs: <https://onnx.ai/onnx/operators/>.

use super::decode::Node;
use super::import::{Element, Importer, Row, Value, unsupported};
use super::pipeline::{Operation, Precision};
use super::tensor::{Constant, Values, element};
use super::wire::text;
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
                "Reshape" => self.reshape(node)?,
                _ => return Err(unknown()),
            },
            ("ai.onnx.ml", operator) => match operator {
                "Scaler" => self.scaler(node)?,
                "Imputer" => self.imputer(node)?,
                "LinearRegressor" => self.linear_regressor(node)?,
                "LinearClassifier" => return self.linear_classifier(node),
                "Normalizer" => self.normalizer(node)?,
                "ZipMap" => Value::Row(self.row(node)?),
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
            (
                Value::Label(row, Classes::Integers(labels)),
                element::INT64 | element::DOUBLE | element::FLOAT,
            ) if to == element::INT64 || labels.iter().all(|&label| label as f32 as i64 == label) => {
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
        let operand = self.operand(row, reals(constant)?.1)?;
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
        let (_, weights) = reals(constant)?;
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

    fn arg_max(&mut self, node: &Node<'a>) -> Result<Value, Error> {
        last_axis(node.int("axis").unwrap_or(0))?;
        match node.int("select_last_index").unwrap_or(0) {
            0 => Ok(Value::Winner(self.row(node)?)),
            _ => Err(unsupported("of equal scores it takes the last one")),
        }
    }

    fn gather(&mut self, node: &Node<'a>) -> Result<Value, Error> {
        let axis = node.int("axis").unwrap_or(0);
        if axis == 0 {
            return self.label(node);
        }
        last_axis(axis)?;
        let row = self.row(node)?;
        part(row, &wholes(self.constant(node, 1)?)?)
    }

    fn slice(&mut self, node: &Node<'a>) -> Result<Value, Error> {
        let row = self.row(node)?;
        let [starts, ends, axes] = [1, 2, 3].map(|input| self.constant(node, input).and_then(wholes));
        let (starts, ends, axes) = (starts?, ends?, axes?);
        let one = matches!((&*starts, &*ends), ([start], [end]) if start.checked_add(1) == Some(*end));
        match (axes.as_slice(), node.inputs.len()) {
            (&[axis], 4) if one => last_axis(axis).and_then(|()| part(row, &starts)),
            _ => Err(unsupported("it takes more than one column")),
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

    /// Looks up the class of a position.
    fn label(&mut self, node: &Node<'a>) -> Result<Value, Error> {
        let Value::Winner(row) = *self.value(node, 1)? else {
            return Err(unsupported("it does not look up the class with the highest score"));
        };
        let classes = match self.constant(node, 0)?.values {
            Values::Whole(labels) => Classes::from(labels),
            Values::Texts(labels) => Classes::from(labels),
            Values::Single(_) | Values::Double(_) => {
                return Err(unsupported("classes that are fractions are not read"));
            }
        };
        self.labelled(row, classes)
    }

    fn labelled(&mut self, scores: Row, classes: Classes) -> Result<Value, Error> {
        self.check_classes(classes.len())?;
        classes.check()?;
        match classes.len() == scores.width {
            true => Ok(Value::Label(scores, classes)),
            false => Err(misfit(format!("it has {} classes and {} scores", classes.len(), scores.width))),
        }
    }

    fn scaler(&mut self, node: &Node<'a>) -> Result<Value, Error> {
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

    fn imputer(&mut self, node: &Node<'a>) -> Result<Value, Error> {
        if !node.float("replaced_value_float").is_some_and(f32::is_nan) {
            return Err(unsupported("it replaces another value than NaN"));
        }
        let row = self.row(node)?;
        let row = self.single(row);
        let values = self.operand(row, node.floats("imputed_value_floats"))?;
        Ok(Value::Row(self.step(row, Precision::Single, Operation::Impute(values))))
    }

    fn linear_regressor(&mut self, node: &Node<'a>) -> Result<Value, Error> {
        let post_transform = node.text("post_transform");
        if !matches!(post_transform, b"" | b"NONE") {
            return Err(unsupported(format!("its post_transform is {}", post_transform.escape_ascii())));
        }
        let targets = node.int("targets").unwrap_or(1);
        let sums = usize::try_from(targets).map_err(|_| misfit(format!("it has {targets} targets")))?;
        self.linear(node, sums).map(Value::Row)
    }

    fn linear_classifier(&mut self, node: &Node<'a>) -> Result<Vec<Value>, Error> {
        let classes = match node.texts("classlabels_strings") {
            [] => Classes::from(node.ints("classlabels_ints").to_vec()),
            labels => Classes::from(labels.iter().map(|label| text(label)).collect::<Result<Vec<_>, _>>()?),
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

    fn normalizer(&mut self, node: &Node<'a>) -> Result<Value, Error> {
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

    /// Makes a vector as long as the row out of one that may have a single number.
    fn operand(&mut self, row: Row, mut values: Vec<f64>) -> Result<Vec<f64>, Error> {
        if let [only] = values[..] {
            self.spend(row.width)?;
            values.resize(row.width, only);
        }
        let message = || format!("its constant has {} numbers and a row has {}", values.len(), row.width);
        if values.len() == row.width { finite(values) } else { Err(misfit(message())) }
    }

    fn row(&self, node: &Node<'a>) -> Result<Row, Error> {
        self.row_at(node, 0)
    }

    fn row_at(&self, node: &Node<'a>, input: usize) -> Result<Row, Error> {
        match self.value(node, input)? {
            Value::Row(row) => Ok(*row),
            _ => Err(unsupported(format!("its input {:?} is not a row of numbers", node.inputs[input]))),
        }
    }

    fn single(&mut self, row: Row) -> Row {
        if row.element == Element::Real(Precision::Single) { row } else { self.round(row) }
    }
}

fn unknown() -> Error {
    unsupported("this operator is not read; the graphs of linear and logistic models are")
}

fn misfit(message: String) -> Error {
    Error::new(ErrorKind::InvalidModel, message)
}

/// Takes the weights of a step only if they are numbers; with one that is not, no row has an answer.
fn finite(values: Vec<f64>) -> Result<Vec<f64>, Error> {
    let sound = values.iter().all(|value| value.is_finite());
    if sound { Ok(values) } else { Err(misfit("its constants are not all finite numbers".to_owned())) }
}

/// A table of rows has two axes, so that its last one has two names.
fn last_axis(axis: i64) -> Result<(), Error> {
    if matches!(axis, 1 | -1) { Ok(()) } else { Err(unsupported(format!("it works along the axis {axis}"))) }
}

fn part(row: Row, positions: &[i64]) -> Result<Value, Error> {
    let [position] = *positions else { return Err(unsupported("it takes more than one column")) };
    let position = usize::try_from(position).ok().filter(|&position| position < row.width);
    let position = position.ok_or_else(|| unsupported("it takes a column that the row does not have"))?;
    Ok(Value::Part(row, position))
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

fn reals(constant: Constant<'_>) -> Result<(Vec<usize>, Vec<f64>), Error> {
    match constant.values {
        Values::Single(values) | Values::Double(values) => Ok((constant.dims, values)),
        Values::Whole(_) | Values::Texts(_) => {
            Err(misfit("its constant does not hold numbers with a fraction".to_owned()))
        }
    }
}

fn wholes(constant: Constant<'_>) -> Result<Vec<i64>, Error> {
    match constant.values {
        Values::Whole(values) => Ok(values),
        _ => Err(misfit("its constant does not hold whole numbers".to_owned())),
    }
}
