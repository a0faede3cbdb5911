//! The place of the model that is served, which changes while requests run.

mod served_model;

use std::sync::Arc;

use arc_swap::ArcSwapOption;

pub use self::served_model::ServedModel;

/// A handle to the place of a served model: empty until one is put in, then swapped atomically.
///
/// Clones are the same slot. A request takes the model once, reads its rows against that model's signature and asks that
/// model, so a swap never mixes two models in one answer, and the old one lives until its last request is done.
///
/// ```
/// use std::sync::Arc;
/// use martello_serving::{ServedModel, Slot};
/// # use martello_model_core::{Batch, Column, Error, Model, Predictions, Signature};
/// # #[derive(Debug)]
/// # struct Doubler(Arc<Signature>);
/// # impl Model for Doubler {
/// #     fn signature(&self) -> &Arc<Signature> { &self.0 }
/// #     fn predict(&self, batch: &Batch) -> Result<Predictions, Error> {
/// #         Ok(Predictions::Numbers(batch.numbers().iter().map(|x| 2.0 * x).collect()))
/// #     }
/// # }
/// # let signature = Arc::new(Signature::new(vec![Column::double("x")], vec![])?);
/// # let model = Arc::new(Doubler(signature));
///
/// let slot = Slot::empty();
/// assert!(slot.load().is_none());
/// slot.put(ServedModel::new("doubler", model).with_version(3));
/// assert_eq!(slot.load().unwrap().version(), Some(3));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Slot {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    served: ArcSwapOption<ServedModel>,
    refused: ArcSwapOption<RefusedModel>,
}

/// A version that was found and not put into service; the one before it, if any, stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedModel {
    /// What was to be loaded, for example `models:/linear_regression_model/4`.
    pub uri: String,
    /// Why it was refused, in words.
    pub reason: String,
}

impl Slot {
    /// Creates a slot without a model.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Creates a slot that holds a model.
    #[must_use]
    pub fn holding(model: ServedModel) -> Self {
        let slot = Self::empty();
        slot.put(model);
        slot
    }

    /// Returns the model in service.
    #[must_use]
    pub fn load(&self) -> Option<Arc<ServedModel>> {
        self.shared.served.load_full()
    }

    /// Returns true while no model is in service.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shared.served.load().is_none()
    }

    /// Puts a model into service and returns the one before; requests that run finish on the one they began with.
    pub fn put(&self, model: ServedModel) -> Option<Arc<ServedModel>> {
        let before = self.shared.served.swap(Some(Arc::new(model)));
        self.shared.refused.store(None);
        before
    }

    /// Takes the model out of service: requests are answered 503 from now on.
    pub fn take(&self) -> Option<Arc<ServedModel>> {
        self.shared.served.swap(None)
    }

    /// Notes that a version was refused, for `/health` to tell; a model that is put in clears the note.
    pub fn note_refused(&self, refused: RefusedModel) {
        self.shared.refused.store(Some(Arc::new(refused)));
    }

    /// Returns the version that was refused since the last model was put in.
    #[must_use]
    pub fn refused(&self) -> Option<Arc<RefusedModel>> {
        self.shared.refused.load_full()
    }
}
