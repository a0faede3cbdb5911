//! Ordinary least squares with linfa, and what linfa does not look at: columns that say nothing new.

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_linear::{FittedLinearRegression, LinearRegression};
use ndarray::{Array1, Array2, Axis};

use crate::error::{Error, ErrorKind};

/// A column is a combination of earlier ones if less than this part of its variation is its own. Householder QR on
/// doubles keeps about sixteen digits, so what is left below 1e-10 is mostly rounding.
const OWN_PART: f64 = 1e-10;

/// A column is constant if its standard deviation is below this part of its size: the rounding of a mean leaves 1e-16,
/// and a time stamp in milliseconds that varies by seconds (1e-9) is still a variable.
const CONSTANT: f64 = 1e-13;

/// A least squares fit on those columns that are linearly independent.
#[derive(Debug)]
pub(crate) struct LinearFit {
    /// The fit over the kept columns.
    pub(crate) model: FittedLinearRegression<f64>,
    /// Which of the columns were kept, ascending.
    pub(crate) kept: Vec<usize>,
    /// How many columns there were.
    pub(crate) width: usize,
}

/// Fits `y = x·coefficients + intercept`.
///
/// With dependent columns the minimum is not unique and QR divides by rounding errors; the later one of two dependent
/// columns is left out (coefficient zero), as R's `lm` does.
pub(crate) fn fit(x: &Array2<f64>, y: &[f64]) -> Result<LinearFit, Error> {
    let kept = independent_columns(x);
    if kept.is_empty() {
        return Err(Error::data(
            "every feature is constant over the training rows, there is nothing to learn from",
        ));
    }
    if kept.len() < x.ncols() {
        tracing::warn!(
            columns = x.ncols(),
            independent = kept.len(),
            "dependent features get the coefficient zero"
        );
    }
    let records = x.select(Axis(1), &kept);
    let model = LinearRegression::new().fit(&DatasetBase::new(records, Array1::from(y.to_vec()))).map_err(
        |cause| Error::new(ErrorKind::Numerical, "least squares has no solution").with_source(cause),
    )?;
    if !(model.intercept().is_finite() && model.params().iter().all(|value| value.is_finite())) {
        return Err(Error::new(
            ErrorKind::Numerical,
            "least squares left the finite numbers; scale the columns",
        ));
    }
    Ok(LinearFit { model, kept, width: x.ncols() })
}

/// Modified Gram–Schmidt over the centred columns, in column order.
fn independent_columns(x: &Array2<f64>) -> Vec<usize> {
    let mut basis: Vec<Array1<f64>> = Vec::new();
    let mut kept = Vec::new();
    for (i, column) in x.columns().into_iter().enumerate() {
        let size = norm(&column.to_owned());
        let mut own = column.to_owned();
        own -= own.mean().unwrap_or(0.0);
        let variation = norm(&own);
        if variation <= CONSTANT * size {
            continue;
        }
        for direction in &basis {
            own.scaled_add(-direction.dot(&own), direction);
        }
        let left = norm(&own);
        if left > OWN_PART * variation {
            basis.push(own / left);
            kept.push(i);
        }
    }
    kept
}

/// Euclidean norm that does not overflow before its result does.
fn norm(vector: &Array1<f64>) -> f64 {
    let largest = vector.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    if largest == 0.0 {
        return 0.0;
    }
    largest * vector.iter().map(|value| (value / largest).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn constant_and_dependent_columns_are_left_out() {
        let x = array![
            [1.0, 5.0, 2.0, 1.0, 1.7e12],
            [2.0, 5.0, 4.0, 0.0, 1.7e12 + 1e3],
            [3.0, 5.0, 6.0, 1.0, 1.7e12],
            [4.0, 5.0, 8.0, 0.0, 1.7e12 + 5e3],
        ];
        assert_eq!(independent_columns(&x), [0, 3, 4]);
    }

    #[test]
    fn no_more_columns_are_kept_than_the_rows_can_carry() {
        let x = array![[1.0, 0.0, 3.0], [2.0, 7.0, 1.0]];
        assert_eq!(independent_columns(&x), [0]);
    }

    #[test]
    fn a_dependent_column_does_not_spoil_the_fit() {
        let x = array![[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]];
        let fit = fit(&x, &[3.0, 5.0, 7.0]).unwrap();
        assert_eq!(fit.kept, [0]);
        assert!((fit.model.params()[0] - 2.0).abs() < 1e-12);
        assert!((fit.model.intercept() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn constant_features_are_refused() {
        assert_eq!(fit(&array![[1.0], [1.0]], &[1.0, 2.0]).unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn huge_numbers_end_in_an_error_and_not_in_a_model() {
        let x = array![[1e308], [-1e308], [1e307]];
        match fit(&x, &[1e308, -1e308, 0.0]) {
            Ok(fit) => assert!(fit.model.intercept().is_finite()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Numerical),
        }
    }
}
