//! The answer of [`Predict`](super::Predict), usually there at once.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use martello_model_core::Predictions;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;

use super::PredictRequest;
use super::batch_work::{GivenUp, work};
use super::workers::{Place, Workers};
use crate::{Error, ErrorKind};

/// The predictions of one batch: computed already, or waited for at the [`Workers`](super::Workers).
///
/// Dropping it gives the batch up: rows that wait for a worker are never asked about, and a worker stops after the part of
/// the batch at which it is.
pub struct PredictFuture {
    state: State,
}

enum State {
    Ready(Option<Result<Predictions, Error>>),
    Working(Box<Working>),
}

/// A batch at the workers.
struct Working {
    stage: Stage,
    given_up: GivenUp,
    _place: Place,
}

enum Stage {
    Waiting(Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send>>, Option<PredictRequest>),
    Asking(JoinHandle<Result<Predictions, Error>>),
}

impl PredictFuture {
    pub(super) fn ready(answer: Result<Predictions, Error>) -> Self {
        Self { state: State::Ready(Some(answer)) }
    }

    pub(super) fn at(workers: &Workers, request: PredictRequest) -> Self {
        let place = workers.enter(request.served.cost().of(request.batch.rows()));
        let stage = Stage::Waiting(Box::pin(workers.clone().free()), Some(request));
        Self {
            state: State::Working(Box::new(Working { stage, given_up: GivenUp::default(), _place: place })),
        }
    }
}

impl Working {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Predictions, Error>> {
        loop {
            let (permit, request) = match &mut self.stage {
                Stage::Asking(task) => {
                    return Pin::new(task).poll(context).map(|done| {
                        done.unwrap_or_else(|error| {
                            let message = "the prediction was cancelled";
                            Err(Error::new(ErrorKind::Prediction, message).with_source(error))
                        })
                    });
                }
                Stage::Waiting(free, request) => (ready!(free.as_mut().poll(context)), request.take()),
            };
            let request = request.expect("a worker is free once");
            let given_up = self.given_up.clone();
            self.stage = Stage::Asking(tokio::task::spawn_blocking(move || {
                let answer = work(&request, &given_up);
                drop(permit);
                answer
            }));
        }
    }
}

impl Future for PredictFuture {
    type Output = Result<Predictions, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.state {
            State::Ready(answer) => {
                Poll::Ready(answer.take().expect("a future is not polled after it is done"))
            }
            State::Working(working) => working.poll(context),
        }
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.given_up.say();
        if let Stage::Asking(task) = &self.stage {
            task.abort();
        }
    }
}

impl fmt::Debug for PredictFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if matches!(self.state, State::Ready(_)) { "ready" } else { "working" };
        f.debug_struct("PredictFuture").field("state", &state).finish()
    }
}
