//! One HTTP/1.1 connection, driven by the task that uses it.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

type Driver = http1::Connection<TokioIo<TcpStream>, Full<Bytes>>;

/// A connection whose hyper future is polled in the user's own task: no second task to allocate, and
/// none to wake for every answer. Between requests nobody polls it; [`is_open`](Self::is_open) looks
/// once before the next.
#[derive(Debug)]
pub(super) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    /// `None` once the connection is over.
    driver: Option<Driver>,
}

impl Connection {
    /// Connects to the first of `addresses` that accepts, beginning at the place `first`; `max_head` bounds the
    /// head of an answer and what is read at once.
    pub(super) async fn open(addresses: &[SocketAddr], first: usize, max_head: usize) -> io::Result<Self> {
        let mut last_error = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for place in 0..addresses.len() {
            match TcpStream::connect(addresses[(first + place) % addresses.len()]).await {
                Ok(stream) => return Self::over(stream, max_head).await,
                Err(error) => last_error = error,
            }
        }
        Err(last_error)
    }

    async fn over(stream: TcpStream, max_head: usize) -> io::Result<Self> {
        // Head and body leave in one write; waiting for more would only add Nagle's delay.
        stream.set_nodelay(true)?;
        let mut builder = http1::Builder::new();
        builder.writev(false).read_buf_exact_size(Some(max_head));
        let (sender, driver) = builder.handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        Ok(Self { sender, driver: Some(driver) })
    }

    /// Whether a request can be sent: notices what the server closed since the last answer.
    pub(super) async fn is_open(&mut self) -> bool {
        poll_fn(|cx| {
            advance(&mut self.driver, cx);
            Poll::Ready(())
        })
        .await;
        self.driver.is_some() && !self.sender.is_closed()
    }

    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        let response = pin!(self.sender.send_request(request));
        drive(&mut self.driver, response).await
    }

    pub(super) async fn frame(&mut self, body: &mut Incoming) -> Option<hyper::Result<Frame<Bytes>>> {
        drive(&mut self.driver, pin!(body.frame())).await
    }
}

/// Waits for `wanted` and keeps the connection moving meanwhile.
async fn drive<T>(driver: &mut Option<Driver>, mut wanted: Pin<&mut impl Future<Output = T>>) -> T {
    poll_fn(|cx| {
        if let Poll::Ready(done) = wanted.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        advance(driver, cx);
        // What the connection has just delivered, or the error that its end left behind.
        wanted.as_mut().poll(cx)
    })
    .await
}

fn advance(driver: &mut Option<Driver>, cx: &mut Context<'_>) {
    if let Some(running) = driver
        && Pin::new(running).poll(cx).is_ready()
    {
        *driver = None;
    }
}
