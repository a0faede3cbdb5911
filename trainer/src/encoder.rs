//! Learns from the training rows how columns become features.

use std::collections::BTreeMap;
use std::sync::Arc;

use martello_model_core::Signature;
use martello_model_core::preprocessing::{ColumnEncoding, Encoder};

use crate::dataset::{Dataset, Feature, Values};
use crate::error::{Error, ErrorKind};
use crate::parameters::FitLimits;

/// A standard deviation below this part of the mean is the rounding of a constant column, which is then not scaled.
const CONSTANT: f64 = 1e-13;

/// What an engine needs its features to look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Numbers in the user's units, so that coefficients can be read. Of the categories of a text column the most
    /// frequent one is the reference and gets no feature: all of them together would always add up to one, which is
    /// what the intercept says already. An unknown or missing text thus counts as the most frequent one.
    Plain,
    /// Numbers with mean 0 and standard deviation 1, which a penalty on coefficients and an iterative solver need, and
    /// one feature per category.
    Standardised,
}

/// Learns the encoding of every column. A missing number is replaced by the mean of the training rows.
pub(crate) fn learn(
    train: &Dataset,
    signature: &Signature,
    shape: Shape,
    limits: &FitLimits,
) -> Result<Encoder, Error> {
    let encodings: Vec<ColumnEncoding> = train
        .features()
        .iter()
        .zip(signature.inputs())
        .map(|(feature, column)| match feature.values() {
            Values::Numbers(numbers) => encode_numbers(feature, numbers, shape, column.required),
            Values::Texts(texts) => encode_texts(feature, texts, shape, limits),
        })
        .collect::<Result<_, _>>()?;
    let encoder = Encoder::new(signature, encodings)
        .map_err(|cause| Error::new(ErrorKind::Model, "the columns cannot be encoded").with_source(cause))?;
    check_size(&encoder, train, limits)?;
    Ok(encoder)
}

fn encode_numbers(
    feature: &Feature,
    numbers: &[f64],
    shape: Shape,
    required: bool,
) -> Result<ColumnEncoding, Error> {
    let name = feature.name();
    let known: Vec<f64> = numbers.iter().copied().filter(|number| !number.is_nan()).collect();
    if known.is_empty() {
        return Err(Error::data(format!("column `{name}` has no value in any training row; leave it out")));
    }
    let mean = mean(&known);
    // Imputed cells lie on the mean: they add nothing to the sum of squares, but count as rows.
    let squares: f64 = known.iter().map(|number| (number - mean).powi(2)).sum();
    let deviation = (squares / numbers.len() as f64).sqrt();
    if !(mean.is_finite() && deviation.is_finite()) {
        return Err(Error::new(
            ErrorKind::Numerical,
            format!("the numbers of column `{name}` are too large; scale them"),
        ));
    }
    let scale = if deviation > CONSTANT * mean.abs() { deviation } else { 1.0 };
    Ok(match shape {
        Shape::Plain if required => ColumnEncoding::Number,
        Shape::Plain => ColumnEncoding::standardise(mean, 0.0, 1.0),
        Shape::Standardised => ColumnEncoding::standardise(mean, mean, scale),
    })
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

fn encode_texts(
    feature: &Feature,
    texts: &[Option<Arc<str>>],
    shape: Shape,
    limits: &FitLimits,
) -> Result<ColumnEncoding, Error> {
    let name = feature.name();
    let mut counts: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
    texts.iter().flatten().for_each(|text| *counts.entry(text).or_default() += 1);
    if counts.is_empty() {
        return Err(Error::data(format!("column `{name}` has no value in any training row; leave it out")));
    }
    if counts.len() > limits.categories {
        let (categories, limit) = (counts.len(), limits.categories);
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!(
                "column `{name}` has {categories} different texts, the limit is {limit} (FitLimits::categories); \
                 leave it out if it names the row"
            ),
        ));
    }
    let reference = match shape {
        Shape::Plain if counts.len() > 1 => most_frequent(&counts),
        _ => None,
    };
    let categories = counts.into_keys().filter(|category| Some(*category) != reference.as_ref()).cloned();
    ColumnEncoding::one_hot(categories).map_err(|cause| {
        Error::new(ErrorKind::Model, format!("column `{name}` cannot be encoded")).with_source(cause)
    })
}

/// The most frequent category, of equally frequent ones the first in alphabetical order.
fn most_frequent(counts: &BTreeMap<&Arc<str>, usize>) -> Option<Arc<str>> {
    let largest = counts.values().max()?;
    counts.iter().find(|(_, count)| *count == largest).map(|(category, _)| Arc::clone(category))
}

fn check_size(encoder: &Encoder, train: &Dataset, limits: &FitLimits) -> Result<(), Error> {
    let (rows, features) = (train.rows(), encoder.features());
    if rows.saturating_mul(features) <= limits.matrix_cells {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::TooLarge,
        format!(
            "{rows} rows × {features} features, the limit is {} numbers (FitLimits::matrix_cells)",
            limits.matrix_cells
        ),
    ))
}
