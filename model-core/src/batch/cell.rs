//! One cell of a row, and what is wrong with it.

use std::fmt;
use std::sync::Arc;

use crate::DataType;

/// A cell on its way into a [`Batch`](crate::Batch), or out of one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// No value: absent, null or, in a numeric column, NaN.
    Missing,
    /// A number; booleans are 0 and 1.
    Number(f64),
    /// A text.
    Text(&'a str),
}

/// A cell, or the length of a row, that does not fit the signature.
///
/// ```
/// use std::sync::Arc;
/// use martello_model_core::{Batch, Cell, CellProblem, Column, DataType, Signature};
///
/// let signature = Arc::new(Signature::new(vec![Column::new("age", DataType::Integer)], vec![])?);
/// let errors = Batch::builder(&signature).push_row(&[Cell::Number(40.5)]).unwrap_err();
/// assert_eq!(errors[0].to_string(), r#"row 0, column "age": expected a whole number of 32 bits (integer), got 40.5"#);
/// assert_eq!(errors[0].problem(), CellProblem::NotWhole);
/// # Ok::<(), martello_model_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CellError {
    /// The row, counted from 0 over everything that was given to the builder, refused rows included.
    pub row: usize,
    /// The position of the column in the signature.
    pub position: usize,
    /// The name of the column; for a row of the wrong length the first column without a cell, or the last one.
    pub column: Arc<str>,
    /// What the signature asks for.
    pub expected: Expected,
    /// What was given.
    pub got: Got,
}

/// What the signature asks for in a [`CellError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// A value of that type.
    Value(DataType),
    /// That many cells in the row.
    Cells(usize),
}

/// What was given instead.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Got {
    /// Nothing, in a column that is required.
    Missing,
    /// A number that the column's type does not hold.
    Number(f64),
    /// The first [`Got::MAX_TEXT`] bytes of a text.
    Text(Box<str>),
    /// That many cells in the row.
    Cells(usize),
    /// Something that is no cell at all, in words, for example `an array`.
    Other(Box<str>),
}

/// The kinds of [`CellError`], for callers that answer each in a different way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CellProblem {
    /// No value in a required column.
    Missing,
    /// Text where a number belongs, a number where text belongs, or no cell at all.
    WrongType,
    /// A fraction where a whole number or a boolean belongs.
    NotWhole,
    /// A number beyond what the type holds.
    OutOfRange,
    /// An infinity.
    NotFinite,
    /// A row that is too short or too long.
    WrongLength,
}

impl Got {
    /// The length in bytes at which a text is cut in an error, so that errors stay small whatever was sent.
    pub const MAX_TEXT: usize = 64;

    pub(crate) fn from_cell(cell: Cell<'_>) -> Self {
        match cell {
            Cell::Missing => Self::Missing,
            Cell::Number(value) => Self::Number(value),
            Cell::Text(text) => Self::Text(cut(text, Self::MAX_TEXT).into()),
        }
    }
}

fn cut(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let end = (0..=most).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    &text[..end]
}

impl CellError {
    /// Returns which kind of mistake this is.
    #[must_use]
    pub fn problem(&self) -> CellProblem {
        match (&self.got, self.expected) {
            (Got::Missing, _) => CellProblem::Missing,
            (Got::Cells(_), _) | (_, Expected::Cells(_)) => CellProblem::WrongLength,
            (Got::Number(value), Expected::Value(data_type)) => number_problem(*value, data_type),
            (Got::Text(_) | Got::Other(_), Expected::Value(_)) => CellProblem::WrongType,
        }
    }
}

fn number_problem(value: f64, data_type: DataType) -> CellProblem {
    match data_type {
        DataType::String => CellProblem::WrongType,
        _ if value.is_nan() => CellProblem::Missing,
        _ if value.is_infinite() => CellProblem::NotFinite,
        DataType::Float | DataType::Double => CellProblem::OutOfRange,
        _ if value.fract() != 0.0 => CellProblem::NotWhole,
        _ => CellProblem::OutOfRange,
    }
}

impl fmt::Display for CellError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}, column {:?}: expected {}, got {}", self.row, self.column, self.expected, self.got)
    }
}

impl std::error::Error for CellError {}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data_type = match self {
            Self::Cells(count) => return write!(f, "a row of {count} cells"),
            Self::Value(data_type) => data_type,
        };
        f.write_str(match data_type {
            DataType::Boolean => "0 or 1 (boolean)",
            DataType::Integer => "a whole number of 32 bits (integer)",
            DataType::Long => "a whole number between -(2^53 - 1) and 2^53 - 1 (long)",
            DataType::Float => "a finite number in single precision (float)",
            DataType::Double => "a finite number (double)",
            DataType::String => "text (string)",
        })
    }
}

impl fmt::Display for Got {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("no value"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Cells(count) => write!(f, "{count}"),
            Self::Other(what) => f.write_str(what),
        }
    }
}
