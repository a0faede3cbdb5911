//! The answer of [`Predict`](super::Predict), usually there at once.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use martello_model_core::Predictions;
use tokio::task::JoinHandle;

use super::{PredictRequest, ask};
use crate::{Error, ErrorKind};

/// The predictions of one batch, computed already or on a blocking thread.
pub struct PredictFuture {
    state: State,
}

enum State {
    Ready(Option<Result<Predictions, Error>>),
    Blocking(JoinHandle<Result<Predictions, Error>>),
}

impl PredictFuture {
    pub(super) fn ready(answer: Result<Predictions, Error>) -> Self {
        Self { state: State::Ready(Some(answer)) }
    }

    pub(super) fn blocking(request: PredictRequest) -> Self {
        let work = move || ask(request.served.model().as_ref(), &request.batch);
        Self { state: State::Blocking(tokio::task::spawn_blocking(work)) }
    }
}

impl Future for PredictFuture {
    type Output = Result<Predictions, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.state {
            State::Ready(answer) => {
                Poll::Ready(answer.take().expect("a future is not polled after it is done"))
            }
            State::Blocking(task) => Poll::Ready(match ready!(Pin::new(task).poll(context)) {
                Ok(answer) => answer,
                Err(error) => {
                    Err(Error::new(ErrorKind::Prediction, "the prediction was cancelled").with_source(error))
                }
            }),
        }
    }
}

/// Rows that still wait for a thread are given up with the future; those that have one cannot be.
impl Drop for PredictFuture {
    fn drop(&mut self) {
        if let State::Blocking(task) = &self.state {
            task.abort();
        }
    }
}

impl fmt::Debug for PredictFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if matches!(self.state, State::Ready(_)) { "ready" } else { "blocking" };
        f.debug_struct("PredictFuture").field("state", &state).finish()
    }
}
