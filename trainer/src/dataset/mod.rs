//! Rows to learn from: named columns with missing cells, and a target without.

mod column;
mod csv;
mod penguins;
mod synthetic;

use std::collections::HashSet;

pub use self::column::{Feature, Target, TargetValues, Values};
pub use self::csv::{CsvLimits, CsvOptions};
pub use self::synthetic::{MakeRegression, Synthetic};

use crate::error::Error;

/// Named columns of equal length and the target that a model learns to predict from them.
///
/// Every constructor checks the same promises: at least one column and one row, column names that are neither empty nor
/// used twice, equal lengths, no infinite number, no missing target.
///
/// ```
/// use martello_trainer::{CsvOptions, Dataset, Values};
///
/// let csv = "rooms,district,price\n3,old town,310\nNA,harbour,275\n";
/// let houses = Dataset::from_csv(csv.as_bytes(), &CsvOptions::new("price"))?;
/// assert_eq!(houses.rows(), 2);
/// assert!(matches!(houses.features()[0].values(), Values::Numbers(rooms) if rooms[1].is_nan()));
/// # Ok::<(), martello_trainer::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Dataset {
    features: Vec<Feature>,
    target: Target,
    rows: usize,
}

impl Dataset {
    /// Puts columns and a target together.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`](crate::ErrorKind::InvalidData) if one of the promises above is broken.
    pub fn new(features: Vec<Feature>, target: Target) -> Result<Self, Error> {
        let rows = target.values().len();
        if rows == 0 {
            return Err(Error::data("the data have no rows"));
        }
        if features.is_empty() {
            return Err(Error::data(format!("there is no column beside the target `{}`", target.name())));
        }
        check_names(&features, &target)?;
        features.iter().try_for_each(|feature| feature.check(rows))?;
        target.check()?;
        Ok(Self { features, target, rows })
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns the feature columns in their order.
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// Returns the target.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Returns the given rows in the given order.
    ///
    /// # Panics
    /// If a row is out of range.
    pub fn select(&self, rows: &[usize]) -> Self {
        let features = self.features.iter().map(|column| column.select(rows)).collect();
        Self { features, target: self.target.select(rows), rows: rows.len() }
    }

    /// Leaves a feature column out.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`](crate::ErrorKind::InvalidData) if there is no such column, or no other.
    pub fn without(mut self, name: &str) -> Result<Self, Error> {
        let position = self.features.iter().position(|column| column.name() == name);
        let Some(position) = position else {
            return Err(Error::data(format!("there is no column `{name}` to leave out")));
        };
        self.features.remove(position);
        Self::new(self.features, self.target)
    }
}

fn check_names(features: &[Feature], target: &Target) -> Result<(), Error> {
    let mut seen = HashSet::new();
    for name in features.iter().map(Feature::name).chain([target.name()]) {
        if name.is_empty() {
            return Err(Error::data("a column has no name"));
        }
        if !seen.insert(name) {
            return Err(Error::data(format!("two columns are called `{name}`")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn check(features: Vec<Feature>, target: Target, expected: &str) {
        let error = Dataset::new(features, target).unwrap_err();
        assert!(error.to_string().contains(expected), "{error} should contain {expected}");
    }

    fn target() -> Target {
        Target::numbers("y", vec![1.0, 2.0])
    }

    #[test]
    fn broken_promises_are_named() {
        let x = || Feature::numbers("x", vec![1.0, f64::NAN]);
        check(vec![], target(), "no column beside the target `y`");
        check(vec![x()], Target::numbers("y", vec![]), "no rows");
        check(vec![x(), x()], target(), "two columns are called `x`");
        check(vec![Feature::numbers("y", vec![1.0, 2.0])], target(), "two columns are called `y`");
        check(vec![Feature::numbers("", vec![1.0, 2.0])], target(), "no name");
        check(vec![Feature::numbers("x", vec![1.0])], target(), "column `x` has 1 cells, the target 2");
        check(vec![Feature::numbers("x", vec![1.0, f64::INFINITY])], target(), "column `x`, row 1");
        check(vec![x()], Target::numbers("y", vec![1.0, f64::NAN]), "target `y`, row 1");
    }

    #[test]
    fn select_takes_rows_in_the_order_asked_for() {
        let labels = ["a", "b", "c"].map(Arc::from).to_vec();
        let data =
            Dataset::new(vec![Feature::numbers("x", vec![1.0, 2.0, 3.0])], Target::labels("y", labels))
                .unwrap();
        let picked = data.select(&[2, 0]);
        assert_eq!(picked.rows(), 2);
        assert!(matches!(picked.features()[0].values(), Values::Numbers(x) if x == &[3.0, 1.0]));
        assert!(matches!(picked.target().values(), TargetValues::Labels(y) if &*y[0] == "c"));
    }

    #[test]
    fn without_refuses_unknown_and_last_columns() {
        let data = Dataset::new(vec![Feature::numbers("x", vec![1.0, 2.0])], target()).unwrap();
        assert!(data.clone().without("z").is_err());
        assert!(data.without("x").is_err());
    }
}
