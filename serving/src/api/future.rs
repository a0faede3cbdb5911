//! The answer of the [`Api`](super::Api).

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::Body;
use http_body_util::Full;
use martello_model_core::Predictions;
use pin_project_lite::pin_project;
use tower::Service;

use super::predict_route::PredictRoute;
use crate::layers::{admission, read_body};
use crate::{BoxError, PredictRequest};

type PredictFuture<P, B> = admission::ResponseFuture<read_body::ResponseFuture<PredictRoute<P>, B>>;

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
        Predict { #[pin] future: F },
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

    pub(super) fn predict(future: PredictFuture<P, B>) -> Self {
        Self { state: State::Predict { future } }
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
            StateProjection::Predict { future } => future.poll(context),
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
