//! From a graph to a model: follows the values from the input to the outputs.
//!
//! Instead of matching whole graphs, each value is given a meaning (a row of numbers, a label, …), so that any combination of
//! the operators that are known is read, in whatever order an exporter writes them.

use std::collections::HashMap;
use std::sync::Arc;

use super::decode::{Graph, Input, Node};
use super::model::{Answer, OnnxModel};
use super::pipeline::{Operation, Pipeline, Precision, Step};
use super::tensor::{Constant, Tensor, element};
use super::value::{Element, Row, Value};
use crate::engine::Classes;
use crate::flavor::folder::{Folder, within};
use crate::{Column, DataType, Error, ErrorKind, Signature};

/// What is known about the values of a graph so far.
pub(super) struct Importer<'a> {
    folder: &'a Folder<'a>,
    path: &'a str,
    constants: HashMap<&'a str, Tensor<'a>>,
    values: HashMap<&'a str, Value>,
    // Each step with the one before it: values share the steps that they have in common.
    steps: Vec<(Option<usize>, Arc<Step>)>,
    // A constant may be used by many nodes; this bounds what all of them take together.
    numbers_left: usize,
}

/// Makes a model of a graph; `path` is the file that it came from.
pub(super) fn import<'a>(
    folder: &'a Folder<'a>,
    path: &'a str,
    graph: Graph<'a>,
    columns: Vec<Column>,
) -> Result<OnnxModel, Error> {
    let mut importer = Importer {
        folder,
        path,
        constants: graph.constants.into_iter().map(|constant| (constant.name, constant)).collect(),
        values: HashMap::new(),
        steps: Vec::new(),
        numbers_left: folder.limits().max_file_bytes / size_of::<f32>(),
    };
    importer.start(&graph.inputs, &columns)?;
    for node in &graph.nodes {
        importer.follow(node)?;
    }
    importer.finish(&graph.outputs, columns)
}

impl<'a> Importer<'a> {
    /// Gives the input its meaning: all columns of a row.
    fn start(&mut self, inputs: &[Input<'a>], columns: &[Column]) -> Result<(), Error> {
        // Up to IR version 3 constants are listed among the inputs.
        let mut inputs = inputs.iter().filter(|input| !self.constants.contains_key(input.name));
        let (Some(input), None) = (inputs.next(), inputs.next()) else {
            return Err(unsupported(
                "the graph has several inputs; export it with one that takes all columns",
            ));
        };
        let width = columns.len();
        let fits = match input.shape.as_deref() {
            None => true,
            Some([_, columns]) => columns.is_none_or(|columns| usize::try_from(columns) == Ok(width)),
            Some(_) => false,
        };
        if !fits {
            let message = format!(
                "the input {:?} does not take rows of {width} columns, as the signature has",
                input.name
            );
            return Err(Error::new(ErrorKind::InvalidModel, message));
        }
        let element = input_element(input, columns)?;
        let row = Row { last_step: None, width, element };
        let row = if element == Element::Real(Precision::Single) { self.round(row) } else { row };
        self.values.insert(input.name, Value::Row(row));
        Ok(())
    }

    fn follow(&mut self, node: &Node<'a>) -> Result<(), Error> {
        if (node.domain, node.operator) == ("", "Constant") {
            let value = node
                .tensor("value")
                .ok_or_else(|| unsupported("a constant node without a tensor is not read"))?;
            let name = node.outputs.first().copied().unwrap_or_default();
            self.constants.insert(name, value.clone());
            return Ok(());
        }
        let values = self.apply(node).map_err(|cause| {
            Error::new(cause.kind(), format!("node {:?} ({}): {cause}", node.name, node.operator))
        })?;
        self.values.extend(node.outputs.iter().copied().zip(values));
        Ok(())
    }

    fn finish(self, outputs: &[&'a str], columns: Vec<Column>) -> Result<OnnxModel, Error> {
        let found = |name: &&'a str| {
            let missing =
                || Error::new(ErrorKind::Corrupted, format!("nothing computes the output {name:?}"));
            self.values.get(name).map(|value| (*name, value)).ok_or_else(missing)
        };
        let outputs = outputs.iter().map(found).collect::<Result<Vec<_>, _>>()?;
        let mut labels = outputs.iter().filter_map(|(name, value)| match value {
            Value::Label(row, classes) => Some((*name, *row, classes)),
            _ => None,
        });
        let (answer, column, probabilities) = match (labels.next(), labels.next(), outputs.as_slice()) {
            (Some((name, scores, classes)), None, _) => {
                let column = match classes {
                    Classes::Text(_) => Column::string(name),
                    Classes::Integers(_) => Column::long(name),
                };
                let probabilities = self.probabilities(&outputs, classes);
                (Answer::Label(self.pipeline(scores), classes.clone()), column, probabilities)
            }
            (None, _, [(name, Value::Row(row))]) if row.width == 1 => {
                let single = row.element == Element::Real(Precision::Single);
                let data_type = if single { DataType::Float } else { DataType::Double };
                (Answer::Number(self.pipeline(*row)), Column::new(*name, data_type), None)
            }
            _ => return Err(unsupported("the graph answers neither one number nor one label per row")),
        };
        let (Answer::Number(pipeline) | Answer::Label(pipeline, _)) = &answer;
        let signature = Signature::new(settle_missing(columns, pipeline), vec![column])?;
        Ok(OnnxModel { signature: Arc::new(signature), answer, probabilities })
    }

    /// Finds the output that has a probability for each class, in one piece or in one output per class.
    fn probabilities(&self, outputs: &[(&str, &Value)], classes: &Classes) -> Option<Pipeline> {
        let whole = outputs.iter().find_map(|(_, value)| match value {
            Value::Row(row) => Some(*row),
            Value::Named(row, names) => (names == classes).then_some(*row),
            _ => None,
        });
        let mut parts = outputs.iter().filter_map(|(_, value)| match value {
            Value::Part(row, position) => Some((*row, *position)),
            _ => None,
        });
        let row = whole.or_else(|| {
            let (row, first) = parts.next()?;
            let rest = parts.by_ref().zip(1..).all(|(part, position)| part == (row, position));
            (first == 0 && rest && outputs.len() == classes.len() + 1).then_some(row)
        })?;
        let pipeline = self.pipeline(row);
        (row.width == classes.len() && pipeline.makes_probabilities()).then_some(pipeline)
    }

    fn pipeline(&self, row: Row) -> Pipeline {
        let mut steps = Vec::new();
        let mut next = row.last_step;
        while let Some(at) = next {
            let (before, step) = &self.steps[at];
            steps.push(Arc::clone(step));
            next = *before;
        }
        steps.reverse();
        Pipeline { steps }
    }

    pub(super) fn value(&self, node: &Node<'a>, input: usize) -> Result<&Value, Error> {
        let name = node.inputs.get(input).copied().unwrap_or_default();
        let missing = || unsupported(format!("its input {name:?} is not computed from the columns"));
        self.values.get(name).ok_or_else(missing)
    }

    pub(super) fn constant(&mut self, node: &Node<'a>, input: usize) -> Result<Constant<'a>, Error> {
        let name = node.inputs.get(input).copied().unwrap_or_default();
        let missing = || unsupported(format!("its input {name:?} is not a constant"));
        let tensor = self.constants.get(name).ok_or_else(missing)?;
        let count = tensor.count()?;
        let external = match tensor.external()? {
            Some(place) => Some(self.beside(place.location, place.offset, place.length)?),
            None => None,
        };
        let constant = tensor.constant(external);
        self.spend(count)?;
        constant
    }

    /// Takes that many numbers out of what the constants of a graph may have together.
    pub(super) fn spend(&mut self, numbers: usize) -> Result<(), Error> {
        let message = "the constants of the graph are larger than the limit for a file";
        let left = self.numbers_left.checked_sub(numbers);
        self.numbers_left = left.ok_or_else(|| Error::new(ErrorKind::TooLarge, message))?;
        Ok(())
    }

    /// Adds a step to a row.
    pub(super) fn step(&mut self, row: Row, precision: Precision, operation: Operation) -> Row {
        let width = match &operation {
            Operation::MatMul(weights) => weights.len() / row.width,
            _ => row.width,
        };
        self.steps.push((row.last_step, Arc::new(Step { operation, precision })));
        Row { last_step: Some(self.steps.len() - 1), width, element: Element::Real(precision) }
    }

    /// Casts a row to single precision.
    pub(super) fn round(&mut self, row: Row) -> Row {
        self.step(row, Precision::Single, Operation::Round)
    }

    /// Returns true if a row is made of another one by nothing but taking absolute values.
    pub(super) fn is_abs_of(&self, row: Row, other: Row) -> bool {
        row.last_step.is_some_and(|at| {
            let (before, step) = &self.steps[at];
            *before == other.last_step && matches!(step.operation, Operation::Abs)
        })
    }

    pub(super) fn check_classes(&self, classes: usize) -> Result<(), Error> {
        within("classes", self.path, classes, self.folder.limits().max_classes)
    }

    /// Returns bytes from a file beside the graph, where exporters put large weights.
    fn beside(&self, location: &str, offset: usize, length: Option<usize>) -> Result<&'a [u8], Error> {
        let file = match self.path.rsplit_once('/') {
            Some((directory, _)) => format!("{directory}/{location}"),
            None => location.to_owned(),
        };
        let bytes = self.folder.read(&file)?;
        let end = length.map_or(Some(bytes.len()), |length| offset.checked_add(length));
        let cut_off = || Error::new(ErrorKind::Corrupted, format!("{file} is cut off"));
        end.and_then(|end| bytes.get(offset..end)).ok_or_else(cut_off)
    }
}

pub(super) fn unsupported(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unsupported, message)
}

fn input_element(input: &Input<'_>, columns: &[Column]) -> Result<Element, Error> {
    let whole: &[DataType] = match input.element {
        element::FLOAT => {
            return Ok(Element::Real(Precision::Single)).and_then(|found| numeric(columns, found));
        }
        element::DOUBLE => {
            return Ok(Element::Real(Precision::Double)).and_then(|found| numeric(columns, found));
        }
        element::INT64 => &[DataType::Long, DataType::Integer, DataType::Boolean],
        element::INT32 => &[DataType::Integer, DataType::Boolean],
        element::BOOL => &[DataType::Boolean],
        other => {
            return Err(unsupported(format!(
                "the input {:?} has the element type {other}, which is not read",
                input.name
            )));
        }
    };
    match columns.iter().find(|column| !whole.contains(&column.data_type)) {
        Some(column) => Err(takes_not(column, "whole numbers")),
        None => Ok(Element::Whole),
    }
}

fn numeric(columns: &[Column], found: Element) -> Result<Element, Error> {
    match columns.iter().find(|column| !column.data_type.is_numeric()) {
        Some(column) => Err(takes_not(column, "numbers")),
        None => Ok(found),
    }
}

fn takes_not(column: &Column, taken: &str) -> Error {
    let Column { name, data_type, .. } = column;
    Error::new(
        ErrorKind::InvalidModel,
        format!("the graph takes {taken} and the column {name:?} is {data_type}"),
    )
}

/// Makes optional columns required, unless the graph puts something in the place of a missing value: NaN is no answer.
fn settle_missing(columns: Vec<Column>, pipeline: &Pipeline) -> Vec<Column> {
    let settle = |(at, column): (usize, Column)| {
        let required = column.required || !pipeline.takes_missing(at);
        Column { required, ..column }
    };
    columns.into_iter().enumerate().map(settle).collect()
}
