//! Which classes a classifier takes for which.

use std::fmt;

use super::check_lengths;
use crate::{Error, ErrorKind};

/// How often each actual class (row) was predicted as each class (column).
///
/// ```
/// use martello_model_core::metrics::ConfusionMatrix;
///
/// let matrix = ConfusionMatrix::new(&["cat", "dog"], &["cat", "dog", "dog"], &["cat", "cat", "dog"])?;
/// assert_eq!(matrix.count(1, 0), 1);
/// assert_eq!(matrix.recall(1), Some(0.5));
/// assert_eq!(matrix.precision(1), Some(1.0));
/// # Ok::<(), martello_model_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfusionMatrix {
    classes: Box<[Box<str>]>,
    // Actual × predicted, row by row.
    counts: Box<[u64]>,
}

impl ConfusionMatrix {
    /// Counts the pairs of actual and predicted labels.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for slices of different lengths, empty ones, or a label that is none of the classes.
    pub fn new<C: AsRef<str>, A: AsRef<str>, P: AsRef<str>>(
        classes: &[C],
        actual: &[A],
        predicted: &[P],
    ) -> Result<Self, Error> {
        check_lengths(actual.len(), predicted.len())?;
        let classes: Box<[Box<str>]> = classes.iter().map(|class| class.as_ref().into()).collect();
        let mut counts = vec![0; classes.len() * classes.len()];
        for (actual, predicted) in actual.iter().zip(predicted) {
            let (row, column) =
                (position(&classes, actual.as_ref())?, position(&classes, predicted.as_ref())?);
            counts[row * classes.len() + column] += 1;
        }
        Ok(Self { classes, counts: counts.into() })
    }

    /// Returns the classes in the order of rows and columns.
    #[must_use]
    pub fn classes(&self) -> &[Box<str>] {
        &self.classes
    }

    /// Returns how many rows of one class were predicted as another; both by their positions.
    ///
    /// # Panics
    /// If there is no such class, as indexing does.
    #[must_use]
    pub fn count(&self, actual: usize, predicted: usize) -> u64 {
        assert!(predicted < self.classes.len(), "class {predicted} of {}", self.classes.len());
        self.counts[actual * self.classes.len() + predicted]
    }

    /// Returns the share of the rows of a class that was found, or nothing if there were none.
    #[must_use]
    pub fn recall(&self, class: usize) -> Option<f64> {
        let actual: u64 = (0..self.classes.len()).map(|predicted| self.count(class, predicted)).sum();
        share(self.count(class, class), actual)
    }

    /// Returns the share of the predictions of a class that was right, or nothing if there were none.
    #[must_use]
    pub fn precision(&self, class: usize) -> Option<f64> {
        let predicted: u64 = (0..self.classes.len()).map(|actual| self.count(actual, class)).sum();
        share(self.count(class, class), predicted)
    }
}

/// Shows a table: one line per actual class.
impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.classes.iter().map(|class| class.chars().count());
        let width =
            names.chain(self.counts.iter().map(|count| count.to_string().len())).max().unwrap_or(0).max(8);
        write!(f, "{:width$}", "")?;
        self.classes.iter().try_for_each(|class| write!(f, " {class:>width$}"))?;
        for (actual, class) in self.classes.iter().enumerate() {
            write!(f, "\n{class:width$}")?;
            (0..self.classes.len())
                .try_for_each(|predicted| write!(f, " {:>width$}", self.count(actual, predicted)))?;
        }
        Ok(())
    }
}

fn position(classes: &[Box<str>], label: &str) -> Result<usize, Error> {
    let unknown =
        || Error::new(ErrorKind::InvalidArgument, format!("the label {label:?} is none of the classes"));
    classes.iter().position(|class| **class == *label).ok_or_else(unknown)
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn animals() -> ConfusionMatrix {
        let actual = ["cat", "ant", "cat", "cat", "ant", "bird"];
        let predicted = ["ant", "ant", "cat", "cat", "ant", "cat"];
        ConfusionMatrix::new(&["ant", "bird", "cat"], &actual, &predicted).unwrap()
    }

    #[test]
    fn the_worked_example_of_scikit_learn_holds() {
        let matrix = animals();
        assert_eq!(*matrix.counts, [2, 0, 0, 0, 0, 1, 1, 0, 2]);
        assert_eq!(matrix.recall(2), Some(2.0 / 3.0));
        assert_eq!(matrix.precision(2), Some(2.0 / 3.0));
        assert_eq!(matrix.recall(1), Some(0.0));
        assert_eq!(matrix.precision(1), None);
    }

    #[test]
    fn it_reads_as_a_table() {
        let lines = ["              ant     bird      cat", "ant             2        0        0"];
        let shown = animals().to_string();
        assert_eq!(shown.lines().take(2).collect::<Vec<_>>(), lines);
        assert_eq!(shown.lines().count(), 4);
    }

    #[test]
    fn a_label_that_is_no_class_is_refused() {
        let error = ConfusionMatrix::new(&["ant"], &["ant"], &["bee"]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains("\"bee\""));
    }
}
