//! A balance whose errors say what a client should be told.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::Service;

use super::timely::{Timely, TimelyFuture};
use crate::{Body, Error, ErrorKind, Fault, Stage, retry::is_of_a_failing_endpoint};

/// Turns a failure while no replica works into [`ErrorKind::NoEndpoint`]: that the last guess among
/// bad ones failed in this way or that is not what a client should act on.
///
/// An answer that says that the replica failed is a failure, too, once all of them are given up. Before that it stays what
/// it is: nobody else knows yet whether the replica or the request is at fault.
#[derive(Debug, Clone)]
pub(super) struct Explained {
    balance: Timely,
}

impl Explained {
    pub(super) fn new(balance: Timely) -> Self {
        Self { balance }
    }
}

impl Service<Request<Body>> for Explained {
    type Response = Response<Body>;
    type Error = Error;
    type Future = ExplainedFuture;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        ExplainedFuture { answer: self.balance.call(request) }
    }
}

pin_project! {
    pub(super) struct ExplainedFuture {
        #[pin]
        answer: TimelyFuture,
    }
}

impl Future for ExplainedFuture {
    type Output = Result<Response<Body>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut answer = self.project().answer;
        let result = ready!(answer.as_mut().poll(cx));
        let set = answer.as_ref().get_ref().answer().set();
        let error = match result {
            Ok(response) if is_of_a_failing_endpoint(&response) && set.is_given_up() => {
                let told = Error::new(
                    ErrorKind::NoEndpoint,
                    "no replica is healthy, and the one that was tried answered with an error of its own",
                );
                return Poll::Ready(Err(told.at(Stage::ResponseStarted)));
            }
            Ok(response) => return Poll::Ready(Ok(response)),
            Err(error) => error,
        };
        if error.fault() != Fault::Upstream || !set.view().is_outage() {
            return Poll::Ready(Err(error));
        }
        let stage = error.stage();
        let told =
            Error::new(ErrorKind::NoEndpoint, "no replica is healthy, and the one that was tried failed");
        Poll::Ready(Err(told.at(stage).because(error)))
    }
}

impl fmt::Debug for ExplainedFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExplainedFuture").finish_non_exhaustive()
    }
}
