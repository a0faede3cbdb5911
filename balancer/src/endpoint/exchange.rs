//! The future of one answer: from a connection to the head and, where it is small, the whole.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};

use super::connection::Connection;
use super::pool::Pool;
use super::under_way::UnderWay;
use crate::error::{Error, ErrorKind, Stage};
use crate::h1::{Body, Outgoing, RequestMethod, encode_request};

type Connecting = Pin<Box<dyn Future<Output = Result<Box<Connection>, Error>> + Send>>;

/// The future of a [`HttpEndpoint`](super::HttpEndpoint)'s answer.
///
/// Dropping it closes the connection on which it waits, so that the replica can notice that nobody wants the
/// answer any more.
pub struct Exchange {
    pool: Arc<Pool>,
    state: State,
    /// The request as it was given. A body that is whole in memory stays here and is sent as a copy that shares
    /// its memory; a streaming one moves out when it is sent.
    request: Request<Body>,
    streaming: bool,
}

enum State {
    /// The message is here when another connection, dead before it took a byte, was to carry it.
    Connecting(Connecting, Option<Outgoing>),
    UnderWay(UnderWay),
    Done,
}

impl Exchange {
    pub(super) fn new(pool: Arc<Pool>, request: Request<Body>) -> Self {
        let streaming = request.body().as_bytes().is_none();
        let mut exchange = Self { pool, state: State::Done, request, streaming };
        exchange.state = match exchange.pool.take() {
            Some(connection) => exchange.begin(connection, None),
            None => State::Connecting(exchange.connect(), None),
        };
        exchange
    }

    /// Returns the request as it was given, to ask elsewhere; `None` when its body streams.
    ///
    /// It costs nothing, where a copy made before asking costs every request something. Whether asking elsewhere
    /// is safe is told by [`Error::stage`] and by what the request means.
    pub fn into_request(self) -> Option<Request<Body>> {
        (!self.streaming).then_some(self.request)
    }

    fn connect(&self) -> Connecting {
        Box::pin(Connection::open(self.pool.address, self.pool.config.connect_timeout))
    }

    fn begin(&mut self, mut connection: Box<Connection>, message: Option<Outgoing>) -> State {
        match message {
            Some(message) => connection.outgoing = message,
            None => self.write_head(&mut connection.outgoing),
        }
        State::UnderWay(UnderWay::new(connection, RequestMethod::of(self.request.method())))
    }

    fn write_head(&mut self, outgoing: &mut Outgoing) {
        let body = self.request.body().try_clone();
        let body = body.unwrap_or_else(|| mem::take(self.request.body_mut()));
        let framing = encode_request(outgoing.head(), &self.request, &body, &self.pool.name);
        outgoing.start(framing, body);
    }
}

impl Future for Exchange {
    type Output = Result<Response<Body>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            match &mut this.state {
                State::Connecting(connecting, message) => {
                    let connection = ready!(connecting.as_mut().poll(cx))?;
                    let message = message.take();
                    this.state = this.begin(connection, message);
                }
                State::UnderWay(under_way) => {
                    let result = ready!(under_way.poll_response(cx, &this.pool));
                    match result {
                        Err(error) if under_way.was_dead(&error) => {
                            let message = under_way.take_message();
                            this.state = State::Connecting(this.connect(), Some(message));
                        }
                        result => {
                            this.state = State::Done;
                            return Poll::Ready(result);
                        }
                    }
                }
                // Only a caller that breaks the contract of `Future` comes here; an error harms nobody else.
                State::Done => return Poll::Ready(Err(polled_again())),
            }
        }
    }
}

fn polled_again() -> Error {
    Error::new(ErrorKind::Local, "an exchange was polled after it had ended").at(Stage::ResponseStarted)
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Connecting(..) => "connecting",
            State::UnderWay(_) => "under way",
            State::Done => "done",
        };
        f.debug_struct("Exchange").field("endpoint", &self.pool.address).field("state", &state).finish()
    }
}
