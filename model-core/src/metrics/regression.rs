//! Metrics of regressions.

use super::{check_lengths, mean};
use crate::{Error, ErrorKind};

/// Returns the mean of the squared differences, in squared units of the target.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] for slices of different lengths, or empty ones.
pub fn mean_squared_error(actual: &[f64], predicted: &[f64]) -> Result<f64, Error> {
    check_lengths(actual.len(), predicted.len())?;
    Ok(mean(squared_differences(actual, predicted), actual.len()))
}

/// Returns the square root of [`mean_squared_error`], in units of the target.
///
/// # Errors
/// As [`mean_squared_error`].
pub fn root_mean_squared_error(actual: &[f64], predicted: &[f64]) -> Result<f64, Error> {
    mean_squared_error(actual, predicted).map(f64::sqrt)
}

/// Returns the coefficient of determination: 1 is perfect, 0 is no better than the mean of the actual values.
///
/// If all actual values are the same it is 1 for a perfect fit and 0 otherwise.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] for slices of different lengths, or fewer than two rows.
pub fn r2(actual: &[f64], predicted: &[f64]) -> Result<f64, Error> {
    check_lengths(actual.len(), predicted.len())?;
    if actual.len() < 2 {
        return Err(Error::new(ErrorKind::InvalidArgument, "r2 needs at least two rows"));
    }
    let centre = mean(actual.iter().sum(), actual.len());
    let total: f64 = actual.iter().map(|value| (value - centre).powi(2)).sum();
    let residual = squared_differences(actual, predicted);
    Ok(match (residual, total) {
        (0.0, _) => 1.0,
        (_, 0.0) => 0.0,
        (residual, total) => 1.0 - residual / total,
    })
}

fn squared_differences(actual: &[f64], predicted: &[f64]) -> f64 {
    actual.iter().zip(predicted).map(|(actual, predicted)| (actual - predicted).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_examples_of_scikit_learn_hold() {
        let (actual, predicted) = ([3.0, -0.5, 2.0, 7.0], [2.5, 0.0, 2.0, 8.0]);
        assert_eq!(mean_squared_error(&actual, &predicted).unwrap(), 0.375);
        assert_eq!(root_mean_squared_error(&actual, &predicted).unwrap(), 0.375_f64.sqrt());
        assert!((r2(&actual, &predicted).unwrap() - 0.948_608_137_044_968).abs() < 1e-15);
        assert_eq!(r2(&[1.0, 2.0, 3.0], &[2.0, 2.0, 2.0]).unwrap(), 0.0);
        assert_eq!(r2(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]).unwrap(), -3.0);
        assert_eq!(r2(&[-2.0, -2.0, -2.0], &[-2.0, -2.0, -2.0]).unwrap(), 1.0);
        assert_eq!(r2(&[-2.0, -2.0, -2.0], &[-2.0, -2.0, -2.0 + 1e-8]).unwrap(), 0.0);
    }

    #[test]
    fn slices_that_do_not_match_are_refused() {
        for metric in [mean_squared_error, root_mean_squared_error, r2] {
            assert_eq!(metric(&[1.0, 2.0], &[1.0]).unwrap_err().kind(), ErrorKind::InvalidArgument);
            assert_eq!(metric(&[], &[]).unwrap_err().kind(), ErrorKind::InvalidArgument);
        }
        assert_eq!(r2(&[1.0], &[1.0]).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}
