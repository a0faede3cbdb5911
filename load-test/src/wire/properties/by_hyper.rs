//! What hyper's client makes of an answer.

use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, duplex};

use super::{ENDPOINT, MAX_HEAD, Outcome, Read};
use crate::failure::FailureKind;

/// `None` where hyper read the whole answer and then refused its trailers, which are ignored here.
pub(super) fn read(method: &Method, bytes: &[u8]) -> Option<Outcome> {
    let (near, mut far) = duplex(1 << 20);
    let mut builder = http1::Builder::new();
    builder.read_buf_exact_size(Some(MAX_HEAD));
    let (mut sender, mut driver) = now(builder.handshake(TokioIo::new(near))).unwrap();
    let mut driver_runs = true;
    let mut drive = || driver_runs = driver_runs && poll(&mut driver).is_pending();
    let mut exchange = pin!(exchange(&mut sender, method));
    let mut read = poll(exchange.as_mut());
    drive();
    now(far.write_all(bytes)).unwrap();
    let mut settle = |read: &mut Poll<_>| {
        for _ in 0..100 {
            drive();
            if read.is_pending() {
                *read = poll(exchange.as_mut());
            }
        }
    };
    settle(&mut read);
    let at_once = read.is_ready();
    let mut far = Some(far);
    if !at_once {
        far.take();
        settle(&mut read);
    }
    let Poll::Ready(read) = read else { panic!("hyper never ends: {bytes:?}") };
    if read.as_ref().is_err_and(refuses_trailers) {
        return None;
    }
    let reusable = at_once && read.is_ok() && driver_runs;
    Some(Outcome { read: read.map_err(|error| kind_of(&error)), at_once, reusable })
}

async fn exchange(sender: &mut http1::SendRequest<Empty<Bytes>>, method: &Method) -> hyper::Result<Read> {
    let request = Request::builder().method(method).uri("/").header("host", "a").body(Empty::new()).unwrap();
    let response = sender.send_request(request).await?;
    let status = response.status().as_u16();
    let endpoint = response.headers().get(&ENDPOINT).map(|name| name.as_bytes().to_vec());
    let content = response.into_body().collect().await?.to_bytes().to_vec();
    Ok((status, content, endpoint))
}

fn poll<F: Future + Unpin>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn now<F: Future>(future: F) -> F::Output {
    match poll(pin!(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("memory does not wait"),
    }
}

/// How hyper's errors are counted where hyper is the client.
fn kind_of(error: &hyper::Error) -> FailureKind {
    match io_cause(error) {
        Some(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => FailureKind::Closed,
        // The kinds that its decoder uses for chunks it cannot read.
        Some(_) => FailureKind::InvalidResponse,
        None if error.is_parse_too_large() => FailureKind::HeadTooLarge,
        None if error.is_incomplete_message() => FailureKind::Closed,
        None => FailureKind::InvalidResponse,
    }
}

fn refuses_trailers(error: &hyper::Error) -> bool {
    let message = io_cause(error)
        .map(|cause| (cause.get_ref().is_some_and(|e| e.is::<httparse::Error>()), cause.to_string()));
    message.is_some_and(|(parser, text)| parser || text == "Partial header")
}

fn io_cause(error: &hyper::Error) -> Option<&io::Error> {
    std::iter::successors(error.source(), |error| (*error).source()).find_map(|error| error.downcast_ref())
}
