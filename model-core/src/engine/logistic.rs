//! Logistic regression: binary by the sigmoid, multinomial by the softmax.

use std::sync::Arc;

use super::{Classes, all_finite, weighted_sum};
use crate::preprocessing::Encoder;
use crate::{Batch, Error, ErrorKind, Predictions, Probabilities};

/// A classifier whose scores are weighted sums of the features.
///
/// With one row of coefficients and two classes it is binary: the sigmoid of the score is the probability of the *second*
/// class. With one row per class it is multinomial: the softmax of the scores.
///
/// A label is the class with the highest score, and of equal scores the first class; binary: the second class only if the
/// score is above zero. Scores decide, not probabilities, because rounding makes different scores equally probable; this is
/// what scikit-learn does. Scores have the same bits everywhere; probabilities go through the platform's `exp`, which may
/// differ in the last bit between platforms.
///
/// ```
/// use martello_model_core::engine::LogisticRegression;
///
/// let engine = LogisticRegression::new(vec!["no", "yes"], vec![1.5, -2.0], vec![0.25])?;
/// assert_eq!(engine.classes().len(), 2);
/// assert_eq!(engine.features(), 2);
/// # Ok::<(), martello_model_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticRegression {
    classes: Classes,
    names: Arc<[Arc<str>]>,
    // One row of `features` coefficients per intercept.
    coefficients: Box<[f64]>,
    intercepts: Box<[f64]>,
}

impl LogisticRegression {
    /// Creates the engine from the classes, the coefficients (row-major, one row per intercept) and the intercepts.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidModel`] if there are fewer than two classes or a class occurs twice; if there is neither one
    /// intercept per class nor, with two classes, one alone; if the coefficients do not fill the rows; if a number is
    /// infinite or NaN.
    pub fn new(
        classes: impl Into<Classes>,
        coefficients: impl Into<Box<[f64]>>,
        intercepts: impl Into<Box<[f64]>>,
    ) -> Result<Self, Error> {
        let (classes, coefficients, intercepts) = (classes.into(), coefficients.into(), intercepts.into());
        classes.check()?;
        check_shapes(classes.len(), coefficients.len(), intercepts.len())?;
        if !all_finite(&coefficients) || !all_finite(&intercepts) {
            return Err(Error::new(ErrorKind::InvalidModel, "a logistic regression needs finite numbers"));
        }
        Ok(Self { names: classes.names(), classes, coefficients, intercepts })
    }

    /// Returns the labels, in the order of the scores.
    #[must_use]
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// Returns the coefficients: one row per intercept, one column per feature.
    #[must_use]
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// Returns the intercepts: one per class, or a single one if the model is binary.
    #[must_use]
    pub fn intercepts(&self) -> &[f64] {
        &self.intercepts
    }

    /// Returns the number of features that a row must have.
    #[must_use]
    pub fn features(&self) -> usize {
        self.coefficients.len() / self.intercepts.len()
    }

    pub(super) fn predict(&self, encoder: &Encoder, batch: &Batch) -> Result<Predictions, Error> {
        let winners = self.winners(encoder, batch)?;
        Ok(match &self.classes {
            Classes::Text(labels) => {
                Predictions::Labels(winners.into_iter().map(|class| Arc::clone(&labels[class])).collect())
            }
            Classes::Integers(labels) => {
                Predictions::Integers(winners.into_iter().map(|class| labels[class]).collect())
            }
        })
    }

    pub(super) fn predict_probabilities(&self, encoder: &Encoder, batch: &Batch) -> Probabilities {
        let classes = self.classes.len();
        let mut values = vec![0.0; batch.rows() * classes];
        let mut rows = values.chunks_exact_mut(classes);
        encoder.for_each_row(batch, |features| {
            let row = rows.next().expect("the encoder visits as many rows as the batch has");
            self.probabilities(features, row);
        });
        Probabilities::new(Arc::clone(&self.names), values).expect("every row has one value per class")
    }

    fn winners(&self, encoder: &Encoder, batch: &Batch) -> Result<Vec<usize>, Error> {
        let mut winners = Vec::with_capacity(batch.rows());
        let mut overflow = None;
        encoder.for_each_row(batch, |features| match self.winner(features) {
            Some(class) => winners.push(class),
            None => _ = overflow.get_or_insert(winners.len()),
        });
        match overflow {
            Some(row) => Err(Error::new(ErrorKind::Prediction, format!("the scores of row {row} overflow"))),
            None => Ok(winners),
        }
    }

    /// Returns the class with the highest score, the first of equals, or nothing if a score is NaN.
    fn winner(&self, features: &[f64]) -> Option<usize> {
        let mut best = (0, f64::NEG_INFINITY);
        for class in 0..self.classes.len() {
            let score = self.score(class, features);
            if score.is_nan() {
                return None;
            }
            if score > best.1 {
                best = (class, score);
            }
        }
        Some(best.0)
    }

    fn probabilities(&self, features: &[f64], row: &mut [f64]) {
        if self.is_binary() {
            let score = self.score(1, features);
            row.copy_from_slice(&[sigmoid(-score), sigmoid(score)]);
            return;
        }
        for (class, value) in row.iter_mut().enumerate() {
            *value = self.score(class, features);
        }
        softmax(row);
    }

    fn is_binary(&self) -> bool {
        self.intercepts.len() == 1
    }

    /// Returns the score of a class; a binary model measures the second class against a first one of score 0.
    fn score(&self, class: usize, features: &[f64]) -> f64 {
        let row = match (self.is_binary(), class) {
            (true, 0) => return 0.0,
            (true, _) => 0,
            (false, class) => class,
        };
        let width = self.features();
        weighted_sum(&self.coefficients[row * width..][..width], features, self.intercepts[row])
    }
}

fn check_shapes(classes: usize, coefficients: usize, intercepts: usize) -> Result<(), Error> {
    let rows_fit = intercepts == classes || (intercepts == 1 && classes == 2);
    if !rows_fit {
        let message = format!("a logistic regression of {classes} classes has {intercepts} intercepts");
        return Err(Error::new(ErrorKind::InvalidModel, message));
    }
    if coefficients == 0 || !coefficients.is_multiple_of(intercepts) {
        let message =
            format!("{coefficients} coefficients do not fill {intercepts} rows of a logistic regression");
        return Err(Error::new(ErrorKind::InvalidModel, message));
    }
    Ok(())
}

/// Never overflows: the exponent is not positive, whatever the sign of the score.
pub(crate) fn sigmoid(score: f64) -> f64 {
    let small = (-score.abs()).exp();
    if score < 0.0 { small / (1.0 + small) } else { 1.0 / (1.0 + small) }
}

/// Subtracts the highest score first, so that no exponent is positive and one term of the sum is 1.
pub(crate) fn softmax(scores: &mut [f64]) {
    let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - highest).exp();
        sum += *score;
    }
    for score in scores {
        *score /= sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probabilities(engine: &LogisticRegression, features: &[f64]) -> Vec<f64> {
        let mut row = vec![0.0; engine.classes().len()];
        engine.probabilities(features, &mut row);
        row
    }

    fn binary() -> LogisticRegression {
        LogisticRegression::new(vec!["no", "yes"], vec![1.0], vec![0.0]).unwrap()
    }

    fn three() -> LogisticRegression {
        LogisticRegression::new(vec![7, 8, 9], vec![1.0, 1.0, -1.0], vec![0.0; 3]).unwrap()
    }

    #[test]
    fn of_equal_scores_the_first_class_wins() {
        assert_eq!(binary().winner(&[0.0]), Some(0));
        assert_eq!(binary().winner(&[5e-324]), Some(1));
        assert_eq!(three().winner(&[0.0]), Some(0));
        assert_eq!(three().winner(&[1.0]), Some(0));
        assert_eq!(three().winner(&[-1.0]), Some(2));
    }

    #[test]
    fn scores_of_any_size_have_probabilities() {
        for score in [0.0, 1e-300, 1.0, 36.0, 745.0, 1e300] {
            for sign in [-1.0, 1.0] {
                for engine in [binary(), three()] {
                    let row = probabilities(&engine, &[sign * score]);
                    assert!(row.iter().all(|p| (0.0..=1.0).contains(p)), "{score} {row:?}");
                    assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-15, "{score} {row:?}");
                }
            }
        }
        assert_eq!(probabilities(&binary(), &[1e300]), [0.0, 1.0]);
        assert_eq!(probabilities(&binary(), &[0.0]), [0.5, 0.5]);
        assert_eq!(probabilities(&three(), &[1e300]), [0.5, 0.5, 0.0]);
    }

    #[test]
    fn a_score_that_is_not_a_number_has_no_winner() {
        let engine = LogisticRegression::new(vec!["a", "b"], vec![1.0, -1.0], vec![0.0]).unwrap();
        assert_eq!(engine.winner(&[f64::INFINITY, f64::INFINITY]), None);
        assert_eq!(engine.winner(&[f64::INFINITY, 1.0]), Some(1));
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let check = |classes: Vec<i64>, coefficients: usize, intercepts: usize| {
            let (coefficients, intercepts) = (vec![1.0; coefficients], vec![1.0; intercepts]);
            LogisticRegression::new(classes, coefficients, intercepts).map_err(|error| error.kind())
        };
        assert!(check(vec![0, 1], 3, 1).is_ok());
        assert!(check(vec![0, 1], 4, 2).is_ok());
        for (classes, coefficients, intercepts) in [
            (vec![], 0, 0),
            (vec![0], 2, 1),
            (vec![0, 0], 2, 1),
            (vec![0, 1, 2], 3, 1),
            (vec![0, 1, 2], 4, 3),
            (vec![0, 1], 0, 1),
        ] {
            assert_eq!(check(classes, coefficients, intercepts), Err(ErrorKind::InvalidModel));
        }
        let refused = LogisticRegression::new(vec![0, 1], vec![f64::NAN], vec![0.0]).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidModel);
    }
}
