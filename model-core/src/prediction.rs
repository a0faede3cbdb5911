//! What a model answers.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::{Error, ErrorKind};

/// One answer per row of a batch, all of one kind.
///
/// ```
/// use martello_model_core::{Prediction, Predictions};
///
/// let predictions = Predictions::Numbers(vec![1.5, 2.5]);
/// assert_eq!(predictions.len(), 2);
/// assert_eq!(predictions.get(1), Prediction::Number(2.5));
/// assert_eq!(serde_json::to_string(&predictions).unwrap(), "[1.5,2.5]");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Predictions {
    /// Numbers, which may be infinite or NaN where the arithmetic overflowed; JSON writes such a number as `null`.
    Numbers(Vec<f64>),
    /// Whole numbers, for example class labels.
    Integers(Vec<i64>),
    /// Text labels.
    Labels(Vec<Arc<str>>),
}

/// The answer for one row; serialises as a bare number or text.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Prediction<'a> {
    /// A number, possibly infinite or NaN.
    Number(f64),
    /// A whole number.
    Integer(i64),
    /// A text label.
    Label(&'a str),
}

impl fmt::Display for Prediction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Label(text) => text.fmt(f),
        }
    }
}

impl Predictions {
    /// Returns the number of answers.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Integers(values) => values.len(),
            Self::Labels(values) => values.len(),
        }
    }

    /// Returns true if the batch had no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the answer for a row.
    ///
    /// # Panics
    /// If `row` is not below [`len`](Self::len), as indexing does.
    #[must_use]
    pub fn get(&self, row: usize) -> Prediction<'_> {
        match self {
            Self::Numbers(values) => Prediction::Number(values[row]),
            Self::Integers(values) => Prediction::Integer(values[row]),
            Self::Labels(values) => Prediction::Label(&values[row]),
        }
    }

    /// Adds the answers for further rows.
    ///
    /// # Errors
    /// [`ErrorKind::Prediction`] if they are of another kind.
    pub fn append(&mut self, further: Self) -> Result<(), Error> {
        match (self, further) {
            (Self::Numbers(all), Self::Numbers(mut further)) => all.append(&mut further),
            (Self::Integers(all), Self::Integers(mut further)) => all.append(&mut further),
            (Self::Labels(all), Self::Labels(mut further)) => all.append(&mut further),
            _ => {
                let message = "the model answers rows of one batch in different kinds";
                return Err(Error::new(ErrorKind::Prediction, message));
            }
        }
        Ok(())
    }

    /// Returns the answers in row order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Prediction<'_>> {
        (0..self.len()).map(|row| self.get(row))
    }
}

impl Serialize for Predictions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl Prediction<'_> {
    /// Returns false for infinities and NaN, which JSON cannot say.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        match self {
            Self::Number(value) => value.is_finite(),
            Self::Integer(_) | Self::Label(_) => true,
        }
    }
}

impl Serialize for Prediction<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(value) => serializer.serialize_f64(*value),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Label(value) => serializer.serialize_str(value),
        }
    }
}

/// The probability of every class for every row: rows × classes, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Probabilities {
    classes: Arc<[Arc<str>]>,
    // Its length is a multiple of the number of classes, which is not zero.
    values: Vec<f64>,
}

impl Probabilities {
    /// Puts row-major probabilities together with the names of their classes.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if there are no classes or the values do not fill whole rows.
    pub fn new(classes: Arc<[Arc<str>]>, values: Vec<f64>) -> Result<Self, Error> {
        if classes.is_empty() || !values.len().is_multiple_of(classes.len()) {
            let message =
                format!("{} probabilities do not fill rows of {} classes", values.len(), classes.len());
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        Ok(Self { classes, values })
    }

    /// Returns the names of the classes, in the order of the values of a row; integer classes by their decimal form.
    #[must_use]
    pub fn classes(&self) -> &Arc<[Arc<str>]> {
        &self.classes
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.values.len() / self.classes.len()
    }

    /// Returns the probabilities of a row, one per class.
    ///
    /// # Panics
    /// If `row` is not below [`rows`](Self::rows), as indexing does.
    #[must_use]
    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.classes.len()..][..self.classes.len()]
    }

    /// Returns all probabilities, row by row.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }
}
