//! The answer of the [`Api`](super::Api).

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http::Response;
use http_body::Body;
use http_body_util::Full;
use martello_model_core::Predictions;
use pin_project_lite::pin_project;
use tower::Service;

use super::ask::Ask;
use super::translate::translate;
use crate::dialect::Dialect;
use crate::layers::{admission, deadline, read_body};
use crate::{BoxError, NOT_PROCESSED, PredictRequest, ServedModel};

type PredictFuture<P, B> =
    deadline::ResponseFuture<admission::ResponseFuture<read_body::ResponseFuture<Ask<P>, B>>>;

pin_project! {
    /// An answer that is there, or one that waits for the body and the model.
    pub struct ApiFuture<P, B>
    where
        P: Service<PredictRequest, Response = Predictions>,
        P: Clone,
        P::Error: Into<BoxError>,
    {
        #[pin]
        state: State<PredictFuture<P, B>>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F> {
        Immediate { answer: Option<Response<Full<Bytes>>> },
        Predict { #[pin] future: F, asked: Asked },
    }
}

/// A question under way: it counts for the model that was in service when its head came.
#[derive(Debug)]
pub(super) struct Asked {
    served: Arc<ServedModel>,
    dialect: Dialect,
    begun: Instant,
}

impl Asked {
    pub(super) fn new(served: Arc<ServedModel>, dialect: Dialect) -> Self {
        served.figures().asked();
        Self { served, dialect, begun: Instant::now() }
    }

    fn answered(&self, answer: &Response<Full<Bytes>>) {
        let figures = self.served.figures();
        figures.answered(self.dialect, answer.status(), self.begun.elapsed());
        if answer.headers().get(NOT_PROCESSED).is_some_and(|reason| reason == "shed") {
            figures.shed(self.dialect);
        }
    }
}

/// Also when nobody waits for the answer any more.
impl Drop for Asked {
    fn drop(&mut self) {
        self.served.figures().done();
    }
}

impl<P, B> ApiFuture<P, B>
where
    P: Service<PredictRequest, Response = Predictions> + Clone,
    P::Error: Into<BoxError>,
{
    pub(super) fn immediate(answer: Response<Full<Bytes>>) -> Self {
        Self { state: State::Immediate { answer: Some(answer) } }
    }

    pub(super) fn predict(future: PredictFuture<P, B>, asked: Asked) -> Self {
        Self { state: State::Predict { future, asked } }
    }
}

impl<P, B> Future for ApiFuture<P, B>
where
    P: Service<PredictRequest, Response = Predictions> + Clone,
    P::Error: Into<BoxError>,
    B: Body<Data = Bytes>,
{
    type Output = Result<Response<Full<Bytes>>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Immediate { answer } => {
                Poll::Ready(Ok(answer.take().expect("a future is not polled after it is done")))
            }
            StateProjection::Predict { future, asked } => {
                let Ok(answer) = ready!(future.poll(context));
                asked.answered(&answer);
                Poll::Ready(Ok(translate(asked.dialect, answer)))
            }
        }
    }
}

impl<P, B> fmt::Debug for ApiFuture<P, B>
where
    P: Service<PredictRequest, Response = Predictions> + Clone,
    P::Error: Into<BoxError>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if matches!(self.state, State::Immediate { .. }) { "immediate" } else { "predict" };
        f.debug_struct("ApiFuture").field("state", &state).finish()
    }
}
