//! A batch that grows row by row.

use std::sync::Arc;

use super::{Batch, Cell, CellError, Expected, Got, RowWriter};
use crate::Signature;

/// Rows on their way to become a [`Batch`].
///
/// A refused row leaves no trace in the batch, so a caller can go on to learn about every bad cell of every row, and
/// [`refused_rows`](Self::refused_rows) tells whether the batch has all the rows that were offered.
#[derive(Debug, Clone)]
pub struct BatchBuilder {
    pub(super) signature: Arc<Signature>,
    pub(super) rows: usize,
    pub(super) refused: usize,
    pub(super) numbers: Vec<f64>,
    pub(super) texts: Vec<Option<Box<str>>>,
}

impl BatchBuilder {
    pub(super) fn new(signature: &Arc<Signature>) -> Self {
        Self { signature: Arc::clone(signature), rows: 0, refused: 0, numbers: Vec::new(), texts: Vec::new() }
    }

    /// Makes room for that many more rows, where the caller knows the number and has checked it.
    pub fn reserve_rows(&mut self, rows: usize) {
        self.numbers.reserve(rows.saturating_mul(self.signature.numeric_columns().len()));
        self.texts.reserve(rows.saturating_mul(self.signature.text_columns().len()));
    }

    /// Adds a row: one cell per column, in signature order.
    ///
    /// # Errors
    /// Every cell that its column does not take, in column order, or one error for a row that is too short or too long.
    pub fn push_row(&mut self, cells: &[Cell<'_>]) -> Result<(), Vec<CellError>> {
        if cells.len() != self.signature.inputs().len() {
            let error = self.wrong_length(cells.len());
            self.refused += 1;
            return Err(vec![error]);
        }
        let mut row = self.row();
        for (position, cell) in cells.iter().enumerate() {
            row.set(position, *cell);
        }
        row.finish()
    }

    /// Starts a row whose cells come in any order.
    #[must_use = "a row counts once it is finished"]
    pub fn row(&mut self) -> RowWriter<'_> {
        RowWriter::new(self)
    }

    /// Returns the number of rows taken so far.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns the number of rows refused so far.
    #[must_use]
    pub fn refused_rows(&self) -> usize {
        self.refused
    }

    /// Returns the signature that the rows are checked against.
    #[must_use]
    pub fn signature(&self) -> &Arc<Signature> {
        &self.signature
    }

    /// Ends with the rows that were taken.
    #[must_use]
    pub fn build(self) -> Batch {
        Batch { signature: self.signature, rows: self.rows, numbers: self.numbers, texts: self.texts }
    }

    fn wrong_length(&self, got: usize) -> CellError {
        let expected = self.signature.inputs().len();
        let position = got.min(expected - 1);
        CellError {
            row: self.rows + self.refused,
            position,
            column: self.signature.shared_name(position),
            expected: Expected::Cells(expected),
            got: Got::Cells(got),
        }
    }
}
