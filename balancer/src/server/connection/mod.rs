//! One client's connection: requests in, answers out, in order.
//!
//! One task does everything. It reads a head ([`next`]), takes the body in or lends its receiving end to it
//! ([`intake`]), asks the service and writes the answer ([`answer`]). Where that leaves HTTP, it carries bytes
//! ([`tunnel`]).

mod answer;
mod client_body;
mod intake;
mod interim;
mod next;
mod tunnel;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use http::{Request, Response, Version};
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::time::{Instant, timeout};
use tower::Service;

use self::answer::Started;
use self::client_body::{ClientReader, Lent};
use self::interim::Interim;
use super::config::ServerConfig;
use super::drain::DrainListener;
use super::refusal;
use super::stats::{ConnectionCount, Phase};
use super::workers::Place;
use crate::clock::InSteps;
use crate::error::{Error, ErrorKind};
use crate::h1::{
    Alarm, Body, Expect, HeadScan, Heads, Keep, Outgoing, Persistence, Reader, RequestMethod, Tunnel,
    request::RequestHead,
};

/// What an answer's encoding depends on.
#[derive(Clone, Copy, Debug)]
struct Asked {
    method: RequestMethod,
    version: Version,
    persistence: Persistence,
    /// Whether a replica is asked to go on in another protocol.
    upgrade: bool,
}

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

/// A client's connection with its buffers and its alarm.
#[derive(Debug)]
pub(super) struct Connection {
    /// `None` while a streaming body has it.
    reader: Option<ClientReader>,
    writer: OwnedWriteHalf,
    outgoing: Outgoing,
    /// What is left to send before the answer.
    interim: Interim,
    /// Until when a small body that is being read must be here.
    body_until: Option<Instant>,
    heads: Heads<RequestHead>,
    scan: HeadScan,
    empty_lines: usize,
    alarm: Alarm,
    drain: DrainListener,
    count: ConnectionCount,
    config: Arc<ServerConfig>,
    keep: Keep,
    /// What the connection goes on as when its last answer is written.
    tunnel: Option<Box<Tunnel>>,
    ending: Ending,
    /// Counted by its worker for as long as it lasts.
    _place: Option<Place>,
}

/// What a connection has from its server.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) config: Arc<ServerConfig>,
    pub(super) keep: Keep,
    pub(super) place: Option<Place>,
}

impl Connection {
    pub(super) fn new(
        stream: TcpStream,
        drain: DrainListener,
        count: ConnectionCount,
        Served { config, keep, place }: Served,
    ) -> Self {
        let (reader, writer) = stream.into_split();
        Self {
            reader: Some(Reader::new(reader)),
            writer,
            outgoing: Outgoing::default(),
            interim: Interim::default(),
            body_until: None,
            heads: Heads::default(),
            scan: HeadScan::default(),
            empty_lines: 0,
            alarm: Alarm::default(),
            drain,
            count,
            config,
            keep,
            tunnel: None,
            ending: Ending::Close,
            _place: place,
        }
    }

    /// Serves requests until either side has had enough.
    ///
    /// No async function: what one is called with takes its place twice, in each of ten thousand connections.
    pub(super) fn run<S>(mut self, mut service: S) -> impl Future<Output = ()>
    where
        S: Service<Request<Body>, Response = Response<Body>>,
        S::Error: Into<Error>,
    {
        InSteps::new(async move {
            let mut lent = None;
            while self.exchange(&mut service, &mut lent).await.is_ok() {
                self.count.enter(Phase::Waiting);
            }
            if let Some(tunnel) = self.tunnel.take() {
                // Boxed: rare, and a connection's memory is that of its largest state.
                Box::pin(self.tunnel(*tunnel)).await;
            }
            let unread = self.reader.as_ref().is_some_and(|reader| !reader.buffer.is_empty());
            if self.ending == Ending::Reset {
                // Closing with a linger time of zero is a reset. If it cannot be set, the connection still closes.
                let _ = SockRef::from(self.writer.as_ref()).set_linger(Some(Duration::ZERO));
            } else if self.ending == Ending::Linger || unread || lent.is_some() {
                // Boxed, too.
                Box::pin(self.linger(lent)).await;
            }
            // Both halves go at once, so that closing says all; dropped alone, the sending half shuts down first.
            self.writer.forget();
        })
    }

    /// Reads a request and answers it.
    async fn exchange<S>(&mut self, service: &mut S, lent: &mut Option<Lent>) -> Result<(), Over>
    where
        S: Service<Request<Body>, Response = Response<Body>>,
        S::Error: Into<Error>,
    {
        // What a client that could not be understood is answered as.
        let mut asked = Asked {
            method: RequestMethod::Other,
            version: Version::HTTP_11,
            persistence: Persistence::Close,
            upgrade: false,
        };
        let started = match self.obtain(service, &mut asked, lent).await {
            Ok(Some(started)) => started,
            Err(error) if error.kind() != ErrorKind::ClientGone => {
                self.start(refusal::response(&error), asked, lent.as_ref())
            }
            Ok(None) | Err(_) => return Err(Over),
        };
        self.reply(started, asked, lent).await
    }

    /// Obtains and starts the answer to the next request; nothing when there is no next request.
    async fn obtain<S>(
        &mut self,
        service: &mut S,
        asked: &mut Asked,
        lent: &mut Option<Lent>,
    ) -> Result<Option<Started>, Error>
    where
        S: Service<Request<Body>, Response = Response<Body>>,
        S::Error: Into<Error>,
    {
        self.alarm.clear();
        self.interim.clear();
        let next = poll_fn(|cx| self.poll_next(cx)).await;
        let Some(terms) = next.map_err(|error| self.refusing(error))? else { return Ok(None) };
        self.count.enter(Phase::Writing);
        (asked.method, asked.version) = (terms.method, terms.version);
        let prepared = poll_fn(|cx| self.poll_prepare(cx, &terms, service)).await;
        prepared.map_err(|error| self.refusing(error))?;
        // Asked, and the answer started, where they come out: every hand that a request or a response passes through copies its
        // 290 or 170 bytes.
        let mut answer = pin!(match self.take_in(&terms, asked, lent) {
            Ok(request) => {
                asked.persistence =
                    if terms.keep_alive { Persistence::KeepAlive } else { Persistence::Close };
                service.call(request)
            }
            Err(error) => return Err(self.refusing(error)),
        });
        poll_fn(|cx| {
            let response = ready!(self.poll_answer(cx, answer.as_mut(), *asked, lent));
            Poll::Ready(response.map(|response| Some(self.start(response, *asked, lent.as_ref()))))
        })
        .await
    }

    /// Notes that the connection ends with the refusal of this error: where the next request would start is
    /// unknown.
    fn refusing(&mut self, error: Error) -> Error {
        self.count.enter(Phase::Writing);
        if error.kind() != ErrorKind::ClientGone {
            self.ending = Ending::Linger;
        }
        error
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
