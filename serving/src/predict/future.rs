//! The answer of [`Predict`](super::Predict), usually there at once.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use martello_model_core::Predictions;
use tokio::sync::oneshot;

use super::PredictRequest;
use super::batch_work::{GivenUp, work};
use super::queue::Ticket;
use super::workers::Workers;
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
    answer: oneshot::Receiver<Result<Predictions, Error>>,
    given_up: GivenUp,
    workers: Workers,
    ticket: Ticket,
}

impl PredictFuture {
    pub(super) fn ready(answer: Result<Predictions, Error>) -> Self {
        Self { state: State::Ready(Some(answer)) }
    }

    pub(super) fn at(workers: &Workers, request: PredictRequest) -> Self {
        let (done, answer) = oneshot::channel();
        let given_up = GivenUp::default();
        let place = workers.enter(request.served.cost().of(request.batch.rows()));
        let said = given_up.clone();
        let ticket = workers.add(Box::new(move || {
            let answer = work(&request, &said);
            // Before the answer, so that whoever comes with it to the event loop waits for nothing that is done.
            drop(place);
            // Nobody hears it when it was given up.
            let _ = done.send(answer);
        }));
        let working = Working { answer, given_up, workers: workers.clone(), ticket };
        Self { state: State::Working(Box::new(working)) }
    }
}

impl Working {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Predictions, Error>> {
        Pin::new(&mut self.answer).poll(context).map(|answer| {
            answer.unwrap_or_else(|_| {
                Err(Error::new(ErrorKind::Prediction, "the prediction ended without an answer"))
            })
        })
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
        self.workers.remove(self.ticket);
    }
}

impl fmt::Debug for PredictFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if matches!(self.state, State::Ready(_)) { "ready" } else { "working" };
        f.debug_struct("PredictFuture").field("state", &state).finish()
    }
}
