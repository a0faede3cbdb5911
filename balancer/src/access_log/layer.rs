//! The layer that sees every request and answer.

use std::{
    fmt,
    future::Future,
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower::Service;

use super::{
    LogWriter,
    line::{Answered, AnsweredBy, Asked},
};
use crate::{Body, Error, proxy::client, server::refusal};

/// Logs what the service answers, if there is a log.
#[derive(Debug, Clone)]
pub(crate) struct Logged<S> {
    inner: S,
    log: Option<LogWriter>,
    from: IpAddr,
    trusted_hops: Option<u8>,
}

impl<S> Logged<S> {
    /// Logs requests of a client that has connected from here, or through so many proxies that tell who it is.
    pub(crate) fn new(inner: S, log: Option<LogWriter>, from: IpAddr, trusted_hops: Option<u8>) -> Self {
        Self { inner, log, from: from.to_canonical(), trusted_hops }
    }
}

impl<S> Service<Request<Body>> for Logged<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Error>,
{
    type Response = Response<Body>;
    type Error = Error;
    type Future = LoggedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // Boxed: without a log, a request carries one word more.
        let entry = self.log.as_ref().map(|log| {
            let asked = Asked::of(&request, client(request.headers(), self.trusted_hops, self.from));
            Box::new(Entry { log: log.clone(), asked, answered: None, tunnelled: None })
        });
        LoggedFuture { answer: self.inner.call(request), entry }
    }
}

/// A line to be: written when it is dropped, if there was an answer.
#[derive(Debug)]
struct Entry {
    log: LogWriter,
    asked: Asked,
    answered: Option<Answered>,
    /// Counts the bytes that a tunnel brings to the client.
    tunnelled: Option<Arc<AtomicU64>>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        // The number that nginx gives to a client that closed its connection before it was answered.
        let gone = Answered { status: 499, bytes: None, by: None, whole: false };
        let mut answered = self.answered.take().unwrap_or(gone);
        if let Some(sent) = &self.tunnelled {
            answered.bytes = Some(sent.load(Ordering::Relaxed));
        }
        self.log.put(self.asked.line(&answered, self.log.format));
    }
}

pin_project! {
    pub(crate) struct LoggedFuture<F> {
        #[pin]
        answer: F,
        entry: Option<Box<Entry>>,
    }
}

impl<F> Future for LoggedFuture<F>
where
    F: Future<Output = Result<Response<Body>, Error>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let answer = ready!(this.answer.poll(cx));
        Poll::Ready(match this.entry.take() {
            None => answer,
            Some(entry) => note(entry, answer),
        })
    }
}

fn note(mut entry: Box<Entry>, answer: Result<Response<Body>, Error>) -> Result<Response<Body>, Error> {
    let mut response = match answer {
        Ok(response) => response,
        Err(error) => {
            let status = refusal::status(error.kind()).as_u16();
            entry.answered = Some(Answered { status, bytes: None, by: None, whole: true });
            return Err(error);
        }
    };
    let by = response.extensions_mut().remove::<AnsweredBy>();
    let known = response.body().as_bytes().map(|bytes| bytes.len() as u64);
    let status = response.status().as_u16();
    entry.answered = Some(Answered { status, bytes: Some(known.unwrap_or(0)), by, whole: known.is_some() });
    if known.is_some() {
        return Ok(response);
    }
    if let Some(tunnel) = response.body_mut().as_tunnel_mut() {
        // Written when it ends.
        entry.answered = entry.answered.take().map(|answered| Answered { whole: true, ..answered });
        entry.tunnelled = Some(Arc::clone(&tunnel.sent));
        tunnel.keep(entry);
        return Ok(response);
    }
    Ok(response.map(|mut body| {
        let fields = body.take_fields();
        Body::stream(Counted { body, entry }).with_fields(fields)
    }))
}

/// A body that is logged, with its length, when it has ended.
struct Counted {
    body: Body,
    entry: Box<Entry>,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let ended = polled.is_none() || self.body.is_end_stream();
        if let Some(answered) = &mut self.entry.answered {
            let data = polled.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
            answered.bytes = answered.bytes.map(|bytes| bytes + data.map_or(0, |data| data.len() as u64));
            answered.whole |= ended;
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<F> fmt::Debug for LoggedFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoggedFuture").field("entry", &self.entry).finish_non_exhaustive()
    }
}
