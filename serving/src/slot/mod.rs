//! The place of the model that is served, which changes while requests run.

mod served_model;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};

pub use self::served_model::ServedModel;
use crate::metrics::ModelFigures;

/// Versions of a slot whose figures are kept. 16: whoever scrapes has seen the last figures of a version long before so many
/// others have followed it, and a label is never one of too many.
const VERSIONS_COUNTED: usize = 16;

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
    // Taken by whoever changes `served`; requests only read that.
    shelf: Mutex<Shelf>,
    // What each version did, the latest last; changed under the lock of `shelf`.
    figures: ArcSwap<Vec<Arc<ModelFigures>>>,
    swaps: AtomicU64,
    refusals: AtomicU64,
    refused: ArcSwapOption<RefusedModel>,
}

/// Where models go while the slot is unloaded.
#[derive(Debug, Default)]
enum Shelf {
    /// The slot is in use.
    #[default]
    Closed,
    /// The slot is unloaded; this is what it will serve again.
    Open(Option<Arc<ServedModel>>),
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
        let mut shelf = self.shelf();
        *shelf = Shelf::Closed;
        let before = self.shared.served.swap(Some(self.counted(model)));
        self.shared.swaps.fetch_add(1, Ordering::Relaxed);
        self.shared.refused.store(None);
        before
    }

    /// Puts a model into service unless the slot is unloaded: then it is what [`reload`](Self::reload) will put back.
    pub fn offer(&self, model: ServedModel) {
        let mut shelf = self.shelf();
        let model = Some(self.counted(model));
        match &mut *shelf {
            Shelf::Closed => {
                self.shared.served.store(model);
                self.shared.swaps.fetch_add(1, Ordering::Relaxed);
            }
            Shelf::Open(kept) => *kept = model,
        }
        self.shared.refused.store(None);
    }

    /// As [`offer`](Self::offer), but only to a slot that has no model, in service or waiting; true if it was taken. What was
    /// [noted as refused](Self::note_refused) stays noted.
    pub fn offer_to_empty(&self, model: ServedModel) -> bool {
        let mut shelf = self.shelf();
        match &mut *shelf {
            Shelf::Closed if self.is_empty() => {
                self.shared.served.store(Some(self.counted(model)));
                self.shared.swaps.fetch_add(1, Ordering::Relaxed);
            }
            Shelf::Open(kept @ None) => *kept = Some(self.counted(model)),
            _ => return false,
        }
        true
    }

    /// Takes the model out of service until [`reload`](Self::reload); it is kept at hand, and a version that is offered
    /// meanwhile takes its place there.
    pub fn unload(&self) {
        let mut shelf = self.shelf();
        if matches!(*shelf, Shelf::Closed) {
            *shelf = Shelf::Open(self.shared.served.swap(None));
        }
    }

    /// Puts the model back that was unloaded; false if there is none to serve.
    pub fn reload(&self) -> bool {
        let mut shelf = self.shelf();
        if let Shelf::Open(kept) = std::mem::take(&mut *shelf) {
            self.shared.served.store(kept);
        }
        !self.is_empty()
    }

    /// Returns true between [`unload`](Self::unload) and [`reload`](Self::reload).
    #[must_use]
    pub fn is_unloaded(&self) -> bool {
        matches!(*self.shelf(), Shelf::Open(_))
    }

    /// Returns how often a model was put into service.
    pub(crate) fn swaps(&self) -> u64 {
        self.shared.swaps.load(Ordering::Relaxed)
    }

    /// Returns how often a version was refused.
    pub(crate) fn refusals(&self) -> u64 {
        self.shared.refusals.load(Ordering::Relaxed)
    }

    /// Returns the name of the model on the shelf.
    pub(crate) fn unloaded_name(&self) -> Option<String> {
        match &*self.shelf() {
            Shelf::Open(Some(kept)) => Some(kept.name().to_owned()),
            _ => None,
        }
    }

    pub(crate) fn is_unloaded_as(&self, name: &str) -> bool {
        self.unloaded_name().is_some_and(|own| own == name)
    }

    /// Returns the figures of every version that has lately been in service.
    pub(crate) fn figures(&self) -> Vec<Arc<ModelFigures>> {
        self.shared.figures.load().to_vec()
    }

    /// Gives a model its figures; the caller holds the lock of the shelf.
    fn counted(&self, mut model: ServedModel) -> Arc<ServedModel> {
        let mut figures = self.figures();
        model.count_on(&mut figures);
        let most = figures.len().saturating_sub(VERSIONS_COUNTED);
        figures.drain(..most);
        self.shared.figures.store(Arc::new(figures));
        Arc::new(model)
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // Nothing in a critical section can panic half-way.
        self.shared.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the model out of service: requests are answered 503 from now on.
    pub fn take(&self) -> Option<Arc<ServedModel>> {
        self.shared.served.swap(None)
    }

    /// Notes that a version was refused, for `/health` to tell; a model that is put in clears the note.
    pub fn note_refused(&self, refused: RefusedModel) {
        self.shared.refused.store(Some(Arc::new(refused)));
        self.shared.refusals.fetch_add(1, Ordering::Relaxed);
    }

    /// Forgets the version that was refused: what should be served is served.
    pub fn clear_refused(&self) {
        self.shared.refused.store(None);
    }

    /// Returns the version that was refused since the last model was put in.
    #[must_use]
    pub fn refused(&self) -> Option<Arc<RefusedModel>> {
        self.shared.refused.load_full()
    }
}
