//! The arithmetic of models: features in, answers out.
//!
//! An engine knows neither names nor types, only how many features a row has. [`NativeModel`](crate::NativeModel) puts one
//! behind a [`Signature`](crate::Signature) and an [`Encoder`].
//!
//! Every engine computes each row on its own and in the same order, so the answer for a row has the same bits whatever
//! batch the row came in.

mod classes;
mod linear;
mod logistic;

pub use self::classes::Classes;
pub use self::linear::LinearRegression;
pub use self::logistic::LogisticRegression;
pub(crate) use self::logistic::{sigmoid, softmax};
use crate::preprocessing::Encoder;
use crate::{Batch, DataType, Error, Predictions, Probabilities};

/// One of the engines that this crate has.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Engine {
    /// A weighted sum.
    Linear(LinearRegression),
    /// Class probabilities from weighted sums.
    Logistic(LogisticRegression),
}

impl Engine {
    /// Returns the number of features that a row must have.
    #[must_use]
    pub fn features(&self) -> usize {
        match self {
            Self::Linear(engine) => engine.coefficients().len(),
            Self::Logistic(engine) => engine.features(),
        }
    }

    /// Returns the types that an output column may promise.
    pub(crate) fn answers(&self) -> &'static [DataType] {
        match self {
            Self::Linear(_) => &[DataType::Double],
            Self::Logistic(engine) => match engine.classes() {
                Classes::Text(_) => &[DataType::String],
                Classes::Integers(_) => &[DataType::Long, DataType::Integer],
            },
        }
    }

    pub(crate) fn predict(&self, encoder: &Encoder, batch: &Batch) -> Result<Predictions, Error> {
        match self {
            Self::Linear(engine) => Ok(engine.predict(encoder, batch)),
            Self::Logistic(engine) => engine.predict(encoder, batch),
        }
    }

    pub(crate) fn predict_probabilities(&self, encoder: &Encoder, batch: &Batch) -> Option<Probabilities> {
        match self {
            Self::Linear(_) => None,
            Self::Logistic(engine) => Some(engine.predict_probabilities(encoder, batch)),
        }
    }
}

impl From<LinearRegression> for Engine {
    fn from(engine: LinearRegression) -> Self {
        Self::Linear(engine)
    }
}

impl From<LogisticRegression> for Engine {
    fn from(engine: LogisticRegression) -> Self {
        Self::Logistic(engine)
    }
}

/// Adds up coefficient × feature by fused multiply-adds in column order, the intercept last.
///
/// This is what scikit-learn (up to three rows, before BLAS changes the order) and onnxruntime compute, bit for bit.
/// `mul_add` is exact on every machine; where the processor has no such instruction it is slow, never different.
pub(crate) fn weighted_sum(coefficients: &[f64], features: &[f64], intercept: f64) -> f64 {
    let sum = coefficients.iter().zip(features).fold(0.0, |sum, (weight, value)| value.mul_add(*weight, sum));
    sum + intercept
}

fn all_finite(values: &[f64]) -> bool {
    values.iter().all(|value| value.is_finite())
}
