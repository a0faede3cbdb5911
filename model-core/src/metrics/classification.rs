//! Metrics of classifiers.

use super::{check_lengths, mean};
use crate::{Error, ErrorKind, Probabilities};

/// Returns the share of rows whose label was predicted, between 0 and 1.
///
/// ```
/// let share = martello_model_core::metrics::accuracy(&["a", "b", "b"], &["a", "b", "a"])?;
/// assert_eq!(share, 2.0 / 3.0);
/// # Ok::<(), martello_model_core::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] for slices of different lengths, or empty ones.
pub fn accuracy<L: PartialEq>(actual: &[L], predicted: &[L]) -> Result<f64, Error> {
    check_lengths(actual.len(), predicted.len())?;
    let hits =
        actual.iter().zip(predicted).map(|(actual, predicted)| f64::from(u8::from(actual == predicted)));
    Ok(mean(hits.sum(), actual.len()))
}

/// Returns the mean negative logarithm of the probability that was given to the actual class, in nats; 0 is perfect.
///
/// Probabilities are kept away from 0 and 1 by the smallest step of a double, so that one confident mistake does not make
/// the loss infinite.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] for different numbers of rows, none at all, or a label that is no class.
pub fn log_loss<L: AsRef<str>>(actual: &[L], probabilities: &Probabilities) -> Result<f64, Error> {
    check_lengths(actual.len(), probabilities.rows())?;
    let mut sum = 0.0;
    for (row, label) in actual.iter().enumerate() {
        let label = label.as_ref();
        let Some(class) = probabilities.classes().iter().position(|class| **class == *label) else {
            let message = format!("the label {label:?} of row {row} is none of the classes");
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        };
        sum -= probabilities.row(row)[class].clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln();
    }
    Ok(mean(sum, actual.len()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn ham_and_spam(values: &[f64]) -> Probabilities {
        let classes: [Arc<str>; 2] = ["ham".into(), "spam".into()];
        Probabilities::new(Arc::new(classes), values.to_vec()).unwrap()
    }

    #[test]
    fn the_worked_example_of_scikit_learn_holds() {
        let probabilities = ham_and_spam(&[0.1, 0.9, 0.9, 0.1, 0.8, 0.2, 0.35, 0.65]);
        let loss = log_loss(&["spam", "ham", "ham", "spam"], &probabilities).unwrap();
        assert!((loss - 0.21616).abs() < 5e-6, "{loss}");
    }

    #[test]
    fn one_confident_mistake_is_not_infinitely_bad() {
        let loss = log_loss(&["ham"], &ham_and_spam(&[0.0, 1.0])).unwrap();
        assert!(loss > 36.0 && loss < 37.0, "{loss}");
        assert!(log_loss(&["ham"], &ham_and_spam(&[1.0, 0.0])).unwrap() < 1e-15);
    }

    #[test]
    fn labels_that_do_not_match_are_refused() {
        let probabilities = ham_and_spam(&[0.5, 0.5]);
        assert!(log_loss(&["eggs"], &probabilities).unwrap_err().to_string().contains("\"eggs\""));
        assert!(log_loss(&["ham", "ham"], &probabilities).is_err());
        assert!(accuracy(&["a"], &["a", "b"]).is_err());
        assert!(accuracy::<i64>(&[], &[]).is_err());
        assert_eq!(accuracy(&[1, 2, 3, 4], &[1, 2, 3, 5]).unwrap(), 0.75);
    }
}
