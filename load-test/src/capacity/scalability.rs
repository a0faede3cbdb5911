//! What replicas change: the Universal Scalability Law.

use std::fmt;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::figures::Rate;

/// The fewest measurements that three coefficients can be fitted to with a residual left to look at.
const FEWEST_POINTS: usize = 4;

/// The Universal Scalability Law fitted to throughput measured with different numbers of replicas:
/// X(p) = λp / (1 + σ(p − 1) + κp(p − 1)) (Gunther, *Guerrilla Capacity Planning*, 2007).
///
/// ```
/// use martello_load_test::capacity::Scalability;
///
/// let law = Scalability::fit(&[(1, 1000.0), (2, 1818.2), (4, 3076.9), (8, 4705.9)])?;
/// assert!((law.sigma() - 0.1).abs() < 1e-3 && law.kappa() < 1e-3);
/// assert_eq!(law.peak(), None);
/// # Ok::<(), martello_load_test::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scalability {
    lambda: f64,
    sigma: f64,
    kappa: f64,
    residuals: Vec<Residual>,
}

/// One measurement beside what the law says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Residual {
    /// How many replicas.
    pub replicas: u32,
    /// Requests a second that were measured.
    pub measured: f64,
    /// Requests a second by the fitted law.
    pub fitted: f64,
}

impl Residual {
    /// Returns the distance of the measurement from the law, relative to the measurement.
    #[must_use]
    pub fn relative(&self) -> f64 {
        (self.measured - self.fitted) / self.measured
    }
}

impl Scalability {
    /// Fits the law to pairs of replicas and requests a second.
    ///
    /// Written as p/X = (1/λ)(1 + σ(p − 1) + κp(p − 1)), the law is linear in 1/λ, σ/λ and κ/λ. Least squares with
    /// weights X² make every measurement count by its relative error. σ and κ below zero mean nothing and are held at zero; so
    /// does a share of the work above one, and σ is held at one: whatever more replicas lose beyond that is crosstalk.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPlan`](crate::ErrorKind::InvalidPlan) for fewer than four different numbers of replicas,
    /// or a throughput that is not above zero.
    pub fn fit(points: &[(u32, f64)]) -> Result<Self> {
        let mut distinct: Vec<u32> = points.iter().map(|(replicas, _)| *replicas).collect();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() < FEWEST_POINTS {
            let count = distinct.len();
            return Err(Error::plan(format!(
                "{count} different numbers of replicas are too few to fit a law to; measure at least {FEWEST_POINTS}"
            )));
        }
        if let Some((replicas, rate)) =
            points.iter().find(|(replicas, rate)| *replicas == 0 || !(*rate > 0.0 && rate.is_finite()))
        {
            return Err(Error::plan(format!(
                "{rate} requests/s with {replicas} replicas is no measurement: both must be above zero"
            )));
        }
        let rows: Vec<Row> = points.iter().map(|(replicas, rate)| Row::of(*replicas, *rate)).collect();
        let [inverse, contention, coherency] =
            best_fit(&rows).ok_or_else(|| Error::plan("the measurements do not determine a law"))?;
        let mut law = Self {
            lambda: 1.0 / inverse,
            sigma: contention / inverse,
            kappa: coherency / inverse,
            residuals: Vec::new(),
        };
        law.residuals = points
            .iter()
            .map(|(replicas, measured)| Residual {
                replicas: *replicas,
                measured: *measured,
                fitted: law.throughput(f64::from(*replicas)),
            })
            .collect();
        Ok(law)
    }

    /// Returns the requests a second of one replica, λ.
    #[must_use]
    pub fn lambda(&self) -> f64 {
        self.lambda
    }

    /// Returns the share of work that replicas have to queue for, σ.
    #[must_use]
    pub fn sigma(&self) -> f64 {
        self.sigma
    }

    /// Returns the price of each pair of replicas that has to agree, κ.
    #[must_use]
    pub fn kappa(&self) -> f64 {
        self.kappa
    }

    /// Returns each measurement beside what the law says.
    #[must_use]
    pub fn residuals(&self) -> &[Residual] {
        &self.residuals
    }

    /// Returns the requests a second that the law expects of `replicas`.
    #[must_use]
    pub fn throughput(&self, replicas: f64) -> f64 {
        let crosstalk = self.kappa * replicas * (replicas - 1.0);
        self.lambda * replicas / (1.0 + self.sigma * (replicas - 1.0) + crosstalk)
    }

    /// Returns the number of replicas beyond which more of them serve less, √((1 − σ)/κ) but at least one; `None` where there is
    /// none.
    #[must_use]
    pub fn peak(&self) -> Option<f64> {
        (self.kappa > 0.0).then(|| ((1.0 - self.sigma).max(0.0) / self.kappa).sqrt().max(1.0))
    }
}

impl fmt::Display for Scalability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rate, sigma, kappa) = (Rate(self.lambda), self.sigma, self.kappa);
        write!(
            f,
            "one replica serves {rate} requests/s; contention σ = {sigma:.4}, crosstalk κ = {kappa:.6}"
        )?;
        match self.peak() {
            Some(peak) if peak <= 1.0 => f.write_str("; each further replica makes it slower")?,
            Some(peak) => write!(
                f,
                "; the peak is at {peak:.1} replicas with {} requests/s",
                Rate(self.throughput(peak))
            )?,
            None => f.write_str("; no number of replicas makes it slower")?,
        }
        let worst = self.residuals.iter().map(|one| one.relative().abs()).fold(0.0, f64::max);
        write!(f, "; measurements are at most {:.1} % from the law", worst * 100.0)
    }
}

/// One equation: p/X from 1, p − 1 and p(p − 1), and its weight.
struct Row {
    terms: [f64; 3],
    value: f64,
    weight: f64,
}

impl Row {
    fn of(replicas: u32, rate: f64) -> Self {
        let p = f64::from(replicas);
        // Relative to p²: the weights X² are then those of the relative error of X itself.
        Self { terms: [1.0, p - 1.0, p * (p - 1.0)], value: p / rate, weight: (rate / p).powi(2) }
    }

    /// What the terms come to with these coefficients.
    fn along(&self, direction: &Direction) -> f64 {
        self.terms.iter().zip(direction).map(|(term, part)| term * part).sum()
    }

    fn error(&self, solution: &[f64; 3]) -> f64 {
        self.weight * (self.value - self.along(solution)).powi(2)
    }
}

/// A direction in which a solution may be sought: how much of each of the three coefficients.
type Direction = [f64; 3];

const INVERSE: Direction = [1.0, 0.0, 0.0];
const CONTENTION: Direction = [0.0, 1.0, 0.0];
const COHERENCY: Direction = [0.0, 0.0, 1.0];
/// All of the work is queued for: σ = 1.
const ALL_QUEUED: Direction = [1.0, 1.0, 0.0];

/// The best of the solutions in which σ and κ are free or at a bound, and none is beyond one: this is the exact solution of the
/// bounded problem.
fn best_fit(rows: &[Row]) -> Option<[f64; 3]> {
    let choices: [&[Direction]; 6] = [
        &[INVERSE, CONTENTION, COHERENCY],
        &[INVERSE, CONTENTION],
        &[INVERSE, COHERENCY],
        &[INVERSE],
        &[ALL_QUEUED, COHERENCY],
        &[ALL_QUEUED],
    ];
    let solutions = choices.into_iter().filter_map(|free| least_squares(rows, free));
    let possible = solutions.filter(|[inverse, contention, coherency]| {
        *inverse > 0.0 && (0.0..=*inverse).contains(contention) && *coherency >= 0.0
    });
    let error = |solution: &[f64; 3]| rows.iter().map(|row| row.error(solution)).sum::<f64>();
    possible.min_by(|left, right| error(left).total_cmp(&error(right)))
}

/// Solves the normal equations for a sum of the directions in `free`.
fn least_squares(rows: &[Row], free: &[Direction]) -> Option<[f64; 3]> {
    let sum = |term: &dyn Fn(&Row) -> f64| rows.iter().map(|row| row.weight * term(row)).sum::<f64>();
    let mut matrix: Vec<Vec<f64>> = free
        .iter()
        .map(|i| {
            let products = free.iter().map(|j| sum(&|row| row.along(i) * row.along(j)));
            products.chain([sum(&|row| row.along(i) * row.value)]).collect()
        })
        .collect();
    eliminate(&mut matrix)?;
    let mut solution = [0.0; 3];
    for (direction, row) in free.iter().zip(&matrix) {
        let far = *row.last()?;
        solution.iter_mut().zip(direction).for_each(|(coefficient, part)| *coefficient += far * part);
    }
    Some(solution)
}

/// Gauss and Jordan with partial pivoting, in place; `None` if the matrix is singular.
fn eliminate(matrix: &mut [Vec<f64>]) -> Option<()> {
    for column in 0..matrix.len() {
        let pivot = (column..matrix.len())
            .max_by(|a, b| matrix[*a][column].abs().total_cmp(&matrix[*b][column].abs()))?;
        matrix.swap(column, pivot);
        let scale = matrix[column][column];
        if scale.abs() < f64::MIN_POSITIVE {
            return None;
        }
        matrix[column].iter_mut().for_each(|value| *value /= scale);
        let row = matrix[column].clone();
        for (_, other) in matrix.iter_mut().enumerate().filter(|(place, _)| *place != column) {
            let factor = other[column];
            other.iter_mut().zip(&row).for_each(|(value, one)| *value -= factor * one);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exact(lambda: f64, sigma: f64, kappa: f64) -> Scalability {
        Scalability { lambda, sigma, kappa, residuals: Vec::new() }
    }

    proptest! {
        #[test]
        fn the_law_is_recovered_from_its_own_figures(
            lambda in 1.0..1e5_f64, sigma in 0.0..0.9_f64, kappa in 0.0..0.05_f64
        ) {
            let law = exact(lambda, sigma, kappa);
            let points: Vec<(u32, f64)> = (1..=8).map(|p| (p, law.throughput(f64::from(p)))).collect();
            let found = Scalability::fit(&points).unwrap();
            prop_assert!((found.lambda() / lambda - 1.0).abs() < 1e-6, "{found}");
            prop_assert!((found.sigma() - sigma).abs() < 1e-6 && (found.kappa() - kappa).abs() < 1e-6, "{found}");
            prop_assert!(found.residuals().iter().all(|one| one.relative().abs() < 1e-6));
        }

        #[test]
        fn coefficients_are_never_beyond_their_bounds(rates in prop::collection::vec(1.0..1e4_f64, 4..9)) {
            let points: Vec<(u32, f64)> = (1..).zip(rates).collect();
            let found = Scalability::fit(&points).unwrap();
            prop_assert!(found.lambda() > 0.0 && found.kappa() >= 0.0, "{found}");
            prop_assert!((0.0..=1.0 + 1e-9).contains(&found.sigma()), "{found}");
        }
    }

    #[test]
    fn the_peak_is_where_one_more_replica_serves_less() {
        let law = exact(1_000.0, 0.02, 0.01);
        let peak = law.peak().unwrap();
        assert!((peak - 9.899).abs() < 1e-3);
        assert!(
            law.throughput(peak) > law.throughput(peak - 1.0)
                && law.throughput(peak) > law.throughput(peak + 1.0)
        );
    }

    #[test]
    fn replicas_that_only_lose_are_said_to_make_it_slower() {
        let law = Scalability::fit(&[(1, 41_164.0), (2, 35_561.0), (3, 31_324.0), (4, 28_389.0)]).unwrap();
        assert_eq!((law.sigma(), law.peak()), (1.0, Some(1.0)));
        assert!(law.residuals().iter().all(|one| one.relative().abs() < 0.02), "{law}");
        assert!(law.to_string().contains("each further replica makes it slower"), "{law}");
    }

    #[test]
    fn too_little_to_fit_is_refused() {
        let check = |points: &[(u32, f64)], reason: &str| {
            let error = Scalability::fit(points).unwrap_err();
            assert!(error.is_usage() && error.to_string().contains(reason), "{error}");
        };
        check(&[(1, 1.0), (2, 2.0), (3, 3.0), (3, 3.1)], "3 different numbers");
        check(&[(1, 1.0), (2, 2.0), (3, 0.0), (4, 3.1)], "0 requests/s with 3 replicas");
        check(&[(1, 1.0), (2, f64::NAN), (3, 1.0), (4, 3.1)], "NaN requests/s");
        check(&[(0, 1.0), (2, 1.0), (3, 1.0), (4, 3.1)], "with 0 replicas");
    }
}
