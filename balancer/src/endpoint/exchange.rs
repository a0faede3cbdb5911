//! The future of one answer: from a connection to the head and, where it is small, the whole.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::request::Parts;
use http::{Request, Response};

use super::connection::Connection;
use super::pool::Pool;
use super::under_way::UnderWay;
use crate::error::{Error, ErrorKind, Stage};
use crate::h1::{Body, Outgoing, RequestMethod, Upgrade, encode_request};

type Connecting = Pin<Box<dyn Future<Output = Result<Box<Connection>, Error>> + Send>>;

/// The future of a [`HttpEndpoint`](super::HttpEndpoint)'s answer.
///
/// Dropping it closes the connection on which it waits, so that the replica can notice that nobody wants the
/// answer any more.
pub struct Exchange {
    pool: Arc<Pool>,
    state: State,
    method: RequestMethod,
    /// The request's head, to give the request back if nobody takes it; not for one of which copies are made.
    head: Option<Box<Parts>>,
}

enum State {
    /// The message waits for its connection: the first one, or another when that was dead before it took a byte.
    ///
    /// Boxed: rare, and the way of every request through its layers moves this future.
    Connecting(Box<(Connecting, Outgoing)>),
    UnderWay(UnderWay),
    Done,
}

impl Exchange {
    pub(super) fn new(pool: Arc<Pool>, request: Request<Body>) -> Self {
        let method = match Upgrade::among(request.extensions()) {
            Some(_) => RequestMethod::Upgrade,
            None => RequestMethod::of(request.method()),
        };
        let (head, state) = match pool.take() {
            Some(mut connection) => {
                let head = write(&mut connection.outgoing, request, &pool.name);
                (head, State::UnderWay(UnderWay::new(connection, method)))
            }
            None => {
                let mut message = Outgoing::default();
                let head = write(&mut message, request, &pool.name);
                (head, State::Connecting(Box::new((connect(&pool), message))))
            }
        };
        Self { pool, state, method, head }
    }
}

fn connect(pool: &Pool) -> Connecting {
    Box::pin(Connection::open(pool.address, pool.config.connect_timeout))
}

/// Encodes a request; returns its head if its body is still to be read.
fn write(outgoing: &mut Outgoing, request: Request<Body>, host: &str) -> Option<Box<Parts>> {
    let (head, body) = request.into_parts();
    let framing = encode_request(outgoing.head(), &head, &body, host);
    outgoing.start(framing, body);
    if let Some(upgrade) = Upgrade::among(&head.extensions) {
        outgoing.offered = Some(upgrade.clone());
    }
    outgoing.has_body().then(|| Box::new(head))
}

/// Returns the error with the request, if that can still go to another replica as it is.
fn giving_back(error: Error, head: Option<Box<Parts>>, message: &mut Outgoing) -> Error {
    match head.and_then(|head| Some(Request::from_parts(*head, message.take_body()?))) {
        Some(request) => error.returning(request),
        None => error,
    }
}

impl Future for Exchange {
    type Output = Result<Response<Body>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            match &mut this.state {
                State::Connecting(waiting) => {
                    let (connecting, message) = &mut **waiting;
                    let mut connection = match ready!(connecting.as_mut().poll(cx)) {
                        Ok(connection) => connection,
                        Err(error) => {
                            let error = giving_back(error, this.head.take(), message);
                            this.state = State::Done;
                            return Poll::Ready(Err(error));
                        }
                    };
                    connection.outgoing = mem::take(message);
                    this.state = State::UnderWay(UnderWay::new(connection, this.method));
                }
                State::UnderWay(under_way) => {
                    let result = ready!(under_way.poll_response(cx, &this.pool));
                    match result {
                        Err(error) if under_way.was_dead(&error) => {
                            let message = under_way.take_message();
                            this.state = State::Connecting(Box::new((connect(&this.pool), message)));
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
            State::Connecting(_) => "connecting",
            State::UnderWay(_) => "under way",
            State::Done => "done",
        };
        f.debug_struct("Exchange").field("endpoint", &self.pool.address).field("state", &state).finish()
    }
}
