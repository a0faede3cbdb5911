//! Asking the model, with no HTTP in it: a tower service from a batch to its predictions.

mod ask;
mod future;

use std::sync::Arc;
use std::task::{Context, Poll};

use martello_model_core::{Batch, Predictions};
use tower::Service;

pub(crate) use self::ask::ask;
pub use self::future::PredictFuture;
use crate::{Error, ErrorKind, Limits, ServedModel, Slot};

/// The service that asks the model of a [`Slot`].
///
/// It takes a [`Batch`], or a [`PredictRequest`] that says which model the rows were read for. A model that panics gives
/// [`ErrorKind::Panicked`], and the process lives on.
///
/// ```
/// use std::sync::Arc;
/// use martello_model_core::Batch;
/// use martello_serving::{Limits, Predict, ServedModel, Slot};
/// use tower::ServiceExt as _;
/// # use martello_model_core::{Column, Error, Model, Predictions, Signature};
/// # #[derive(Debug)]
/// # struct Doubler(Arc<Signature>);
/// # impl Model for Doubler {
/// #     fn signature(&self) -> &Arc<Signature> { &self.0 }
/// #     fn predict(&self, batch: &Batch) -> Result<Predictions, Error> {
/// #         Ok(Predictions::Numbers(batch.numbers().iter().map(|x| 2.0 * x).collect()))
/// #     }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// # let signature = Arc::new(Signature::new(vec![Column::double("x")], vec![])?);
/// # let doubler = Arc::new(Doubler(Arc::clone(&signature)));
///
/// let predict = Predict::new(Slot::holding(ServedModel::new("doubler", doubler)), &Limits::default());
/// let predictions = predict.oneshot(Batch::from_numbers(&signature, vec![21.0])?).await?;
/// assert_eq!(predictions, Predictions::Numbers(vec![42.0]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Predict {
    slot: Slot,
    inline_rows: usize,
}

/// Rows together with the model that they were read for, so that a swap in between changes nothing.
#[derive(Debug, Clone)]
pub struct PredictRequest {
    /// The model to ask.
    pub served: Arc<ServedModel>,
    /// Rows checked against its signature.
    pub batch: Batch,
}

impl Predict {
    /// Creates the service over a slot; batches of more than [`Limits::inline_rows`] run on a blocking thread, which needs
    /// a tokio runtime.
    #[must_use]
    pub fn new(slot: Slot, limits: &Limits) -> Self {
        Self { slot, inline_rows: limits.inline_rows }
    }

    /// Returns the slot whose model is asked.
    #[must_use]
    pub fn slot(&self) -> &Slot {
        &self.slot
    }

    fn current(&self, batch: Batch) -> Result<PredictRequest, Error> {
        let served = self.slot.load().ok_or_else(|| Error::new(ErrorKind::NoModel, "no model is loaded"))?;
        if Arc::ptr_eq(served.signature(), batch.signature()) || served.signature() == batch.signature() {
            Ok(PredictRequest { served, batch })
        } else {
            Err(Error::new(ErrorKind::SignatureChanged, "the rows were read for a model with other columns"))
        }
    }
}

impl Service<PredictRequest> for Predict {
    type Response = Predictions;
    type Error = Error;
    type Future = PredictFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: PredictRequest) -> PredictFuture {
        if request.batch.rows() > self.inline_rows {
            PredictFuture::blocking(request)
        } else {
            PredictFuture::ready(ask(request.served.model().as_ref(), &request.batch))
        }
    }
}

impl Service<Batch> for Predict {
    type Response = Predictions;
    type Error = Error;
    type Future = PredictFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, batch: Batch) -> PredictFuture {
        match self.current(batch) {
            Ok(request) => self.call(request),
            Err(error) => PredictFuture::ready(Err(error)),
        }
    }
}
