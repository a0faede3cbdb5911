//! Logistic regression with linfa, and the check of convergence that linfa lacks.
//!
//! linfa answers `Ok` for a model that is not at the minimum: its multinomial loss shifts all rows by one common maximum
//! and clips, so that the loss and the gradient are wrong where logits are far apart. So the gradient is computed here
//! once more, row by row stable, and what is not a minimum is refused.

use linfa::DatasetBase;
use linfa::ParamGuard;
use linfa::traits::Fit;
use linfa_logistic::{
    FittedLogisticRegression, LogisticRegression, MultiFittedLogisticRegression, MultiLogisticRegression,
};
use ndarray::{Array1, Array2, ArrayView1};

use crate::error::{Error, ErrorKind};
use crate::parameters::Logistic;

/// The solver is asked for a hundredth of the tolerated gradient. It ends earlier where the loss no longer changes in double
/// precision, which near a minimum happens at a gradient of about 1e-8.
const SOLVER_MARGIN: f64 = 0.01;

/// A fit at the minimum of the regularised loss.
#[derive(Debug)]
pub(crate) enum LogisticFit {
    /// Two classes, one sigmoid.
    Binary(FittedLogisticRegression<f64, usize>),
    /// Three or more classes, a softmax.
    Multinomial(MultiFittedLogisticRegression<f64, usize>),
}

/// Fits class indices `y` (each of `0..classes` occurs) on standardised features.
pub(crate) fn fit(
    x: &Array2<f64>,
    y: &[usize],
    classes: usize,
    params: &Logistic,
) -> Result<LogisticFit, Error> {
    let fitted = if classes == 2 { fit_binary(x, y, params) } else { fit_multinomial(x, y, params) }?;
    let gradient = fitted.largest_gradient(x, y, params.alpha());
    // Written so that NaN is refused too.
    if gradient <= params.gradient_tolerance() {
        return Ok(fitted);
    }
    Err(Error::new(
        ErrorKind::NotConverged,
        format!(
            "logistic regression stopped away from the minimum: the gradient is {gradient:.1e}, the tolerance {:.1e}; \
             regularise more (alpha), allow more iterations or a larger tolerance",
            params.gradient_tolerance()
        ),
    ))
}

fn fit_binary(x: &Array2<f64>, y: &[usize], params: &Logistic) -> Result<LogisticFit, Error> {
    let solver = LogisticRegression::default()
        .alpha(params.alpha())
        .max_iterations(params.max_iterations())
        .gradient_tolerance(solver_tolerance(x, params))
        .check()
        .map_err(solver_failed)?;
    let data = DatasetBase::new(x.view(), Array1::from(y.to_vec()));
    solver.fit(&data).map(LogisticFit::Binary).map_err(solver_failed)
}

fn fit_multinomial(x: &Array2<f64>, y: &[usize], params: &Logistic) -> Result<LogisticFit, Error> {
    let solver = MultiLogisticRegression::default()
        .alpha(params.alpha())
        .max_iterations(params.max_iterations())
        .gradient_tolerance(solver_tolerance(x, params))
        .check()
        .map_err(solver_failed)?;
    let data = DatasetBase::new(x.view(), Array1::from(y.to_vec()));
    solver.fit(&data).map(LogisticFit::Multinomial).map_err(solver_failed)
}

fn solver_tolerance(x: &Array2<f64>, params: &Logistic) -> f64 {
    SOLVER_MARGIN * params.gradient_tolerance() * x.nrows() as f64
}

fn solver_failed(cause: linfa_logistic::error::Error) -> Error {
    Error::new(ErrorKind::NotConverged, "the solver of the logistic regression failed").with_source(cause)
}

// ===== impl LogisticFit =====

impl LogisticFit {
    /// Returns the largest component of the gradient of the mean regularised loss at the fitted parameters.
    fn largest_gradient(&self, x: &Array2<f64>, y: &[usize], alpha: f64) -> f64 {
        let mut gradient = self.penalty_gradient(alpha);
        let mut residuals = Vec::new();
        for (row, &class) in x.rows().into_iter().zip(y) {
            self.residuals(row, class, &mut residuals);
            for (gradient, &residual) in gradient.iter_mut().zip(&residuals) {
                gradient.0.scaled_add(residual, &row);
                gradient.1 += residual;
            }
        }
        let rows = x.nrows() as f64;
        let components = gradient.iter().flat_map(|(weights, intercept)| weights.iter().chain([intercept]));
        components.fold(0.0, |largest, value| {
            let value = value.abs() / rows;
            if value > largest || value.is_nan() { value } else { largest }
        })
    }

    /// The gradient of the penalty `alpha/2·|w|²` per set of weights; the intercept is not penalised.
    fn penalty_gradient(&self, alpha: f64) -> Vec<(Array1<f64>, f64)> {
        match self {
            Self::Binary(fit) => vec![(fit.params() * alpha, 0.0)],
            Self::Multinomial(fit) => {
                fit.params().columns().into_iter().map(|weights| (&weights * alpha, 0.0)).collect()
            }
        }
    }

    /// Predicted probability minus truth, per set of weights.
    fn residuals(&self, row: ArrayView1<'_, f64>, class: usize, residuals: &mut Vec<f64>) {
        residuals.clear();
        match self {
            Self::Binary(fit) => {
                let score = fit.params().dot(&row) + fit.intercept();
                // The positive class is the more frequent one, not the one with the larger index.
                let is_positive = class == fit.labels().pos.class;
                residuals.push(sigmoid(score) - f64::from(u8::from(is_positive)));
            }
            Self::Multinomial(fit) => {
                residuals.extend((row.dot(fit.params()) + fit.intercept()).iter());
                softmax(residuals);
                residuals[class] -= 1.0;
            }
        }
    }
}

fn sigmoid(score: f64) -> f64 {
    if score >= 0.0 { 1.0 / (1.0 + (-score).exp()) } else { score.exp() / (1.0 + score.exp()) }
}

fn softmax(scores: &mut [f64]) {
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    scores.iter_mut().for_each(|score| *score = (*score - largest).exp());
    let sum: f64 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= sum);
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::parameters::LogisticParams;

    #[test]
    fn an_unfinished_fit_is_refused() {
        let x = array![[-2.0, 1.0], [-1.0, 0.3], [0.1, -0.7], [1.0, 0.2], [2.2, -1.0], [0.4, 0.9]];
        let y = [0, 0, 1, 1, 2, 2];
        let hasty = LogisticParams { max_iterations: 1, ..LogisticParams::default() }.check().unwrap();
        assert_eq!(fit(&x, &y, 3, &hasty).unwrap_err().kind(), ErrorKind::NotConverged);
        assert!(fit(&x, &y, 3, &Logistic::default()).is_ok());
    }

    #[test]
    fn a_minimum_that_linfa_misses_is_refused() {
        // Logits far apart: linfa's common shift clips the rows that are far from the largest one.
        let x = array![[-900.0], [-500.0], [-1.0], [1.0], [400.0], [1000.0]];
        let y = [0, 0, 1, 1, 2, 2];
        let params = LogisticParams { alpha: 1e-6, ..LogisticParams::default() }.check().unwrap();
        let error = fit(&x, &y, 3, &params).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConverged);
    }

    #[test]
    fn the_gradient_is_the_derivative_of_the_loss() {
        let x = array![[-2.0], [-1.0], [1.5], [3.0]];
        for (y, classes) in [([0, 1, 1, 1], 2), ([0, 1, 2, 1], 3)] {
            let fitted = fit(&x, &y, classes, &Logistic::default()).unwrap();
            assert!(fitted.largest_gradient(&x, &y, 1.0) < 1e-6, "at the minimum of alpha = 1");
            assert!(fitted.largest_gradient(&x, &y, 2.0) > 1e-3, "but not at that of alpha = 2");
        }
    }
}
