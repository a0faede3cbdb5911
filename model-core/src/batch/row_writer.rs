//! One row whose cells come in any order, as the keys of a JSON object do.

use super::{BatchBuilder, Cell, CellError, Got, admit, cell_error};
use crate::signature::Slot;

/// Writes the cells of one row straight into a [`BatchBuilder`], by position and in any order.
///
/// Setting a cell twice keeps the last value, as the last of duplicate keys counts in JSON. A writer that is dropped without
/// [`finish`](Self::finish) counts as a refused row.
///
/// ```
/// use std::sync::Arc;
/// use martello_model_core::{Batch, Cell, Column, Signature};
///
/// let signature = Arc::new(Signature::new(vec![Column::double("x"), Column::double("y")], vec![])?);
/// let mut builder = Batch::builder(&signature);
///
/// let mut row = builder.row();
/// row.set(1, Cell::Number(2.0));
/// row.set(0, Cell::Number(1.0));
/// row.finish().unwrap();
///
/// let mut row = builder.row();
/// row.refuse(1, "an array");
/// let errors = row.finish().unwrap_err();
/// assert_eq!(errors[0].to_string(), r#"row 1, column "x": expected a finite number (double), got no value"#);
/// assert_eq!(errors[1].to_string(), r#"row 1, column "y": expected a finite number (double), got an array"#);
///
/// assert_eq!(builder.build().numbers(), [1.0, 2.0]);
/// # Ok::<(), martello_model_core::Error>(())
/// ```
#[derive(Debug)]
pub struct RowWriter<'a> {
    builder: &'a mut BatchBuilder,
    first_number: usize,
    first_text: usize,
    // What was wrong with the last value of each column. Empty until the first mistake, so that good rows pay nothing; one
    // place per column, so that a wide row of nothing but mistakes takes linear time.
    bad: Vec<Option<Got>>,
    taken: bool,
}

impl<'a> RowWriter<'a> {
    pub(super) fn new(builder: &'a mut BatchBuilder) -> Self {
        let (first_number, first_text) = (builder.numbers.len(), builder.texts.len());
        builder.numbers.resize(first_number + builder.signature.numeric_columns().len(), f64::NAN);
        builder.texts.resize(first_text + builder.signature.text_columns().len(), None);
        Self { builder, first_number, first_text, bad: Vec::new(), taken: false }
    }

    /// Sets a cell; whether the column takes it is known when the row is finished.
    ///
    /// # Panics
    /// If the signature has no column at that position, as indexing does.
    pub fn set(&mut self, column: usize, cell: Cell<'_>) {
        let taken = match (self.builder.signature.slot(column), cell) {
            (Slot::Number(slot), Cell::Number(value)) => {
                let kept = admit::number(&self.builder.signature.inputs()[column], value);
                self.builder.numbers[self.first_number + slot] = kept.unwrap_or(f64::NAN);
                kept.is_some()
            }
            (Slot::Text(slot), Cell::Text(text)) => {
                self.builder.texts[self.first_text + slot] = Some(text.into());
                true
            }
            (_, cell) => {
                self.clear(column);
                matches!(cell, Cell::Missing)
            }
        };
        if !taken {
            self.report(column, Got::from_cell(cell));
        } else if let Some(bad) = self.bad.get_mut(column) {
            *bad = None;
        }
    }

    /// Marks a cell as bad that is neither missing, nor a number, nor a text; `got` says what it is, in words.
    ///
    /// # Panics
    /// If the signature has no column at that position, as indexing does.
    pub fn refuse(&mut self, column: usize, got: impl Into<Box<str>>) {
        self.clear(column);
        self.report(column, Got::Other(got.into()));
    }

    /// Ends the row: the batch takes it whole, or not at all.
    ///
    /// # Errors
    /// Every cell that its column does not take and every required cell that is missing, in column order.
    pub fn finish(mut self) -> Result<(), Vec<CellError>> {
        if self.bad.is_empty() && self.is_complete() {
            self.taken = true;
            return Ok(());
        }
        let columns = 0..self.builder.signature.inputs().len();
        let errors: Vec<CellError> = columns.filter_map(|column| self.error(column)).collect();
        self.taken = errors.is_empty();
        if self.taken { Ok(()) } else { Err(errors) }
    }

    fn clear(&mut self, column: usize) {
        match self.builder.signature.slot(column) {
            Slot::Number(slot) => self.builder.numbers[self.first_number + slot] = f64::NAN,
            Slot::Text(slot) => self.builder.texts[self.first_text + slot] = None,
        }
    }

    fn report(&mut self, column: usize, got: Got) {
        self.bad.resize(self.builder.signature.inputs().len(), None);
        self.bad[column] = Some(got);
    }

    fn error(&mut self, column: usize) -> Option<CellError> {
        let bad = self.bad.get_mut(column).and_then(Option::take);
        let got = bad.or_else(|| self.lacks(column).then_some(Got::Missing))?;
        let row = self.builder.rows + self.builder.refused;
        Some(cell_error(&self.builder.signature, row, column, got))
    }

    /// Returns true if no cell is missing, not even in an optional column; quicker than to ask column by column.
    fn is_complete(&self) -> bool {
        let numbers = &self.builder.numbers[self.first_number..];
        let texts = &self.builder.texts[self.first_text..];
        !numbers.iter().any(|value| value.is_nan()) && texts.iter().all(Option::is_some)
    }

    fn lacks(&self, column: usize) -> bool {
        let required = self.builder.signature.inputs()[column].required;
        required
            && match self.builder.signature.slot(column) {
                Slot::Number(slot) => self.builder.numbers[self.first_number + slot].is_nan(),
                Slot::Text(slot) => self.builder.texts[self.first_text + slot].is_none(),
            }
    }
}

impl Drop for RowWriter<'_> {
    fn drop(&mut self) {
        if self.taken {
            self.builder.rows += 1;
        } else {
            self.builder.numbers.truncate(self.first_number);
            self.builder.texts.truncate(self.first_text);
            self.builder.refused += 1;
        }
    }
}
