//! Rows to learn from: named columns with missing cells, and a target without.

mod csv;
mod penguins;
mod synthetic;

use std::collections::HashSet;
use std::sync::Arc;

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

/// A named column of features.
#[derive(Debug, Clone)]
pub struct Feature {
    name: String,
    values: Values,
}

/// The cells of a feature column.
#[derive(Debug, Clone)]
pub enum Values {
    /// Numbers; a missing cell is NaN.
    Numbers(Vec<f64>),
    /// Texts, one category per distinct text; a missing cell is `None`.
    Texts(Vec<Option<Arc<str>>>),
}

/// The named column that is predicted; it has no missing cells.
#[derive(Debug, Clone)]
pub struct Target {
    name: String,
    values: TargetValues,
}

/// The cells of a target, and with them the kind of the task.
#[derive(Debug, Clone)]
pub enum TargetValues {
    /// Finite numbers: a regression.
    Numbers(Vec<f64>),
    /// Class labels: a classification.
    Labels(Vec<Arc<str>>),
}

// ===== impl Dataset =====

impl Dataset {
    /// Puts columns and a target together.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`](crate::ErrorKind::InvalidData) if one of the promises above is broken.
    pub fn new(features: Vec<Feature>, target: Target) -> Result<Self, Error> {
        let rows = target.values.len();
        if rows == 0 {
            return Err(Error::data("the data have no rows"));
        }
        if features.is_empty() {
            return Err(Error::data(format!("there is no column beside the target `{}`", target.name)));
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
        let features = self
            .features
            .iter()
            .map(|column| Feature { name: column.name.clone(), values: column.values.select(rows) })
            .collect();
        let target = Target { name: self.target.name.clone(), values: self.target.values.select(rows) };
        Self { features, target, rows: rows.len() }
    }

    /// Leaves a feature column out.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`](crate::ErrorKind::InvalidData) if there is no such column, or no other.
    pub fn without(mut self, name: &str) -> Result<Self, Error> {
        let position = self.features.iter().position(|column| column.name == name);
        let Some(position) = position else {
            return Err(Error::data(format!("there is no column `{name}` to leave out")));
        };
        self.features.remove(position);
        Self::new(self.features, self.target)
    }
}

fn check_names(features: &[Feature], target: &Target) -> Result<(), Error> {
    let mut seen = HashSet::new();
    for name in features.iter().map(|feature| &feature.name).chain([&target.name]) {
        if name.is_empty() {
            return Err(Error::data("a column has no name"));
        }
        if !seen.insert(name) {
            return Err(Error::data(format!("two columns are called `{name}`")));
        }
    }
    Ok(())
}

// ===== impl Feature =====

impl Feature {
    /// Names numbers; NaN is a missing cell.
    pub fn numbers(name: impl Into<String>, values: Vec<f64>) -> Self {
        Self { name: name.into(), values: Values::Numbers(values) }
    }

    /// Names texts; `None` is a missing cell.
    pub fn texts(name: impl Into<String>, values: Vec<Option<Arc<str>>>) -> Self {
        Self { name: name.into(), values: Values::Texts(values) }
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the cells.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// Returns whether any cell is missing.
    pub fn has_missing_cells(&self) -> bool {
        match &self.values {
            Values::Numbers(numbers) => numbers.iter().any(|number| number.is_nan()),
            Values::Texts(texts) => texts.iter().any(Option::is_none),
        }
    }

    fn check(&self, rows: usize) -> Result<(), Error> {
        let (name, len) = (&self.name, self.values.len());
        if len != rows {
            return Err(Error::data(format!("column `{name}` has {len} cells, the target {rows}")));
        }
        match &self.values {
            Values::Numbers(numbers) => match numbers.iter().position(|number| number.is_infinite()) {
                Some(row) => Err(Error::data(format!("column `{name}`, row {row}: an infinite number"))),
                None => Ok(()),
            },
            Values::Texts(_) => Ok(()),
        }
    }
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Texts(texts) => texts.len(),
        }
    }

    fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Numbers(numbers) => Self::Numbers(rows.iter().map(|&row| numbers[row]).collect()),
            Self::Texts(texts) => Self::Texts(rows.iter().map(|&row| texts[row].clone()).collect()),
        }
    }
}

// ===== impl Target =====

impl Target {
    /// Names numbers to predict.
    pub fn numbers(name: impl Into<String>, values: Vec<f64>) -> Self {
        Self { name: name.into(), values: TargetValues::Numbers(values) }
    }

    /// Names class labels to predict.
    pub fn labels(name: impl Into<String>, values: Vec<Arc<str>>) -> Self {
        Self { name: name.into(), values: TargetValues::Labels(values) }
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the cells.
    pub fn values(&self) -> &TargetValues {
        &self.values
    }

    fn check(&self) -> Result<(), Error> {
        let TargetValues::Numbers(numbers) = &self.values else { return Ok(()) };
        match numbers.iter().position(|number| !number.is_finite()) {
            Some(row) => Err(Error::data(format!("target `{}`, row {row}: missing or infinite", self.name))),
            None => Ok(()),
        }
    }
}

impl TargetValues {
    fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Labels(labels) => labels.len(),
        }
    }

    fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Numbers(numbers) => Self::Numbers(rows.iter().map(|&row| numbers[row]).collect()),
            Self::Labels(labels) => Self::Labels(rows.iter().map(|&row| labels[row].clone()).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
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
