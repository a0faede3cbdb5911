//! Asking the model, with no HTTP in it: a tower service from a batch to its predictions.

mod ask;
mod batch_work;
mod cost;
mod future;
mod queue;
mod workers;

use std::num::NonZero;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use martello_model_core::{Batch, Predictions};
use tower::Service;

pub(crate) use self::ask::ask;
pub(crate) use self::cost::Cost;
pub use self::future::PredictFuture;
pub use self::workers::Workers;
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
    inline_time: Duration,
    workers: Workers,
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
    /// Creates the service over a slot; batches of more than [`Limits::inline_rows`], or that are expected to take longer
    /// than [`Limits::inline_time`], go to [`Workers`], which need a tokio runtime.
    #[must_use]
    pub fn new(slot: Slot, limits: &Limits) -> Self {
        let workers = Workers::new(NonZero::new(limits.workers).unwrap_or(NonZero::<usize>::MIN));
        Self { slot, inline_rows: limits.inline_rows, inline_time: limits.inline_time, workers }
    }

    /// Returns the workers, for whoever wants to know what waits for them.
    #[must_use]
    pub fn workers(&self) -> &Workers {
        &self.workers
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
        let (rows, cost) = (request.batch.rows(), request.served.cost());
        if rows > self.inline_rows || cost.of(rows) > self.inline_time {
            return PredictFuture::at(&self.workers, request);
        }
        let begun = cost.is_due().then(Instant::now);
        let answer = ask(request.served.model().as_ref(), &request.batch);
        if let Some(begun) = begun {
            cost.learn(rows, begun.elapsed());
        }
        PredictFuture::ready(answer)
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
