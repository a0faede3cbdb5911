//! A balance that is waited for no longer than the path of a request allows.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::Service;

use super::HttpBalance;
use crate::{Body, Error, ErrorKind, Stage, balance::FailureKind, h1::Alarm};

/// How long the answers to requests for certain paths may take to begin, all attempts together.
pub(super) type PathTimeouts = Arc<[(String, Duration)]>;

/// Gives requests up whose answers do not begin in time.
#[derive(Debug, Clone)]
pub(super) struct Timely {
    balance: HttpBalance,
    timeouts: PathTimeouts,
}

type Answer = <HttpBalance as Service<Request<Body>>>::Future;

impl Timely {
    pub(super) fn new(balance: HttpBalance, timeouts: PathTimeouts) -> Self {
        Self { balance, timeouts }
    }

    /// Boxed: nearly no path has one, and every request carries the room for it.
    fn alarm(&self, path: &str) -> Option<Box<Alarm>> {
        let (_, timeout) = self.timeouts.iter().find(|(timed, _)| timed == path)?;
        let mut alarm = Alarm::default();
        alarm.set(*timeout);
        Some(Box::new(alarm))
    }
}

impl Service<Request<Body>> for Timely {
    type Response = Response<Body>;
    type Error = Error;
    type Future = TimelyFuture;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> TimelyFuture {
        let alarm = self.alarm(request.uri().path());
        TimelyFuture { answer: self.balance.call(request), alarm }
    }
}

pin_project! {
    pub(super) struct TimelyFuture {
        #[pin]
        answer: Answer,
        alarm: Option<Box<Alarm>>,
    }
}

impl TimelyFuture {
    pub(super) fn answer(&self) -> &Answer {
        &self.answer
    }
}

impl Future for TimelyFuture {
    type Output = Result<Response<Body>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(result) = this.answer.as_mut().poll(cx) {
            return Poll::Ready(result.map_err(Error::from));
        }
        let Some(alarm) = this.alarm else { return Poll::Pending };
        alarm.poll(cx).map(|()| {
            this.answer.fail(FailureKind::Timeout);
            let late =
                Error::new(ErrorKind::UpstreamTimeout, "no replica answered in the time that this path has");
            Err(late.at(Stage::Sent))
        })
    }
}

impl fmt::Debug for TimelyFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimelyFuture").field("alarm", &self.alarm).finish_non_exhaustive()
    }
}
