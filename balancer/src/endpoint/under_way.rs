//! One request on its connection, until its answer has begun or is whole.

use std::io;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::header::{HeaderValue, UPGRADE};
use http::{Response, StatusCode};

use super::answer::{Answer, Upload};
use super::config::EndpointConfig;
use super::connection::Connection;
use super::failure;
use super::held::Held;
use super::pool::Pool;
use crate::error::{Error, ErrorKind, Stage};
use crate::h1::{
    Body, Decoder, Expect, Failure, Framing, HeadScan, Outgoing, RequestMethod, Rules, Tunnel, Violation,
    response, response::ResponseHead,
};
use crate::interim;

/// How many interim (1xx) answers there may be before the final one. 16, far more than the one `103` that servers
/// send, so that an endless row of them is an error.
const INTERIM_ANSWERS: usize = 16;

const TOO_MANY_INTERIM: Violation = Violation::malformed("too many interim answers before the final one");

/// A request that is being sent and its answer that is awaited.
#[derive(Debug)]
pub(super) struct UnderWay {
    /// `None` once the answer has it.
    connection: Option<Box<Connection>>,
    method: RequestMethod,
    upload: Upload,
    scan: HeadScan,
    interim: usize,
    /// How the answer's body ends, once the head has come.
    framing: Option<Framing>,
    /// Boxed: few answers come in chunks and are held nevertheless.
    held: Option<Box<Held>>,
    /// Bytes received, of any answer.
    received: u64,
    /// What had been sent and received when the alarm was set.
    progress: Option<(u64, u64)>,
}

impl UnderWay {
    pub(super) fn new(connection: Box<Connection>, method: RequestMethod) -> Self {
        Self {
            connection: Some(connection),
            method,
            upload: Upload::Writing,
            scan: HeadScan::default(),
            interim: 0,
            framing: None,
            held: None,
            received: 0,
            progress: None,
        }
    }

    /// Returns whether the connection had died before it took a byte, so that another may carry the same message.
    pub(super) fn was_dead(&self, error: &Error) -> bool {
        error.kind() == ErrorKind::StaleConnection && error.stage() == Stage::NothingSent
    }

    /// The message of which nothing was sent.
    pub(super) fn take_message(&mut self) -> Outgoing {
        self.connection.as_mut().map(|connection| mem::take(&mut connection.outgoing)).unwrap_or_default()
    }

    /// Drives the request out and the answer in.
    pub(super) fn poll_response(
        &mut self,
        cx: &mut Context<'_>,
        pool: &Arc<Pool>,
    ) -> Poll<Result<Response<Body>, Error>> {
        let mut connection =
            self.connection.take().expect("an exchange is polled until its answer, no longer");
        let failed = match self.poll_head(cx, &mut connection, pool) {
            Poll::Ready(Ok(head)) if head.status == StatusCode::SWITCHING_PROTOCOLS => {
                return Poll::Ready(self.switch(head, *connection));
            }
            Poll::Ready(Ok(head)) => return Poll::Ready(self.respond(head, connection, pool)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        };
        // Kept also after an error: a message of which nothing was sent is taken out of it.
        self.connection = Some(connection);
        failed
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut Connection,
        pool: &Pool,
    ) -> Poll<Result<ResponseHead, Error>> {
        self.poll_upload(cx, connection)?;
        loop {
            if let Some(head) = self.step(connection, pool).map_err(Violation::in_response)? {
                return Poll::Ready(Ok(head));
            }
            match connection.reader.poll_fill(cx, self.expected(connection)) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(self.lost(connection, None))),
                Poll::Ready(Ok(count)) => self.received += count as u64,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.lost(connection, Some(error)))),
                Poll::Pending => break,
            }
        }
        if self.upload.waits_for_client(&connection.outgoing) {
            connection.alarm.clear();
            self.progress = None;
            return Poll::Pending;
        }
        let progress = Some((connection.outgoing.sent(), self.received));
        if mem::replace(&mut self.progress, progress) != progress {
            connection.alarm.set(pool.config.progress_timeout);
        }
        ready!(connection.alarm.poll(cx));
        Poll::Ready(Err(failure::timeout(self.stage(connection))))
    }

    /// Writes; a replica that takes no more may have answered nevertheless, such as with 413.
    fn poll_upload(&mut self, cx: &mut Context<'_>, connection: &mut Connection) -> Result<(), Error> {
        if !matches!(self.upload, Upload::Writing) {
            return Ok(());
        }
        match connection.outgoing.poll_write(cx, &mut connection.reader.io) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => self.upload = Upload::Written,
            Poll::Ready(Err(Failure::Body(error))) => return Err(error.at(self.stage(connection))),
            Poll::Ready(Err(Failure::Io(error))) if connection.outgoing.sent() == 0 => {
                return Err(self.lost(connection, Some(error)));
            }
            Poll::Ready(Err(Failure::Io(error))) => self.upload = Upload::Refused(error),
        }
        Ok(())
    }

    /// Looks at what came; returns the head once as much of the answer is here as is waited for.
    fn step(&mut self, connection: &mut Connection, pool: &Pool) -> Result<Option<ResponseHead>, Violation> {
        while self.framing.is_none() {
            if !self.read_head(connection, pool)? {
                return Ok(None);
            }
            let Some(head) = connection.heads.came() else { return Ok(None) };
            let (status, framing) = (head.status, head.framing);
            if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
                self.interim += 1;
                if self.interim > INTERIM_ANSWERS {
                    return Err(TOO_MANY_INTERIM);
                }
                if let Some(head) = connection.heads.take() {
                    pass_on(head);
                }
            } else {
                self.framing = Some(framing);
                if framing == Framing::Chunked && head.fields.is_pure() && pool.config.held_response > 0 {
                    self.held = Some(Box::new(Held::new(&pool.config)?));
                }
            }
        }
        if let Some(held) = &mut self.held {
            let is_released = held.take_in(connection.buffer())?;
            return Ok(if is_released { connection.heads.take() } else { None });
        }
        let wanted = self.framing.map_or(0, |framing| held(framing, &pool.config));
        Ok(if connection.buffer().len() >= wanted { connection.heads.take() } else { None })
    }

    /// Reads the next head, if it is whole.
    fn read_head(&mut self, connection: &mut Connection, pool: &Pool) -> Result<bool, Violation> {
        let Connection { reader, heads, .. } = connection;
        if reader.buffer.is_empty() {
            return Ok(false);
        }
        let usual = self.method == RequestMethod::Other;
        if usual && let Some(length) = heads.again(&reader.buffer) {
            reader.buffer.advance(length);
            self.scan = HeadScan::default();
            return Ok(true);
        }
        let rules = Rules::for_responses(pool.config.limits, pool.keep);
        let Some(length) = response::find(&mut self.scan, &reader.buffer, &rules.limits)? else {
            return Ok(false);
        };
        self.scan = HeadScan::default();
        let head = reader.buffer.split_to(length).freeze();
        let parse = |head: &Bytes| response::parse(head, self.method, &rules);
        if usual {
            heads.read(&head, &rules, parse)?
        } else {
            heads.read_once(parse(&head)?)
        }
        Ok(true)
    }

    fn expected(&self, connection: &Connection) -> Expect {
        match self.framing {
            Some(Framing::Length(length)) => Expect::Total(usize::try_from(length).unwrap_or(usize::MAX)),
            None if connection.reader.buffer.is_empty() => Expect::Head,
            _ => Expect::Stream,
        }
    }

    fn respond(
        &mut self,
        head: ResponseHead,
        mut connection: Box<Connection>,
        pool: &Arc<Pool>,
    ) -> Result<Response<Body>, Error> {
        let upload = mem::replace(&mut self.upload, Upload::Written);
        let written = matches!(upload, Upload::Written);
        let ResponseHead { framing, keep_alive, .. } = head;
        if let Framing::Length(length) = framing
            && length <= pool.config.held_response.min(connection.buffer().len()) as u64
            && length <= pool.config.limits.body_bytes
        {
            let content = connection.buffer().split_to(length as usize).freeze();
            if keep_alive && written {
                pool.put(connection);
            }
            return Ok(head.with(Body::from(content)));
        }
        let broken = |violation: Violation| violation.in_response();
        let (decoder, ready) = match self.held.take() {
            Some(held) => held.release(),
            None => {
                let mut decoder = Decoder::new(framing, pool.config.limits.body_bytes).map_err(broken)?;
                let ready = decoder.decode_ready(connection.buffer()).map_err(broken)?;
                (decoder, ready)
            }
        };
        if decoder.is_done() && ready.trailers.is_none() {
            if keep_alive && written {
                pool.put(connection);
            }
            return Ok(head.with(Body::from(ready.content)));
        }
        let answer = Answer::new(connection, Arc::clone(pool), decoder, ready, upload, keep_alive);
        Ok(head.with(Body::stream(answer)))
    }

    /// Goes on in the protocol that the replica names, if it was asked for that one and has the whole request.
    #[cold]
    fn switch(&self, head: ResponseHead, connection: Connection) -> Result<Response<Body>, Error> {
        let mut response = head.alone();
        let offered = connection.outgoing.offered.as_ref();
        let is_offered = |name: &&HeaderValue| offered.is_some_and(|offered| offered.offers(name.as_bytes()));
        let mut named = response.headers().get_all(UPGRADE).iter();
        let (Some(protocol), None, Upload::Written) =
            (named.next().filter(is_offered).cloned(), named.next(), &self.upload)
        else {
            return Err(response::UPGRADE.in_response());
        };
        response.headers_mut().remove(UPGRADE);
        Ok(response.map(|()| Body::tunnel(Tunnel::new(protocol, connection.reader))))
    }

    fn stage(&self, connection: &Connection) -> Stage {
        match (self.received, connection.outgoing.sent()) {
            (1.., _) => Stage::ResponseStarted,
            (0, 1..) => Stage::Sent,
            (0, 0) => Stage::NothingSent,
        }
    }

    fn lost(&mut self, connection: &Connection, error: Option<io::Error>) -> Error {
        let refused = match mem::replace(&mut self.upload, Upload::Written) {
            Upload::Refused(error) => Some(error),
            Upload::Writing | Upload::Written => None,
        };
        failure::lost(self.stage(connection), connection.reused, error.or(refused))
    }
}

/// Passes an interim answer on, unless it is about the body: the server has asked its client for that itself.
#[cold]
fn pass_on(head: ResponseHead) {
    if head.status != StatusCode::CONTINUE {
        interim::tell(|| head.alone());
    }
}

/// How many bytes of a body are awaited before its answer is handed on.
fn held(framing: Framing, config: &EndpointConfig) -> usize {
    match framing {
        Framing::Length(length) => {
            usize::try_from(length).ok().filter(|length| *length <= config.held_response)
        }
        Framing::Empty | Framing::Chunked | Framing::UntilClose => None,
    }
    .unwrap_or(0)
}
