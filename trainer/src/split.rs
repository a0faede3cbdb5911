//! Divides rows into those that are learnt from and those that are held back to judge by.

use crate::dataset::Dataset;
use crate::error::Error;
use crate::random_state::RandomState;

/// How rows are divided; [`check`](Self::check) makes it usable.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SplitParams {
    /// Part of the rows that is held back, between 0 and 1, both excluded.
    pub test_fraction: f64,
    /// Seed of the permutation.
    pub seed: u32,
}

/// Checked [`SplitParams`].
///
/// The same rows as `sklearn.model_selection.train_test_split(…, test_size=test_fraction, random_state=seed)`: of one
/// random permutation the first `⌈fraction · n⌉` rows are the test part, the others the training part.
///
/// ```
/// use martello_trainer::{Dataset, SplitParams};
///
/// let parts = SplitParams::default().check()?.split(&Dataset::penguins())?;
/// assert_eq!((parts.train.rows(), parts.test.rows()), (275, 69));
/// # Ok::<(), martello_trainer::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Split(SplitParams);

/// The two parts of a data set.
#[derive(Debug, Clone)]
pub struct TrainTest {
    /// The rows to fit on.
    pub train: Dataset,
    /// The rows held back.
    pub test: Dataset,
}

impl Default for SplitParams {
    /// Returns 80 % to 20 % with seed 42, as in the job `linear_regression_model`.
    fn default() -> Self {
        Self { test_fraction: 0.2, seed: 42 }
    }
}

impl SplitParams {
    /// Checks the fraction.
    ///
    /// # Errors
    /// [`InvalidParameter`](crate::ErrorKind::InvalidParameter) unless `0 < test_fraction < 1`.
    pub fn check(self) -> Result<Split, Error> {
        if self.test_fraction > 0.0 && self.test_fraction < 1.0 {
            return Ok(Split(self));
        }
        Err(Error::parameter(format!(
            "the test fraction must lie between 0 and 1, it is {}",
            self.test_fraction
        )))
    }
}

impl Split {
    /// Divides the rows.
    ///
    /// # Errors
    /// [`InvalidData`](crate::ErrorKind::InvalidData) if a part would be empty.
    pub fn split(&self, data: &Dataset) -> Result<TrainTest, Error> {
        let rows = data.rows();
        let test_rows = (self.0.test_fraction * rows as f64).ceil() as usize;
        if test_rows >= rows {
            return Err(Error::data(format!(
                "{rows} rows cannot be split: holding back {test_rows} leaves none to learn from"
            )));
        }
        let order = RandomState::new(self.0.seed).permutation(rows);
        let (test, train) = order.split_at(test_rows);
        Ok(TrainTest { train: data.select(train), test: data.select(test) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_that_leave_a_part_empty_are_refused() {
        for test_fraction in [0.0, 1.0, -0.2, 1.5, f64::NAN, f64::INFINITY] {
            assert!(SplitParams { test_fraction, seed: 0 }.check().is_err(), "{test_fraction}");
        }
    }
}
