//! What the fuzz targets see of the codec and the proxy rules. No part of the API: it changes whenever they do.
//!
//! Bytes go the way that they go in a server and in an endpoint, without their connections: heads are found and parsed,
//! bodies decoded, the rules of a proxy applied, and what is passed on is written.

use std::future::{Ready, poll_fn, ready};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::vec;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body::{Body as HttpBody, Frame};
use tower::Service;

use crate::h1::{
    Decoded, Decoder, Head, HeadScan, Heads, Keep, Outgoing, Persistence, RequestMethod, Rules, Violation,
    encode_request, encode_response, request, response,
};
use crate::{Body, Error, Limits, Proxy, ProxyRules, Underscores};

/// Limits that short inputs meet.
pub const NARROW: Limits = Limits { head_bytes: 1024, request_line_bytes: 256, fields: 24, body_bytes: 4096 };

/// What stands for a missing `Host`.
pub const REPLICA: &str = "replica:8000";

/// One way to read.
#[derive(Clone, Copy, Debug)]
pub struct Way<'a> {
    /// After how many bytes a read ends, in ascending order.
    pub cuts: &'a [usize],
    /// Whether fields stay as they came where nothing has to look at them.
    pub verbatim: bool,
    /// Whether every head has come before, often enough to be remembered.
    pub known: bool,
    /// Whether bodies pass piece by piece and not as a whole.
    pub streams: bool,
    /// Whether fields with an underscore pass.
    pub underscores: bool,
    /// How much is read of a message.
    pub limits: &'a Limits,
}

/// A message as it was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The method of a request, the status of an answer.
    pub what: String,
    /// The target of a request.
    pub target: String,
    /// The fields as they reach a service, in the order of the map.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The content.
    pub content: Vec<u8>,
    /// The trailer section.
    pub trailers: Vec<(String, Vec<u8>)>,
    /// Whether another message may follow on the connection.
    pub keep_alive: bool,
    /// What is sent to the other side.
    pub passed_on: Vec<u8>,
}

/// What a connection's bytes were understood as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Understood {
    /// Every whole message.
    pub messages: Vec<Message>,
    /// Why the reading ended, if not because there were no more bytes.
    pub refused: Option<String>,
    /// How many bytes at the end belong to no whole message.
    pub left: usize,
    /// The most bytes that waited for others.
    pub waiting: usize,
}

/// Reads requests and passes them on to a replica.
pub fn requests(bytes: &[u8], way: Way<'_>) -> Understood {
    read(bytes, way, |connection| connection.request())
}

/// Reads answers and passes them on to a client, all of them for requests with or without the method HEAD.
pub fn answers(bytes: &[u8], to_head: bool, way: Way<'_>) -> Understood {
    let asked = if to_head { RequestMethod::Head } else { RequestMethod::Other };
    read(bytes, way, |connection| connection.answer(asked))
}

fn read(
    bytes: &[u8],
    way: Way<'_>,
    mut next: impl FnMut(&mut Connection<'_>) -> Result<Option<Message>, Violation>,
) -> Understood {
    let mut connection = Connection::new(bytes, way);
    let mut understood = Understood::default();
    let mut open = true;
    while open {
        match next(&mut connection) {
            Ok(Some(message)) => {
                open = message.keep_alive;
                understood.messages.push(message);
                understood.left = connection.left();
            }
            Ok(None) => open = false,
            Err(violation) => {
                understood.refused = Some(violation.in_request().message().to_owned());
                open = false;
            }
        }
    }
    if understood.messages.is_empty() {
        understood.left = bytes.len();
    }
    understood.waiting = connection.waiting;
    understood
}

/// Bytes that arrive in pieces.
struct Connection<'a> {
    arriving: vec::IntoIter<&'a [u8]>,
    buffer: BytesMut,
    way: Way<'a>,
    waiting: usize,
}

impl<'a> Connection<'a> {
    fn new(bytes: &'a [u8], way: Way<'a>) -> Self {
        let mut pieces = Vec::new();
        let mut rest = bytes;
        let mut from = 0;
        for cut in way.cuts {
            let (piece, behind) = rest.split_at(cut.saturating_sub(from).min(rest.len()));
            from += piece.len();
            pieces.push(piece);
            rest = behind;
        }
        pieces.push(rest);
        Self { arriving: pieces.into_iter(), buffer: BytesMut::new(), way, waiting: 0 }
    }

    fn left(&self) -> usize {
        self.buffer.len() + self.arriving.as_slice().iter().map(|piece| piece.len()).sum::<usize>()
    }

    /// Takes the next piece in; `None` when nothing more will come.
    fn fill(&mut self) -> Option<()> {
        self.waiting = self.waiting.max(self.buffer.len());
        self.buffer.extend_from_slice(self.arriving.next()?);
        Some(())
    }

    fn rules(&self) -> Rules {
        let keep = if self.way.verbatim { Keep::Verbatim } else { Keep::Map };
        Rules::for_responses(*self.way.limits, keep)
    }

    /// Reads a head: once, or as one that comes for the third time.
    fn head<H: Head>(
        &self,
        bytes: &Bytes,
        rules: &Rules,
        parse: impl Fn(&Bytes) -> Result<H, Violation>,
    ) -> Result<H, Violation> {
        let mut heads = Heads::default();
        for _ in 0..if self.way.known { 3 } else { 0 } {
            heads.read(bytes, rules, &parse)?;
        }
        heads.take().map_or_else(|| parse(bytes), Ok)
    }

    fn request(&mut self) -> Result<Option<Message>, Violation> {
        let mut scan = HeadScan::default();
        let length = loop {
            match request::find(&mut scan, &self.buffer, self.way.limits)? {
                Some(length) => break length,
                None if self.fill().is_some() => {}
                None => return Ok(None),
            }
        };
        let underscores = if self.way.underscores { Underscores::Pass } else { Underscores::Drop };
        let bytes = self.buffer.split_to(length).freeze();
        let rules = Rules { underscores, ..self.rules() };
        let head = self.head(&bytes, &rules, |bytes| request::parse(bytes, &rules))?;
        let decoder = Decoder::new(head.terms.framing, self.way.limits.body_bytes)?.treating(underscores);
        let Some(received) = self.body(decoder)? else { return Ok(None) };
        let mut replica = Replica::default();
        let (body, keep_alive) = (received.body(self.way.streams), head.terms.keep_alive);
        let peer = ([10, 0, 0, 1], 4711).into();
        let answer = Proxy::new(&mut replica, peer, ProxyRules::default()).call(head.with(body));
        // The proxy itself answers what may go no further.
        let _answered = now(answer);
        Ok(Some(replica.message(&received, keep_alive)))
    }

    fn answer(&mut self, asked: RequestMethod) -> Result<Option<Message>, Violation> {
        let head = loop {
            let mut scan = HeadScan::default();
            let length = loop {
                match response::find(&mut scan, &self.buffer, self.way.limits)? {
                    Some(length) => break length,
                    None if self.fill().is_some() => {}
                    None => return Ok(None),
                }
            };
            let bytes = self.buffer.split_to(length).freeze();
            let rules = self.rules();
            let parse = |bytes: &Bytes| response::parse(bytes, asked, &rules);
            // As in an endpoint: answers to the usual methods are remembered.
            let usual = asked == RequestMethod::Other;
            let head = if usual { self.head(&bytes, &rules, parse)? } else { parse(&bytes)? };
            if !head.status.is_informational() {
                break head;
            }
        };
        let Some(received) = self.body(Decoder::new(head.framing, self.way.limits.body_bytes)?)? else {
            return Ok(None);
        };
        let keep_alive = head.keep_alive;
        let mut replica = Answering(Some(head.with(received.body(self.way.streams))));
        let peer = ([10, 0, 0, 1], 4711).into();
        let mut proxy = Proxy::new(&mut replica, peer, ProxyRules::default());
        let Ok(answer) = now(proxy.call(Request::new(Body::empty())));
        Ok(Some(client(answer, asked, &received, keep_alive)))
    }

    /// Reads a body; nothing if the bytes end before it.
    fn body(&mut self, mut decoder: Decoder) -> Result<Option<Received>, Violation> {
        let mut received = Received::default();
        loop {
            match decoder.decode(&mut self.buffer)? {
                Decoded::Data(data) => received.pieces.push(data),
                Decoded::Trailers(trailers) => received.trailers = Some(trailers),
                Decoded::End => return Ok(Some(received)),
                Decoded::More if self.fill().is_some() || decoder.close() => {}
                Decoded::More => return Ok(None),
            }
        }
    }
}

#[derive(Default)]
struct Received {
    pieces: Vec<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Received {
    fn body(&self, streams: bool) -> Body {
        if !streams && self.trailers.is_none() {
            return Body::from(self.pieces.concat());
        }
        let mut frames: Vec<_> = self.pieces.iter().cloned().map(Frame::data).collect();
        frames.extend(self.trailers.clone().map(Frame::trailers));
        Body::stream(Frames(frames.into_iter()))
    }
}

/// A body of which every piece is there.
struct Frames(vec::IntoIter<Frame<Bytes>>);

impl HttpBody for Frames {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Poll::Ready(self.0.next().map(Ok))
    }
}

/// Writes down what it is asked.
#[derive(Default)]
struct Replica {
    method: Method,
    target: String,
    fields: HeaderMap,
    sent: Vec<u8>,
}

impl Service<Request<Body>> for &mut Replica {
    type Response = Response<Body>;
    type Error = Error;
    type Future = Ready<Result<Response<Body>, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (head, body) = request.into_parts();
        self.fields = head.headers.clone();
        self.fields.extend(body.fields().map(|fields| fields.to_map()).unwrap_or_default());
        (self.method, self.target) = (head.method.clone(), head.uri.to_string());
        let mut outgoing = Outgoing::default();
        let framing = encode_request(outgoing.head(), &head, &body, REPLICA);
        outgoing.start(framing, body);
        self.sent = written(outgoing);
        ready(Ok(Response::new(Body::empty())))
    }
}

impl Replica {
    fn message(self, received: &Received, keep_alive: bool) -> Message {
        Message {
            what: self.method.to_string(),
            target: self.target,
            fields: listed(&self.fields),
            content: received.pieces.concat(),
            trailers: received.trailers.as_ref().map(listed).unwrap_or_default(),
            keep_alive,
            passed_on: self.sent,
        }
    }
}

/// Answers once.
struct Answering(Option<Response<Body>>);

impl Service<Request<Body>> for &mut Answering {
    type Response = Response<Body>;
    type Error = std::convert::Infallible;
    type Future = Ready<Result<Response<Body>, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        ready(Ok(self.0.take().unwrap_or_default()))
    }
}

fn client(
    mut answer: Response<Body>,
    asked: RequestMethod,
    received: &Received,
    keep_alive: bool,
) -> Message {
    let body = std::mem::take(answer.body_mut());
    let status: StatusCode = answer.status();
    let mut fields = answer.headers().clone();
    fields.extend(body.fields().map(|fields| fields.to_map()).unwrap_or_default());
    let (mut outgoing, mut persistence) = (Outgoing::default(), Persistence::KeepAlive);
    let asked = (asked, Version::HTTP_11);
    let framing = encode_response(outgoing.head(), &answer, &body, asked, &mut persistence);
    outgoing.start(framing, body);
    Message {
        what: status.as_str().to_owned(),
        target: String::new(),
        fields: listed(&fields),
        content: received.pieces.concat(),
        trailers: received.trailers.as_ref().map(listed).unwrap_or_default(),
        keep_alive,
        passed_on: written(outgoing),
    }
}

fn listed(fields: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    fields.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect()
}

fn written(mut outgoing: Outgoing) -> Vec<u8> {
    let mut out = Vec::new();
    let failed = now(poll_fn(|cx| outgoing.poll_write(cx, &mut out))).err();
    assert!(failed.is_none(), "a body in memory is as long as it says: {failed:?}");
    out
}

/// Returns the output of a future that is ready at once.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("everything is in memory"),
    }
}
