//! How one column becomes features.

use std::sync::Arc;

use super::Categories;
use crate::{Column, Error, ErrorKind};

/// How one column becomes features.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ColumnEncoding {
    /// One feature, the number as it is.
    Number,
    /// One feature: (value − mean) ÷ scale, where a missing value is first replaced.
    Standardise {
        /// What stands in for a missing value, usually the mean of the training rows; needed if the column is optional.
        impute: Option<f64>,
        /// What is subtracted.
        mean: f64,
        /// What the difference is divided by; above zero.
        scale: f64,
    },
    /// One feature per category: 1 for the row's own, 0 for the others; all 0 for an unknown or missing value.
    OneHot(Categories),
}

impl ColumnEncoding {
    /// Encodes a numeric column by imputing and standardising.
    #[must_use]
    pub fn standardise(impute: f64, mean: f64, scale: f64) -> Self {
        Self::Standardise { impute: Some(impute), mean, scale }
    }

    /// Encodes a text column by one feature per category.
    ///
    /// # Errors
    /// As [`Categories::new`].
    pub fn one_hot<V: Into<Arc<str>>>(categories: impl IntoIterator<Item = V>) -> Result<Self, Error> {
        Categories::new(categories).map(Self::OneHot)
    }

    /// Returns how many features the column becomes.
    #[must_use]
    pub fn features(&self) -> usize {
        match self {
            Self::Number | Self::Standardise { .. } => 1,
            Self::OneHot(categories) => categories.values().len(),
        }
    }

    pub(super) fn check(&self, column: &Column) -> Result<(), Error> {
        let problem = match self {
            Self::OneHot(_) if column.data_type.is_numeric() => {
                Some("holds numbers and cannot be one-hot encoded")
            }
            Self::Number | Self::Standardise { .. } if !column.data_type.is_numeric() => {
                Some("holds text and needs a one-hot encoding")
            }
            Self::Number | Self::Standardise { impute: None, .. } if !column.required => {
                Some("is optional and needs a number that stands in for a missing value")
            }
            Self::Standardise { impute, mean, scale } if !is_sound(*impute, *mean, *scale) => {
                Some("needs finite numbers and a scale above zero to be standardised")
            }
            _ => None,
        };
        let refuse =
            |problem| Error::new(ErrorKind::InvalidModel, format!("column {:?} {problem}", column.name));
        problem.map_or(Ok(()), |problem| Err(refuse(problem)))
    }
}

fn is_sound(impute: Option<f64>, mean: f64, scale: f64) -> bool {
    impute.is_none_or(f64::is_finite) && mean.is_finite() && scale.is_finite() && scale > 0.0
}
