//! Rows that were checked against a signature: whoever holds a [`Batch`] need not look again.

mod admit;
mod builder;
mod cell;
mod row_writer;

use std::ops::Range;
use std::sync::Arc;

pub use self::builder::BatchBuilder;
pub use self::cell::{Cell, CellError, CellProblem, Expected, Got};
pub use self::row_writer::RowWriter;
use crate::signature::Slot;
use crate::{Error, ErrorKind, Signature};

/// Rows whose every cell fits a [`Signature`].
///
/// # What a column takes
/// A required column takes no missing value; an optional one takes [`Cell::Missing`] and, if it is numeric, NaN, which mean
/// the same. Infinities are refused everywhere. A number is kept as it is or refused, never rounded to fit, with one
/// exception that the type's name announces: `float` columns round to single precision. [`DataType`](crate::DataType) has
/// the ranges.
///
/// # How it is laid out
/// Row by row, numbers apart from texts: [`numbers`](Self::numbers) has rows × numeric columns, [`texts`](Self::texts) rows ×
/// text columns, each in signature order.
///
/// ```
/// use std::sync::Arc;
/// use martello_model_core::{Batch, Cell, Column, Signature};
///
/// let columns = vec![Column::string("island"), Column::double("mass_g").optional()];
/// let signature = Arc::new(Signature::new(columns, vec![])?);
///
/// let mut builder = Batch::builder(&signature);
/// builder.push_row(&[Cell::Text("Biscoe"), Cell::Number(3750.0)]).unwrap();
/// builder.push_row(&[Cell::Text("Dream"), Cell::Missing]).unwrap();
/// assert_eq!(builder.push_row(&[Cell::Missing, Cell::Text("heavy")]).unwrap_err().len(), 2);
///
/// let batch = builder.build();
/// assert_eq!(batch.rows(), 2);
/// assert_eq!(batch.cell(0, 1), Cell::Number(3750.0));
/// assert!(batch.numbers()[1].is_nan());
/// # Ok::<(), martello_model_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Batch {
    signature: Arc<Signature>,
    rows: usize,
    numbers: Vec<f64>,
    texts: Vec<Option<Box<str>>>,
}

impl Batch {
    /// Checks row-major numbers against a signature without text columns; nothing is copied.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidBatch`] if the signature has text columns, the numbers do not fill whole rows, or a column does
    /// not take its value; then [`Error::cell_errors`] has every such cell.
    pub fn from_numbers(signature: &Arc<Signature>, mut numbers: Vec<f64>) -> Result<Self, Error> {
        let rows = whole_rows(signature, numbers.len())?;
        let errors = check_numbers(signature, &mut numbers);
        if !errors.is_empty() {
            let message = "the rows do not fit the signature";
            return Err(Error::new(ErrorKind::InvalidBatch, message).with_cells(errors));
        }
        Ok(Self { signature: Arc::clone(signature), rows, numbers, texts: Vec::new() })
    }

    /// Starts an empty batch to which rows are added.
    #[must_use]
    pub fn builder(signature: &Arc<Signature>) -> BatchBuilder {
        BatchBuilder::new(signature)
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns the signature that the rows were checked against.
    #[must_use]
    pub fn signature(&self) -> &Arc<Signature> {
        &self.signature
    }

    /// Returns the cells of the numeric columns: rows × numeric columns, missing values as NaN.
    #[must_use]
    pub fn numbers(&self) -> &[f64] {
        &self.numbers
    }

    /// Returns the cells of the text columns: rows × text columns.
    #[must_use]
    pub fn texts(&self) -> &[Option<Box<str>>] {
        &self.texts
    }

    /// Returns some of the rows as a batch of their own.
    ///
    /// # Panics
    /// If there are no such rows, as slicing does.
    #[must_use]
    pub fn slice(&self, rows: Range<usize>) -> Self {
        let part = |width: usize| rows.start * width..rows.end * width;
        Self {
            signature: Arc::clone(&self.signature),
            rows: rows.len(),
            numbers: self.numbers[part(self.signature.numeric_columns().len())].to_vec(),
            texts: self.texts[part(self.signature.text_columns().len())].to_vec(),
        }
    }

    /// Refuses a batch that was checked against other columns than a model's.
    pub(crate) fn check_columns(&self, signature: &Arc<Signature>) -> Result<(), Error> {
        let same = Arc::ptr_eq(&self.signature, signature) || self.signature.inputs() == signature.inputs();
        let message = "the batch was checked against other columns than the model has";
        if same { Ok(()) } else { Err(Error::new(ErrorKind::SignatureMismatch, message)) }
    }

    /// Returns one cell; `column` is its position in the signature.
    ///
    /// # Panics
    /// If there is no such row or column, as indexing does.
    #[must_use]
    pub fn cell(&self, row: usize, column: usize) -> Cell<'_> {
        assert!(row < self.rows, "row {row} of a batch of {} rows", self.rows);
        match self.signature.slot(column) {
            Slot::Number(slot) => match self.numbers[row * self.signature.numeric_columns().len() + slot] {
                missing if missing.is_nan() => Cell::Missing,
                value => Cell::Number(value),
            },
            Slot::Text(slot) => {
                let text = &self.texts[row * self.signature.text_columns().len() + slot];
                text.as_deref().map_or(Cell::Missing, Cell::Text)
            }
        }
    }
}

/// Returns how many rows that many numbers fill.
fn whole_rows(signature: &Signature, numbers: usize) -> Result<usize, Error> {
    let columns = signature.inputs().len();
    if !signature.text_columns().is_empty() {
        let message = "the signature has text columns; build the batch row by row";
        return Err(Error::new(ErrorKind::InvalidBatch, message));
    }
    // One row is the common request, and a division takes as long as checking several cells.
    let rows = if numbers == columns { 1 } else { numbers / columns };
    if rows * columns != numbers {
        let message = format!("{numbers} numbers do not fill rows of {columns} columns");
        return Err(Error::new(ErrorKind::InvalidBatch, message));
    }
    Ok(rows)
}

fn check_numbers(signature: &Signature, numbers: &mut [f64]) -> Vec<CellError> {
    if signature.is_plain() && numbers.iter().all(|value| value.is_finite()) {
        return Vec::new();
    }
    let mut errors = Vec::new();
    for (row, cells) in numbers.chunks_exact_mut(signature.inputs().len()).enumerate() {
        for (position, (column, cell)) in signature.inputs().iter().zip(cells).enumerate() {
            match admit::number(column, *cell) {
                Some(kept) => *cell = kept,
                None => errors.push(cell_error(signature, row, position, Got::Number(*cell))),
            }
        }
    }
    errors
}

fn cell_error(signature: &Signature, row: usize, position: usize, got: Got) -> CellError {
    let expected = Expected::Value(signature.inputs()[position].data_type);
    CellError { row, position, column: signature.shared_name(position), expected, got }
}
