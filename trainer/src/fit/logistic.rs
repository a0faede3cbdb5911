//! Logistic regression with linfa, and the check of convergence that linfa lacks.
//!
//! linfa answers `Ok` for a model that is not at the minimum. So the gradient is computed here once more, row by row stable; a
//! multinomial fit goes on from where linfa stopped, and what is no minimum in the end is refused.

use linfa::DatasetBase;
use linfa::ParamGuard;
use linfa::traits::Fit;
use linfa_logistic::{
    FittedLogisticRegression, LogisticRegression, MultiFittedLogisticRegression, MultiLogisticRegression,
};
use ndarray::{Array1, Array2, Axis, Slice};

use super::softmax::Softmax;
use crate::error::{Error, ErrorKind};
use crate::parameters::Logistic;

/// The solvers are asked for a hundredth of the tolerated gradient. They end earlier where the loss no longer changes in
/// double precision, which near a minimum happens at a gradient of about 1e-8.
const SOLVER_MARGIN: f64 = 0.01;

/// linfa's own default. Where its gradient is right it needs fewer, and where it is not more do not help.
const LINFA_ITERATIONS: u64 = 100;

/// A fit at the minimum of the regularised loss.
#[derive(Debug)]
pub(crate) enum LogisticFit {
    /// Two classes, one sigmoid.
    Binary(FittedLogisticRegression<f64, usize>),
    /// Three or more classes, a softmax.
    Multinomial(MultiFittedLogisticRegression<f64, usize>),
    /// A softmax that linfa left away from the minimum: features + 1 × classes, the intercepts in the last row.
    Continued(Array2<f64>),
}

/// Fits class indices `y` (each of `0..classes` occurs) on standardised features.
pub(crate) fn fit(
    x: &Array2<f64>,
    y: &[usize],
    classes: usize,
    params: &Logistic,
) -> Result<LogisticFit, Error> {
    if classes == 2 { fit_binary(x, y, params) } else { fit_multinomial(x, y, params) }
}

fn fit_binary(x: &Array2<f64>, y: &[usize], params: &Logistic) -> Result<LogisticFit, Error> {
    let solver = LogisticRegression::default()
        .alpha(params.alpha())
        .max_iterations(params.max_iterations())
        .gradient_tolerance(solver_tolerance(x, params))
        .check()
        .map_err(solver_failed)?;
    let data = DatasetBase::new(x.view(), Array1::from(y.to_vec()));
    let fitted = solver.fit(&data).map_err(solver_failed)?;
    converged(binary_gradient(&fitted, x, y, params.alpha()), params)?;
    Ok(LogisticFit::Binary(fitted))
}

fn fit_multinomial(x: &Array2<f64>, y: &[usize], params: &Logistic) -> Result<LogisticFit, Error> {
    let solver = MultiLogisticRegression::default()
        .alpha(params.alpha())
        .max_iterations(params.max_iterations().min(LINFA_ITERATIONS))
        .gradient_tolerance(solver_tolerance(x, params))
        .check()
        .map_err(solver_failed)?;
    let data = DatasetBase::new(x.view(), Array1::from(y.to_vec()));
    let fitted = solver.fit(&data).map_err(solver_failed)?;
    let softmax = Softmax { x, y, alpha: params.alpha() };
    let point = softmax.at(parameters(&fitted));
    if point.largest_gradient() <= params.gradient_tolerance() {
        return Ok(LogisticFit::Multinomial(fitted));
    }
    let goal = SOLVER_MARGIN * params.gradient_tolerance();
    let point = softmax.descend(point.parameters, goal, params.max_iterations());
    converged(point.largest_gradient(), params)?;
    Ok(LogisticFit::Continued(point.parameters))
}

/// Puts linfa's intercepts below its weights.
fn parameters(fitted: &MultiFittedLogisticRegression<f64, usize>) -> Array2<f64> {
    let (features, classes) = fitted.params().dim();
    let mut parameters = Array2::zeros((features + 1, classes));
    parameters.slice_axis_mut(Axis(0), Slice::from(..features)).assign(fitted.params());
    parameters.row_mut(features).assign(fitted.intercept());
    parameters
}

fn converged(gradient: f64, params: &Logistic) -> Result<(), Error> {
    // Written so that NaN is refused too.
    if gradient <= params.gradient_tolerance() {
        return Ok(());
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

/// linfa measures the Euclidean norm of the gradient of the summed loss, the check the largest component of the mean's.
fn solver_tolerance(x: &Array2<f64>, params: &Logistic) -> f64 {
    SOLVER_MARGIN * params.gradient_tolerance() * x.nrows() as f64
}

fn solver_failed(cause: linfa_logistic::error::Error) -> Error {
    Error::new(ErrorKind::NotConverged, "the solver of the logistic regression failed").with_source(cause)
}

/// Returns the largest component of the gradient of the mean regularised loss at the fitted parameters.
fn binary_gradient(
    fitted: &FittedLogisticRegression<f64, usize>,
    x: &Array2<f64>,
    y: &[usize],
    alpha: f64,
) -> f64 {
    // The positive class is the more frequent one, not the one with the larger index.
    let positive = fitted.labels().pos.class;
    let (mut weights, mut intercept) = (fitted.params() * alpha, 0.0);
    for (row, &class) in x.rows().into_iter().zip(y) {
        let score = fitted.params().dot(&row) + fitted.intercept();
        let residual = sigmoid(score) - f64::from(u8::from(class == positive));
        weights.scaled_add(residual, &row);
        intercept += residual;
    }
    weights.iter().chain([&intercept]).fold(0.0, |largest, value| {
        let value = value.abs() / x.nrows() as f64;
        if value > largest || value.is_nan() { value } else { largest }
    })
}

fn sigmoid(score: f64) -> f64 {
    if score >= 0.0 { 1.0 / (1.0 + (-score).exp()) } else { score.exp() / (1.0 + score.exp()) }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::parameters::LogisticParams;
    use crate::random_state::RandomState;

    fn hasty() -> Logistic {
        LogisticParams { max_iterations: 1, ..LogisticParams::default() }.check().unwrap()
    }

    #[test]
    fn an_unfinished_fit_is_refused() {
        let x = array![[-2.0, 1.0], [-1.0, 0.3], [0.1, -0.7], [1.0, 0.2], [2.2, -1.0], [0.4, 0.9]];
        for (y, classes) in [([0, 0, 1, 1, 2, 2], 3), ([0, 0, 1, 1, 0, 1], 2)] {
            assert_eq!(fit(&x, &y, classes, &hasty()).unwrap_err().kind(), ErrorKind::NotConverged);
            assert!(fit(&x, &y, classes, &Logistic::default()).is_ok());
        }
    }

    #[test]
    fn a_minimum_that_linfa_misses_is_found() {
        // Heavy tails: linfa's common shift clips the rows that are far from the largest logit.
        let mut random = RandomState::new(42);
        let x = Array2::from_shape_fn((600, 2), |_| random.normal().powi(5) / 30.0);
        let y: Vec<usize> = x
            .rows()
            .into_iter()
            .map(|row| match row.sum() + 0.01 * random.normal() {
                sum if sum < -0.01 => 0,
                sum if sum < 0.01 => 1,
                _ => 2,
            })
            .collect();
        let fitted = fit(&x, &y, 3, &Logistic::default()).unwrap();
        let LogisticFit::Continued(parameters) = fitted else { panic!("linfa found it") };
        let softmax = Softmax { x: &x, y: &y, alpha: 1.0 };
        assert!(softmax.at(parameters).largest_gradient() < 1e-6);
    }

    #[test]
    fn the_minimum_belongs_to_the_penalty() {
        let x = array![[-2.0], [-1.0], [1.5], [3.0]];
        let y = [0, 1, 1, 1];
        let LogisticFit::Binary(fitted) = fit(&x, &y, 2, &Logistic::default()).unwrap() else {
            panic!("binary")
        };
        assert!(binary_gradient(&fitted, &x, &y, 1.0) < 1e-6, "at the minimum of alpha = 1");
        assert!(binary_gradient(&fitted, &x, &y, 2.0) > 1e-3, "but not at that of alpha = 2");
    }
}
