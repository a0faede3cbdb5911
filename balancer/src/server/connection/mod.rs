//! One client's connection: requests in, answers out, in order.
//!
//! One task does everything. It reads a head ([`next`]), takes the body in or lends its receiving end to it
//! ([`intake`]), asks the service and writes the answer ([`answer`]).

mod answer;
mod client_body;
mod intake;
mod next;

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, Version};
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::time::timeout;
use tower::Service;

use self::client_body::{ClientReader, Lent};
use super::config::ServerConfig;
use super::drain::DrainListener;
use super::refusal;
use super::stats::{ConnectionCount, Phase};
use crate::error::{Error, ErrorKind};
use crate::h1::{
    Alarm, Body, Expect, HeadScan, Outgoing, Persistence, Reader, RequestMethod, request::RequestHead,
};

/// What the encoding of an answer depends on.
type Asked = (RequestMethod, Version);

/// Marks the end of a connection; everything that could be said was said.
#[derive(Debug)]
struct Over;

/// A client's connection with its buffers and its timer.
#[derive(Debug)]
pub(super) struct Connection {
    /// `None` while a streaming body has it.
    reader: Option<ClientReader>,
    writer: OwnedWriteHalf,
    outgoing: Outgoing,
    /// What is left to send of a `100 Continue`.
    interim: &'static [u8],
    scan: HeadScan,
    empty_lines: usize,
    alarm: Alarm,
    drain: DrainListener,
    count: ConnectionCount,
    config: Arc<ServerConfig>,
    /// Whether the connection ends with a reset.
    resets: bool,
}

impl Connection {
    pub(super) fn new(
        stream: TcpStream,
        drain: DrainListener,
        count: ConnectionCount,
        config: Arc<ServerConfig>,
    ) -> Self {
        let (reader, writer) = stream.into_split();
        Self {
            reader: Some(Reader::new(reader)),
            writer,
            outgoing: Outgoing::default(),
            interim: b"",
            scan: HeadScan::default(),
            empty_lines: 0,
            alarm: Alarm::new(config.idle_timeout),
            drain,
            count,
            config,
            resets: false,
        }
    }

    /// Serves requests until either side has had enough.
    pub(super) async fn run<S>(mut self, service: S)
    where
        S: Service<Request<Body>, Response = Response<Body>>,
        S::Error: Into<Error>,
    {
        self.serve(service).await;
        if self.resets {
            // Closing with a linger time of zero is a reset; dropping the sending half would end it politely first.
            // If the option cannot be set, the connection still closes, and there is nobody to tell.
            let _ = SockRef::from(self.writer.as_ref()).set_linger(Some(Duration::ZERO));
            self.writer.forget();
        }
    }

    async fn serve<S>(&mut self, mut service: S)
    where
        S: Service<Request<Body>, Response = Response<Body>>,
        S::Error: Into<Error>,
    {
        loop {
            self.alarm.clear();
            let head = match poll_fn(|cx| self.poll_next(cx)).await {
                Ok(Some(head)) => head,
                Ok(None) => return,
                Err(error) => {
                    let _: Result<(), Over> =
                        self.refuse(&error, (RequestMethod::Other, Version::HTTP_11)).await;
                    return;
                }
            };
            self.count.enter(Phase::Writing);
            if self.exchange(head, &mut service).await.is_err() {
                return;
            }
            self.count.enter(Phase::Waiting);
        }
    }

    async fn exchange<S>(&mut self, head: RequestHead, service: &mut S) -> Result<(), Over>
    where
        S: Service<Request<Body>, Response = Response<Body>>,
        S::Error: Into<Error>,
    {
        let asked = (RequestMethod::of(head.request.method()), head.request.version());
        let keep_alive = head.keep_alive;
        let (request, mut lent) = match self.take_in(head).await {
            Ok(request) => request,
            Err(error) => return self.refuse(&error, asked).await,
        };
        let response = match self.ask(service, request, &mut lent).await? {
            Ok(response) => response,
            Err(error) if error.kind() == ErrorKind::ClientGone => return Err(Over),
            Err(error) => refusal::response(&error),
        };
        let persistence = if keep_alive { Persistence::KeepAlive } else { Persistence::Close };
        self.reply(response, asked, persistence, lent).await
    }

    /// Answers what cannot be served, and ends the connection: where the next request would start is unknown.
    async fn refuse(&mut self, error: &Error, asked: Asked) -> Result<(), Over> {
        self.count.enter(Phase::Writing);
        if error.kind() == ErrorKind::ClientGone {
            return Err(Over);
        }
        self.reply(refusal::response(error), asked, Persistence::Close, None).await
    }

    /// Ends the sending direction and reads on for a while, so that the answer is not lost in a reset that unread
    /// bytes would cause (RFC 9112 section 9.6).
    async fn linger(&mut self, lent: Option<Lent>) {
        let patience = self.config.linger;
        // The bytes are for nobody; what matters is that there was an end to them or to our patience.
        let _ = timeout(patience, async {
            self.writer.shutdown().await.ok()?;
            self.come_home(lent).await?;
            while self.discard().await? > 0 {}
            Some(())
        })
        .await;
    }

    async fn come_home(&mut self, lent: Option<Lent>) -> Option<()> {
        if let Some(mut lent) = lent {
            self.reader = Some(poll_fn(|cx| lent.poll_home(cx)).await?.reader);
        }
        Some(())
    }

    async fn discard(&mut self) -> Option<usize> {
        let reader = self.reader.as_mut()?;
        reader.buffer.clear();
        poll_fn(|cx| reader.poll_fill(cx, Expect::Head)).await.ok()
    }
}
