//! The known values of a text column.

use std::sync::Arc;

use crate::{Error, ErrorKind};

/// The known values of a text column, in the order of their features.
///
/// ```
/// use martello_model_core::preprocessing::Categories;
///
/// let islands = Categories::new(["Biscoe", "Dream", "Torgersen"])?;
/// assert_eq!(islands.position("Dream"), Some(1));
/// assert_eq!(islands.position("Atlantis"), None);
/// # Ok::<(), martello_model_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Categories {
    values: Box<[Arc<str>]>,
    // Positions in `values`, sorted by value.
    sorted: Box<[usize]>,
}

impl Categories {
    /// Creates the categories; their order is the order of the features.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidModel`] if there are none, or one occurs twice.
    pub fn new<V: Into<Arc<str>>>(values: impl IntoIterator<Item = V>) -> Result<Self, Error> {
        let values: Box<[Arc<str>]> = values.into_iter().map(Into::into).collect();
        let mut sorted: Vec<usize> = (0..values.len()).collect();
        sorted.sort_unstable_by_key(|&position| &values[position]);
        if values.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidModel,
                "a one-hot encoded column needs at least one category",
            ));
        }
        if let Some(twin) = sorted.windows(2).find(|pair| values[pair[0]] == values[pair[1]]) {
            let message = format!("the category {:?} occurs twice", values[twin[0]]);
            return Err(Error::new(ErrorKind::InvalidModel, message));
        }
        Ok(Self { values, sorted: sorted.into() })
    }

    /// Returns the values in feature order.
    #[must_use]
    pub fn values(&self) -> &[Arc<str>] {
        &self.values
    }

    /// Returns which feature stands for a value, or nothing if it is unknown; compared byte by byte.
    #[must_use]
    pub fn position(&self, value: &str) -> Option<usize> {
        let found = self.sorted.binary_search_by(|&position| (*self.values[position]).cmp(value));
        found.ok().map(|index| self.sorted[index])
    }
}
