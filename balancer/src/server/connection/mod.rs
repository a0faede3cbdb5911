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

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Close,
    /// The client may still be sending what nobody will read.
    Linger,
    /// The client must see that its answer is not whole.
    Reset,
}

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
    ending: Ending,
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
            ending: Ending::Close,
        }
    }

    /// Serves requests until either side has had enough.
    pub(super) async fn run<S>(mut self, mut service: S)
    where
        S: Service<Request<Body>, Response = Response<Body>>,
        S::Error: Into<Error>,
    {
        loop {
            self.alarm.clear();
            let next = poll_fn(|cx| self.poll_next(cx)).await;
            self.count.enter(Phase::Writing);
            let mut lent = None;
            let served = match next {
                Ok(Some(head)) => self.exchange(head, &mut service, &mut lent).await,
                Ok(None) => Err(Over),
                Err(error) => self.refuse(&error, (RequestMethod::Other, Version::HTTP_11)).await,
            };
            if served.is_err() {
                return self.end(lent).await;
            }
            self.count.enter(Phase::Waiting);
        }
    }

    async fn exchange<S>(
        &mut self,
        head: RequestHead,
        service: &mut S,
        lent: &mut Option<Lent>,
    ) -> Result<(), Over>
    where
        S: Service<Request<Body>, Response = Response<Body>>,
        S::Error: Into<Error>,
    {
        let asked = (RequestMethod::of(head.request.method()), head.request.version());
        let persistence = if head.keep_alive { Persistence::KeepAlive } else { Persistence::Close };
        if let Err(error) = self.await_small_body(&head).await {
            return self.refuse(&error, asked).await;
        }
        let request = match self.take_in(head) {
            Ok((request, streaming)) => {
                *lent = streaming;
                request
            }
            Err(error) => return self.refuse(&error, asked).await,
        };
        let response = match self.ask(service, request, lent).await {
            Ok(response) => response,
            Err(error) if error.kind() == ErrorKind::ClientGone => return Err(Over),
            Err(error) => refusal::response(&error),
        };
        self.reply(response, asked, persistence, lent).await
    }

    /// Answers what cannot be served, and ends the connection: where the next request would start is unknown.
    async fn refuse(&mut self, error: &Error, asked: Asked) -> Result<(), Over> {
        if error.kind() == ErrorKind::ClientGone {
            return Err(Over);
        }
        self.ending = Ending::Linger;
        self.reply(refusal::response(error), asked, Persistence::Close, &mut None).await
    }

    async fn end(mut self, lent: Option<Lent>) {
        let unread = self.reader.as_ref().is_some_and(|reader| !reader.buffer.is_empty());
        match self.ending {
            Ending::Close if !unread && lent.is_none() => {}
            // Boxed: rare, and a connection's memory is that of its largest state.
            Ending::Close | Ending::Linger => Box::pin(self.linger(lent)).await,
            Ending::Reset => {
                // Closing with a linger time of zero is a reset; dropping the sending half would end it politely
                // first. If the option cannot be set, the connection still closes.
                let _ = SockRef::from(self.writer.as_ref()).set_linger(Some(Duration::ZERO));
                self.writer.forget();
            }
        }
    }

    /// Ends the sending direction and reads on for a while, so that the answer is not lost in a reset that unread
    /// bytes would cause (RFC 9112 section 9.6).
    async fn linger(&mut self, lent: Option<Lent>) {
        let patience = self.config.linger;
        // The bytes are for nobody; what matters is that there was an end to them or to our patience.
        let _ = timeout(patience, async {
            self.writer.shutdown().await.ok()?;
            if let Some(mut lent) = lent {
                self.reader = poll_fn(|cx| lent.poll_back(cx)).await;
            }
            while self.discard().await? > 0 {}
            Some(())
        })
        .await;
    }

    async fn discard(&mut self) -> Option<usize> {
        let reader = self.reader.as_mut()?;
        reader.buffer.clear();
        poll_fn(|cx| reader.poll_fill(cx, Expect::Head)).await.ok()
    }
}
