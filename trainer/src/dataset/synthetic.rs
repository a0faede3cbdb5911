//! Synthetic regression data with a known answer.

use super::{Dataset, Feature, Target};
use crate::error::{Error, ErrorKind};
use crate::random_state::RandomState;

/// Cells that one synthetic data set may have: 80 MB of numbers, far more than a test or a demonstration needs.
const MAX_CELLS: usize = 10_000_000;

/// How many features carry signal, as in scikit-learn's default; the others have coefficient zero.
const MAX_INFORMATIVE: usize = 10;

/// A linear relation with normal noise: the data of scikit-learn's `make_regression`.
///
/// Every feature is standard normal, `x ~ N(0, 1)`, independent of the others. The coefficients of the first ten features
/// are uniform in `[0, 100)`, those of further ones zero. `y = x·coefficients + N(0, noise²)`, without an intercept. Rows
/// and columns are then permuted. All of it is drawn from one [`RandomState`] in numpy's order, so that features and
/// coefficients are those of `sklearn.datasets.make_regression(rows, features, noise=noise, random_state=seed)` to the
/// bit; the target may differ in the last bit, because the sum in a BLAS dot product has no defined order.
///
/// The columns are called `feature1`, `feature2`, …; the target `target`.
///
/// ```
/// use martello_trainer::MakeRegression;
///
/// let synthetic = MakeRegression::default().generate()?; // 100 rows, 3 features, noise 0.1, seed 42
/// assert_eq!(synthetic.coefficients[0], 28.203457257130648);
/// # Ok::<(), martello_trainer::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MakeRegression {
    /// Number of rows, at least 1.
    pub rows: usize,
    /// Number of features, at least 1.
    pub features: usize,
    /// Standard deviation of the noise in the unit of the target, at least 0.
    pub noise: f64,
    /// Seed of the random stream.
    pub seed: u32,
}

/// Synthetic data together with the truth behind them.
#[derive(Debug, Clone)]
pub struct Synthetic {
    /// The rows.
    pub dataset: Dataset,
    /// The coefficient of each feature in column order; the intercept is zero.
    pub coefficients: Vec<f64>,
}

impl Default for MakeRegression {
    /// Returns the data of the job `linear_regression_model`: 100 rows, 3 features, noise 0.1, seed 42.
    fn default() -> Self {
        Self { rows: 100, features: 3, noise: 0.1, seed: 42 }
    }
}

impl MakeRegression {
    /// Draws the data.
    ///
    /// # Errors
    /// [`InvalidParameter`](ErrorKind::InvalidParameter) for no rows, no features or a noise that is negative or not
    /// finite; [`TooLarge`](ErrorKind::TooLarge) for more than ten million cells.
    pub fn generate(&self) -> Result<Synthetic, Error> {
        self.check()?;
        let mut random = RandomState::new(self.seed);
        let x: Vec<f64> = (0..self.rows * self.features).map(|_| random.normal()).collect();
        let truth = self.draw_coefficients(&mut random);
        let y: Vec<f64> = x.chunks_exact(self.features).map(|row| dot(row, &truth)).collect();
        let y: Vec<f64> = if self.noise > 0.0 {
            y.into_iter().map(|y| y + self.noise * random.normal()).collect()
        } else {
            y
        };
        let rows = random.permutation(self.rows);
        let features = random.permutation(self.features);
        let column = |(i, &feature): (usize, &usize)| {
            let values = rows.iter().map(|&row| x[row * self.features + feature]).collect();
            Feature::numbers(format!("feature{}", i + 1), values)
        };
        let columns = features.iter().enumerate().map(column).collect();
        let target = Target::numbers("target", rows.iter().map(|&row| y[row]).collect());
        let coefficients = features.iter().map(|&feature| truth[feature]).collect();
        Ok(Synthetic { dataset: Dataset::new(columns, target)?, coefficients })
    }

    fn check(&self) -> Result<(), Error> {
        if self.rows == 0 || self.features == 0 {
            return Err(Error::parameter("synthetic data need at least one row and one feature"));
        }
        if !(self.noise.is_finite() && self.noise >= 0.0) {
            return Err(Error::parameter(format!(
                "noise must be finite and at least 0, it is {}",
                self.noise
            )));
        }
        match self.rows.checked_mul(self.features) {
            Some(cells) if cells <= MAX_CELLS => Ok(()),
            _ => Err(Error::new(
                ErrorKind::TooLarge,
                format!("synthetic data are limited to {MAX_CELLS} cells"),
            )),
        }
    }

    fn draw_coefficients(&self, random: &mut RandomState) -> Vec<f64> {
        let mut coefficients = vec![0.0; self.features];
        for coefficient in coefficients.iter_mut().take(MAX_INFORMATIVE) {
            *coefficient = 100.0 * random.uniform();
        }
        coefficients
    }
}

/// A chain of fused multiply-adds: one rounding per term and the same bits on every machine.
fn dot(row: &[f64], coefficients: &[f64]) -> f64 {
    row.iter().zip(coefficients).fold(0.0, |sum, (x, coefficient)| x.mul_add(*coefficient, sum))
}
