//! The models of one replica, and how a request says which one it means.

mod listed;
mod wanted;

use std::sync::Arc;

pub use self::listed::ListedModel;
pub(crate) use self::wanted::{Absent, Pick, Wanted};
use crate::{ServedModel, Slot};

/// The models that one replica serves: at least one, the first of which answers where a path names none.
///
/// Clones are the same list. A slot by itself is a list of one.
///
/// ```
/// use martello_serving::{ListedModel, Models, Slot};
///
/// let models = Models::new(ListedModel::new(Slot::empty()).named("prices"))
///     .and(ListedModel::new(Slot::empty()).named("species").labelled("champion"));
/// assert_eq!(models.iter().count(), 2);
/// ```
#[derive(Debug, Clone)]
pub struct Models {
    // Never empty. Shared, since every request of every connection has the list.
    listed: Arc<[ListedModel]>,
}

impl Models {
    /// Lists the first model.
    #[must_use]
    pub fn new(first: ListedModel) -> Self {
        Self { listed: [first].into() }
    }

    /// Lists a further model. Several versions may have one name; the first of them answers where no version is asked for.
    #[must_use]
    pub fn and(self, further: ListedModel) -> Self {
        let listed = self.listed.iter().cloned().chain([further]).collect();
        Self { listed }
    }

    /// Walks the models in the order in which they were listed.
    pub fn iter(&self) -> impl Iterator<Item = &ListedModel> + Clone {
        self.listed.iter()
    }

    /// Returns the slot of the model that answers where a path names none.
    #[must_use]
    pub fn first(&self) -> &Slot {
        &self.listed[0].slot
    }

    /// Returns true if every model that is meant to be served is, and there is one.
    #[must_use]
    pub fn are_ready(&self) -> bool {
        let ready = |listed: &ListedModel| !listed.slot.is_empty() || listed.slot.is_unloaded();
        self.iter().all(ready) && self.iter().any(|listed| !listed.slot.is_empty())
    }

    /// Returns the model that a request means, as it is at this moment.
    pub(crate) fn find(&self, wanted: &Wanted<'_>) -> Result<Arc<ServedModel>, Absent> {
        let Some(name) = wanted.name.as_deref() else {
            return self.first().load().ok_or(Absent::NotLoaded);
        };
        let mut absent = Absent::Unknown;
        for listed in self.iter().filter(|listed| listed.is_called(name)) {
            match listed.slot.load() {
                Some(served) if wanted.pick.fits(listed, &served) => return Ok(served),
                Some(_) if absent == Absent::Unknown => absent = Absent::OtherVersion,
                Some(_) => {}
                None => absent = Absent::NotLoaded,
            }
        }
        Err(absent)
    }
}

impl From<Slot> for Models {
    fn from(slot: Slot) -> Self {
        Self::new(ListedModel::new(slot))
    }
}
