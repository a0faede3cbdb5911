//! The labels of a classifier.

use std::collections::HashSet;
use std::sync::Arc;

use crate::{Error, ErrorKind};

/// The labels that a classifier answers with: text or whole numbers, in the order of its scores.
///
/// ```
/// use martello_model_core::engine::Classes;
///
/// let species = Classes::from(vec!["Adelie", "Chinstrap", "Gentoo"]);
/// assert_eq!(species.len(), 3);
/// assert_eq!(&*Classes::from(vec![0_i64, 1]).names()[1], "1");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Classes {
    /// Text labels.
    Text(Arc<[Arc<str>]>),
    /// Whole numbers.
    Integers(Arc<[i64]>),
}

impl Classes {
    /// Returns the number of classes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Text(labels) => labels.len(),
            Self::Integers(labels) => labels.len(),
        }
    }

    /// Returns true if there are no classes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the labels as text; numbers in decimal.
    #[must_use]
    pub fn names(&self) -> Arc<[Arc<str>]> {
        match self {
            Self::Text(labels) => Arc::clone(labels),
            Self::Integers(labels) => labels.iter().map(|label| Arc::from(label.to_string())).collect(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let distinct: HashSet<Arc<str>> = self.names().iter().cloned().collect();
        match self.len() {
            0 | 1 => Err(Error::new(ErrorKind::InvalidModel, "a classifier needs at least two classes")),
            classes if distinct.len() < classes => {
                Err(Error::new(ErrorKind::InvalidModel, "a class of the classifier occurs twice"))
            }
            _ => Ok(()),
        }
    }
}

impl From<Vec<Arc<str>>> for Classes {
    fn from(labels: Vec<Arc<str>>) -> Self {
        Self::Text(labels.into())
    }
}

impl From<Vec<String>> for Classes {
    fn from(labels: Vec<String>) -> Self {
        Self::Text(labels.into_iter().map(Arc::from).collect())
    }
}

impl From<Vec<&str>> for Classes {
    fn from(labels: Vec<&str>) -> Self {
        Self::Text(labels.into_iter().map(Arc::from).collect())
    }
}

impl From<Vec<i64>> for Classes {
    fn from(labels: Vec<i64>) -> Self {
        Self::Integers(labels.into())
    }
}
