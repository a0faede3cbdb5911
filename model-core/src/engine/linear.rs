//! Linear regression.

use super::{all_finite, weighted_sum};
use crate::preprocessing::Encoder;
use crate::{Batch, Error, ErrorKind, Predictions};

/// A weighted sum of the features plus an intercept, exact to the last bit.
///
/// The sum is a chain of fused multiply-adds in column order with the intercept added last: what scikit-learn answers for a
/// single row, here for every batch size.
///
/// ```
/// use martello_model_core::engine::LinearRegression;
///
/// let engine = LinearRegression::new(vec![2.0, -1.0], 0.5)?;
/// assert_eq!(engine.predict_row(&[3.0, 4.0]), 2.5);
/// # Ok::<(), martello_model_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LinearRegression {
    coefficients: Box<[f64]>,
    intercept: f64,
}

impl LinearRegression {
    /// Creates the engine from one coefficient per feature and the intercept.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidModel`] without coefficients, or if a number is infinite or NaN.
    pub fn new(coefficients: impl Into<Box<[f64]>>, intercept: f64) -> Result<Self, Error> {
        let coefficients = coefficients.into();
        if coefficients.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidModel,
                "a linear regression needs at least one coefficient",
            ));
        }
        if !all_finite(&coefficients) || !intercept.is_finite() {
            return Err(Error::new(ErrorKind::InvalidModel, "a linear regression needs finite numbers"));
        }
        Ok(Self { coefficients, intercept })
    }

    /// Returns one coefficient per feature.
    #[must_use]
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// Returns the answer for a row of zeros.
    #[must_use]
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    /// Predicts one row; infinite or NaN if the sum overflows.
    #[must_use]
    pub fn predict_row(&self, features: &[f64]) -> f64 {
        debug_assert_eq!(features.len(), self.coefficients.len());
        weighted_sum(&self.coefficients, features, self.intercept)
    }

    pub(super) fn predict(&self, encoder: &Encoder, batch: &Batch) -> Predictions {
        let mut answers = Vec::with_capacity(batch.rows());
        encoder.for_each_row(batch, |features| answers.push(self.predict_row(features)));
        Predictions::Numbers(answers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_a_chain_of_fused_multiply_adds_with_the_intercept_last() {
        // 1 + 2⁻³⁰ squared needs 61 bits: a separate multiplication loses the last term, and so would any other order.
        let step = 1.0 + f64::powi(2.0, -30);
        let engine = LinearRegression::new(vec![1.0, step], 0.0).unwrap();
        assert_eq!(engine.predict_row(&[-(1.0 + f64::powi(2.0, -29)), step]), f64::powi(2.0, -60));

        let engine = LinearRegression::new(vec![1.0, 1.0], 1e16).unwrap();
        assert_eq!(engine.predict_row(&[1.0, 1.0]), 1e16 + 2.0);
    }

    #[test]
    fn an_overflow_is_answered_as_it_is() {
        let engine = LinearRegression::new(vec![1e308, 1e308], 0.0).unwrap();
        assert_eq!(engine.predict_row(&[10.0, 0.0]), f64::INFINITY);
        assert_eq!(engine.predict_row(&[10.0, -10.0]), f64::INFINITY);
        assert!(engine.predict_row(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
    }

    #[test]
    fn numbers_that_are_not_finite_are_refused() {
        for (coefficients, intercept) in [(vec![], 0.0), (vec![f64::NAN], 0.0), (vec![1.0], f64::INFINITY)] {
            let error = LinearRegression::new(coefficients, intercept).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidModel);
        }
    }
}
