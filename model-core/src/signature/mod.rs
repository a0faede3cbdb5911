//! The contract of a model: which columns it takes and what it answers.

mod column;
mod json;
mod outputs;

use std::collections::HashSet;
use std::sync::Arc;

pub use self::column::{Column, DataType};
pub use self::outputs::{Outputs, TensorSpec};
use crate::{Error, ErrorKind};

/// The named, typed columns that a model takes, and what it answers.
///
/// Input columns have unique names that are not empty, and there is at least one.
///
/// ```
/// use martello_model_core::{Column, Signature};
///
/// let signature = Signature::new(vec![Column::double("x"), Column::string("island")], vec![Column::double("y")])?;
/// assert_eq!(signature.position("island"), Some(1));
/// assert!(Signature::new(vec![Column::double("x"), Column::double("x")], vec![]).is_err());
/// # Ok::<(), martello_model_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Signature {
    inputs: Box<[Column]>,
    outputs: Outputs,
    // Everything below is derived from `inputs`, so that a batch pays for it once per model and not once per row.
    names: Box<[Arc<str>]>,
    by_name: Box<[usize]>,
    slots: Box<[Slot]>,
    numeric: Box<[usize]>,
    text: Box<[usize]>,
    plain: bool,
}

/// Where a column's cells stand in a row of a [`Batch`](crate::Batch).
#[derive(Debug, Clone, Copy)]
pub(crate) enum Slot {
    Number(usize),
    Text(usize),
}

impl Signature {
    /// Creates a signature with column outputs; no outputs at all are fine.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSignature`] if there are no inputs, an input has no name, or a name occurs twice.
    pub fn new(inputs: Vec<Column>, outputs: Vec<Column>) -> Result<Self, Error> {
        Self::with_outputs(inputs, Outputs::Columns(outputs))
    }

    /// Creates a signature whose outputs may also be tensors.
    ///
    /// # Errors
    /// As [`Signature::new`]; also if a tensor has no axes, or an axis shorter than −1.
    pub fn with_outputs(inputs: Vec<Column>, outputs: Outputs) -> Result<Self, Error> {
        check_inputs(&inputs)?;
        check_outputs(&outputs)?;
        let (mut numeric, mut text, mut slots) = (Vec::new(), Vec::new(), Vec::with_capacity(inputs.len()));
        for (position, column) in inputs.iter().enumerate() {
            let (slot, group): (fn(usize) -> Slot, _) = if column.data_type.is_numeric() {
                (Slot::Number, &mut numeric)
            } else {
                (Slot::Text, &mut text)
            };
            slots.push(slot(group.len()));
            group.push(position);
        }
        let mut by_name: Vec<usize> = (0..inputs.len()).collect();
        by_name.sort_unstable_by_key(|&position| inputs[position].name.as_str());
        Ok(Self {
            names: inputs.iter().map(|column| Arc::from(column.name.as_str())).collect(),
            by_name: by_name.into(),
            slots: slots.into(),
            numeric: numeric.into(),
            text: text.into(),
            plain: inputs.iter().all(|column| column.required && column.data_type == DataType::Double),
            inputs: inputs.into(),
            outputs,
        })
    }

    /// Returns the input columns in order.
    #[must_use]
    pub fn inputs(&self) -> &[Column] {
        &self.inputs
    }

    /// Returns what the model says it answers.
    #[must_use]
    pub fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// Returns the position of the input column of that name; names are compared byte by byte.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        let found = self.by_name.binary_search_by(|&position| self.inputs[position].name.as_str().cmp(name));
        found.ok().map(|index| self.by_name[index])
    }

    /// Returns the positions of the columns whose cells are numbers, in order.
    #[must_use]
    pub fn numeric_columns(&self) -> &[usize] {
        &self.numeric
    }

    /// Returns the positions of the columns whose cells are text, in order.
    #[must_use]
    pub fn text_columns(&self) -> &[usize] {
        &self.text
    }

    /// Returns true if every column is a required double, so that any finite number fits anywhere.
    pub(crate) fn is_plain(&self) -> bool {
        self.plain
    }

    pub(crate) fn shared_name(&self, position: usize) -> Arc<str> {
        Arc::clone(&self.names[position])
    }

    pub(crate) fn slot(&self, position: usize) -> Slot {
        self.slots[position]
    }
}

impl PartialEq for Signature {
    fn eq(&self, other: &Self) -> bool {
        self.inputs == other.inputs && self.outputs == other.outputs
    }
}

impl Eq for Signature {}

fn check_inputs(inputs: &[Column]) -> Result<(), Error> {
    if inputs.is_empty() {
        return Err(invalid("a signature needs at least one input column"));
    }
    if let Some(position) = inputs.iter().position(|column| column.name.is_empty()) {
        return Err(invalid(format!("input column {position} of the signature has no name")));
    }
    check_unique("input column", inputs.iter().map(|column| column.name.as_str()))
}

fn check_outputs(outputs: &Outputs) -> Result<(), Error> {
    match outputs {
        Outputs::Columns(columns) => {
            let names = columns.iter().map(|column| column.name.as_str());
            check_unique("output column", names.filter(|name| !name.is_empty()))
        }
        Outputs::Tensors(tensors) => {
            check_unique("output tensor", tensors.iter().filter_map(|tensor| tensor.name.as_deref()))?;
            match tensors
                .iter()
                .find(|tensor| tensor.shape.is_empty() || tensor.shape.iter().any(|&axis| axis < -1))
            {
                Some(tensor) => {
                    Err(invalid(format!("an output tensor has the impossible shape {:?}", tensor.shape)))
                }
                None => Ok(()),
            }
        }
    }
}

fn check_unique<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), Error> {
    let mut seen = HashSet::new();
    match names.into_iter().find(|name| !seen.insert(*name)) {
        Some(name) => Err(invalid(format!("{what} {name:?} occurs twice in the signature"))),
        None => Ok(()),
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidSignature, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_must_tell_columns_apart() {
        let check = |inputs: Vec<Column>, outputs: Vec<Column>, expected: &str| {
            let error = Signature::new(inputs, outputs).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidSignature);
            assert!(error.to_string().contains(expected), "{error}");
        };
        check(vec![], vec![], "at least one");
        check(vec![Column::double("")], vec![], "input column 0");
        check(vec![Column::double("x"), Column::string("x")], vec![], "input column \"x\" occurs twice");
        check(
            vec![Column::double("x")],
            vec![Column::double("y"), Column::double("y")],
            "output column \"y\"",
        );
    }

    #[test]
    fn every_column_is_found_by_its_name() {
        let names = ["b", "a", "é", "c", "aa"];
        let signature = Signature::new(names.map(Column::double).to_vec(), vec![]).unwrap();
        for (position, name) in names.into_iter().enumerate() {
            assert_eq!(signature.position(name), Some(position));
        }
        assert_eq!(signature.position("B"), None);
        assert_eq!(signature.position(""), None);
    }

    #[test]
    fn impossible_tensor_shapes_are_refused() {
        for shape in [vec![], vec![-2]] {
            let tensor = TensorSpec { name: None, dtype: "float64".to_owned(), shape };
            let outputs = Outputs::Tensors(vec![tensor]);
            let error = Signature::with_outputs(vec![Column::double("x")], outputs).unwrap_err();
            assert!(error.to_string().contains("impossible shape"), "{error}");
        }
    }
}
