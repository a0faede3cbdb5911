//! The columns of a data set: features and the target.

use std::sync::Arc;

use crate::error::Error;

/// A named column of features.
#[derive(Debug, Clone)]
pub struct Feature {
    name: String,
    values: Values,
    /// Survives a selection of rows without missing cells: a part of a data set has the columns of the whole.
    optional: bool,
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

// ===== impl Feature =====

impl Feature {
    /// Names numbers; NaN is a missing cell.
    pub fn numbers(name: impl Into<String>, values: Vec<f64>) -> Self {
        let optional = values.iter().any(|number| number.is_nan());
        Self { name: name.into(), values: Values::Numbers(values), optional }
    }

    /// Names texts; `None` is a missing cell.
    pub fn texts(name: impl Into<String>, values: Vec<Option<Arc<str>>>) -> Self {
        let optional = values.iter().any(Option::is_none);
        Self { name: name.into(), values: Values::Texts(values), optional }
    }

    /// Lets the model take missing cells, although none is missing here.
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the cells.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// Returns whether a cell may be missing: one is, here or in the data set that these rows were selected from, or it was
    /// [declared](Self::optional).
    pub fn is_optional(&self) -> bool {
        self.optional
    }

    pub(super) fn select(&self, rows: &[usize]) -> Self {
        Self { name: self.name.clone(), values: self.values.select(rows), optional: self.optional }
    }

    pub(super) fn check(&self, rows: usize) -> Result<(), Error> {
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

    pub(super) fn select(&self, rows: &[usize]) -> Self {
        Self { name: self.name.clone(), values: self.values.select(rows) }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let TargetValues::Numbers(numbers) = &self.values else { return Ok(()) };
        match numbers.iter().position(|number| !number.is_finite()) {
            Some(row) => Err(Error::data(format!("target `{}`, row {row}: missing or infinite", self.name))),
            None => Ok(()),
        }
    }
}

impl TargetValues {
    pub(super) fn len(&self) -> usize {
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
