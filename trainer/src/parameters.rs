//! Hyper-parameters: anything may be written down, only what was checked is used.

use crate::dataset::TargetValues;
use crate::error::Error;

/// Hyper-parameters of the logistic regression; [`check`](Self::check) makes them usable.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogisticParams {
    /// Weight of the penalty `alpha/2·|w|²` beside the summed loss, at least 0. scikit-learn's `C` is `1/alpha`.
    pub alpha: f64,
    /// Steps of the solver (L-BFGS), at least 1.
    pub max_iterations: u64,
    /// The largest component that the gradient of the mean loss may have at the solution, more than 0.
    pub gradient_tolerance: f64,
}

/// Checked [`LogisticParams`].
///
/// ```
/// use martello_trainer::{Logistic, LogisticParams};
///
/// let params: Logistic = LogisticParams { alpha: 0.1, ..LogisticParams::default() }.check()?;
/// assert!(LogisticParams { alpha: -1.0, ..LogisticParams::default() }.check().is_err());
/// # Ok::<(), martello_trainer::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Logistic(LogisticParams);

/// What is fitted.
///
/// ```
/// use martello_trainer::{Algorithm, Logistic};
///
/// let algorithm = Algorithm::LogisticRegression(Logistic::default());
/// assert_eq!(algorithm.name(), "LogisticRegression");
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Algorithm {
    /// Ordinary least squares; the target must be numeric.
    LinearRegression,
    /// Logistic regression with an L2 penalty on standardised features: a sigmoid for two classes, a softmax for more.
    /// The target must be labels.
    LogisticRegression(Logistic),
}

/// How large a fit may become. A fit holds its features as one dense matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FitLimits {
    /// Different texts in one column. Default 1,000: a column with more names its rows rather than describes them.
    pub categories: usize,
    /// Classes of a target. Default 1,000, for the same reason.
    pub classes: usize,
    /// Rows × features after encoding. Default 50,000,000: 400 MB of doubles, of which a fit makes two or three copies.
    pub matrix_cells: usize,
}

impl Default for FitLimits {
    fn default() -> Self {
        Self { categories: 1_000, classes: 1_000, matrix_cells: 50_000_000 }
    }
}

impl Default for LogisticParams {
    /// Returns `alpha` 1 (scikit-learn's `C=1`), 1,000 iterations (ten times what the penguins need) and a tolerance of
    /// 1e-6, a hundredth of what scikit-learn stops at.
    fn default() -> Self {
        Self { alpha: 1.0, max_iterations: 1_000, gradient_tolerance: 1e-6 }
    }
}

impl LogisticParams {
    /// Checks every value.
    ///
    /// # Errors
    /// [`InvalidParameter`](crate::ErrorKind::InvalidParameter) naming the parameter.
    pub fn check(self) -> Result<Logistic, Error> {
        let Self { alpha, max_iterations, gradient_tolerance } = self;
        if !(alpha.is_finite() && alpha >= 0.0) {
            return Err(Error::parameter(format!("alpha must be finite and at least 0, it is {alpha}")));
        }
        if max_iterations == 0 {
            return Err(Error::parameter("max_iterations must be at least 1"));
        }
        if !(gradient_tolerance.is_finite() && gradient_tolerance > 0.0) {
            return Err(Error::parameter(format!(
                "gradient_tolerance must be more than 0, it is {gradient_tolerance}"
            )));
        }
        Ok(Logistic(self))
    }
}

impl Logistic {
    /// Returns the weight of the penalty.
    pub fn alpha(&self) -> f64 {
        self.0.alpha
    }

    /// Returns the bound on the solver's steps.
    pub fn max_iterations(&self) -> u64 {
        self.0.max_iterations
    }

    /// Returns the largest gradient of a solution.
    pub fn gradient_tolerance(&self) -> f64 {
        self.0.gradient_tolerance
    }
}

impl Algorithm {
    /// Returns what suits a target: least squares for numbers, logistic regression with default parameters for labels.
    pub fn for_target(target: &TargetValues) -> Self {
        match target {
            TargetValues::Numbers(_) => Self::LinearRegression,
            TargetValues::Labels(_) => Self::LogisticRegression(Logistic::default()),
        }
    }

    /// Returns the name under which a run records it (`model_type`), scikit-learn's for the same model.
    pub fn name(&self) -> &'static str {
        match self {
            Self::LinearRegression => "LinearRegression",
            Self::LogisticRegression(_) => "LogisticRegression",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senseless_values_are_refused_by_name() {
        let good = LogisticParams::default();
        assert!(good.check().is_ok());
        assert!(LogisticParams { alpha: 0.0, ..good }.check().is_ok());
        let bad = [
            (LogisticParams { alpha: f64::NAN, ..good }, "alpha"),
            (LogisticParams { alpha: -1.0, ..good }, "alpha"),
            (LogisticParams { max_iterations: 0, ..good }, "max_iterations"),
            (LogisticParams { gradient_tolerance: 0.0, ..good }, "gradient_tolerance"),
            (LogisticParams { gradient_tolerance: f64::INFINITY, ..good }, "gradient_tolerance"),
        ];
        for (params, name) in bad {
            let message = params.check().unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
        }
    }
}
