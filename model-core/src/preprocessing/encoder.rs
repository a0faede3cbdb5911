//! All columns of a row become the features of an engine.

use super::ColumnEncoding;
use crate::{Batch, Error, ErrorKind, Signature};

/// Turns the columns of a batch into the features of an engine, column by column in signature order.
///
/// The encoder of a model whose columns are all plain numbers does nothing and costs nothing: the engine reads the batch
/// itself.
///
/// ```
/// use std::sync::Arc;
/// use martello_model_core::preprocessing::{ColumnEncoding, Encoder};
/// use martello_model_core::{Batch, Cell, Column, Signature};
///
/// let columns = vec![Column::double("mass_g").optional(), Column::string("sex").optional()];
/// let signature = Arc::new(Signature::new(columns, vec![])?);
/// let encodings =
///     vec![ColumnEncoding::standardise(4200.0, 4200.0, 800.0), ColumnEncoding::one_hot(["female", "male"])?];
/// let encoder = Encoder::new(&signature, encodings)?;
///
/// let mut builder = Batch::builder(&signature);
/// builder.push_row(&[Cell::Number(5000.0), Cell::Text("male")]).unwrap();
/// builder.push_row(&[Cell::Missing, Cell::Missing]).unwrap();
/// assert_eq!(encoder.encode(&builder.build()), [1.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
/// # Ok::<(), martello_model_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Encoder {
    // One per column of the signature, in its order.
    columns: Box<[ColumnEncoding]>,
    features: usize,
    // The engine then reads the batch itself.
    identity: bool,
}

impl Encoder {
    /// Creates an encoder from one encoding per column of the signature.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidModel`] if the numbers differ, an encoding does not suit its column's type, an optional numeric
    /// column has nothing to stand in for a missing value, or a number is infinite, NaN or, for a scale, not above zero.
    pub fn new(signature: &Signature, columns: impl Into<Box<[ColumnEncoding]>>) -> Result<Self, Error> {
        let columns = columns.into();
        if columns.len() != signature.inputs().len() {
            let (given, needed) = (columns.len(), signature.inputs().len());
            let message = format!("the encoder has {given} columns and the signature has {needed}");
            return Err(Error::new(ErrorKind::InvalidModel, message));
        }
        for (encoding, column) in columns.iter().zip(signature.inputs()) {
            encoding.check(column)?;
        }
        let features = columns.iter().map(ColumnEncoding::features).sum();
        let identity = columns.iter().all(|encoding| matches!(encoding, ColumnEncoding::Number));
        Ok(Self { columns, features, identity })
    }

    /// Creates the encoder that takes every column as the number it is.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidModel`] if the signature has a column of text or an optional one.
    pub fn identity(signature: &Signature) -> Result<Self, Error> {
        Self::new(signature, vec![ColumnEncoding::Number; signature.inputs().len()])
    }

    /// Returns the encoding of each column.
    #[must_use]
    pub fn columns(&self) -> &[ColumnEncoding] {
        &self.columns
    }

    /// Returns the number of features of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        self.features
    }

    /// Returns a name for each feature: the column's, or `column=category`.
    #[must_use]
    pub fn feature_names(&self, signature: &Signature) -> Vec<String> {
        let mut names = Vec::with_capacity(self.features);
        for (encoding, column) in self.columns.iter().zip(signature.inputs()) {
            match encoding {
                ColumnEncoding::OneHot(categories) => {
                    names.extend(categories.values().iter().map(|value| format!("{}={value}", column.name)));
                }
                _ => names.push(column.name.clone()),
            }
        }
        names
    }

    /// Returns the features of all rows: rows × features, row by row.
    #[must_use]
    pub fn encode(&self, batch: &Batch) -> Vec<f64> {
        let mut features = Vec::with_capacity(batch.rows() * self.features);
        self.for_each_row(batch, |row| features.extend_from_slice(row));
        features
    }

    /// Visits the features of each row in row order.
    ///
    /// One row at a time, because one-hot features of a whole batch could be thousands of times larger than the batch.
    pub(crate) fn for_each_row(&self, batch: &Batch, mut visit: impl FnMut(&[f64])) {
        let signature = batch.signature();
        let (width, text_width) = (signature.numeric_columns().len(), signature.text_columns().len());
        if self.identity {
            // Not `chunks_exact`, whose division costs as much as a row of few columns.
            return (0..batch.rows()).for_each(|row| visit(&batch.numbers()[row * width..][..width]));
        }
        let mut features = Vec::with_capacity(self.features);
        for row in 0..batch.rows() {
            features.clear();
            let numbers = &batch.numbers()[row * width..][..width];
            let texts = &batch.texts()[row * text_width..][..text_width];
            self.encode_row(numbers, texts, &mut features);
            visit(&features);
        }
    }

    pub(crate) fn into_columns(self) -> Box<[ColumnEncoding]> {
        self.columns
    }

    fn encode_row(&self, numbers: &[f64], texts: &[Option<Box<str>>], features: &mut Vec<f64>) {
        let (mut numbers, mut texts) = (numbers.iter(), texts.iter());
        for encoding in &self.columns {
            match encoding {
                ColumnEncoding::Number => features.extend(numbers.next()),
                ColumnEncoding::Standardise { impute, mean, scale } => {
                    let standardise = |value: &f64| {
                        let value = if value.is_nan() { impute.unwrap_or(f64::NAN) } else { *value };
                        (value - mean) / scale
                    };
                    features.extend(numbers.next().map(standardise));
                }
                ColumnEncoding::OneHot(categories) => {
                    let start = features.len();
                    features.resize(start + categories.values().len(), 0.0);
                    let own =
                        texts.next().and_then(Option::as_deref).and_then(|text| categories.position(text));
                    if let Some(own) = own {
                        features[start + own] = 1.0;
                    }
                }
            }
        }
    }
}
