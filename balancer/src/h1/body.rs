//! The body of a request or an answer: whole in memory, or still on its way.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::tunnel::Tunnel;
use super::verbatim::Verbatim;
use crate::error::{Error, ErrorKind};

/// The body of a request or an answer.
///
/// A small body is whole in memory: it costs no allocation of its own, and a request that carries it can be asked
/// again. A larger one streams from the connection that it arrives on, which it gives back when it has ended.
///
/// ```
/// use http_body::Body as _;
/// use martello_balancer::Body;
///
/// let body = Body::from("21.5");
/// assert_eq!(body.size_hint().exact(), Some(4));
/// assert_eq!(body.as_bytes().map(|bytes| &bytes[..]), Some(&b"21.5"[..]));
/// ```
#[derive(Default)]
pub struct Body {
    content: Content,
    /// The fields of the message, while nobody needs them in a map. Inside a balancer alone: whatever a user's
    /// service gets has its fields where `http` has them.
    fields: Option<Verbatim>,
}

#[derive(Default)]
enum Content {
    #[default]
    Empty,
    Whole(Bytes),
    Stream(Pin<Box<dyn HttpBody<Data = Bytes, Error = Error> + Send>>),
    /// No content, but what goes on in its place.
    Tunnel(Box<Tunnel>),
}

impl Body {
    /// Returns a body without content.
    pub const fn empty() -> Self {
        Self { content: Content::Empty, fields: None }
    }

    /// Wraps any other body, such as the answer of a service in this process.
    pub fn new<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self::stream(Foreign { body: Box::pin(body) })
    }

    /// Wraps a body that already speaks this crate's errors.
    pub(crate) fn stream(body: impl HttpBody<Data = Bytes, Error = Error> + Send + 'static) -> Self {
        Self { content: Content::Stream(Box::pin(body)), fields: None }
    }

    /// Returns what stands in an answer that switches protocols.
    pub(crate) fn tunnel(tunnel: Tunnel) -> Self {
        Self { content: Content::Tunnel(Box::new(tunnel)), fields: None }
    }

    pub(crate) fn as_tunnel(&self) -> Option<&Tunnel> {
        if let Content::Tunnel(tunnel) = &self.content { Some(tunnel) } else { None }
    }

    pub(crate) fn as_tunnel_mut(&mut self) -> Option<&mut Tunnel> {
        if let Content::Tunnel(tunnel) = &mut self.content { Some(tunnel) } else { None }
    }

    pub(crate) fn take_tunnel(&mut self) -> Option<Box<Tunnel>> {
        self.as_tunnel()?;
        match std::mem::take(&mut self.content) {
            Content::Tunnel(tunnel) => Some(tunnel),
            Content::Empty | Content::Whole(_) | Content::Stream(_) => None,
        }
    }

    /// Returns the content when the whole of it is in memory, `None` when it streams.
    ///
    /// Content that was taken out by polling is no longer there: ask before.
    pub fn as_bytes(&self) -> Option<&Bytes> {
        static NONE: Bytes = Bytes::new();
        match &self.content {
            Content::Empty => Some(&NONE),
            Content::Whole(bytes) => Some(bytes),
            Content::Stream(_) | Content::Tunnel(_) => None,
        }
    }

    /// Returns a copy that shares the content, if the whole of it is in memory.
    pub fn try_clone(&self) -> Option<Self> {
        let content = self.as_bytes().cloned().map(Self::from)?;
        Some(Self { fields: self.fields.clone(), ..content })
    }

    /// Returns the body with the fields of its message.
    pub(crate) fn with_fields(self, fields: Option<Verbatim>) -> Self {
        Self { fields, ..self }
    }

    /// Puts the fields of the message beside its body.
    pub(super) fn put_fields(&mut self, fields: Verbatim) {
        self.fields = Some(fields);
    }

    /// Returns the fields of the message, if they are not in its map.
    pub(crate) fn fields(&self) -> Option<&Verbatim> {
        self.fields.as_ref()
    }

    /// Returns the fields of the message, to add to them.
    pub(crate) fn fields_mut(&mut self) -> Option<&mut Verbatim> {
        self.fields.as_mut()
    }

    /// Takes the fields out, to put them into a map.
    pub(crate) fn take_fields(&mut self) -> Option<Verbatim> {
        self.fields.take()
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        match &mut this.content {
            Content::Empty | Content::Tunnel(_) => Poll::Ready(None),
            Content::Stream(body) => body.as_mut().poll_frame(cx),
            Content::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                this.content = Content::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Empty | Content::Tunnel(_) => true,
            Content::Whole(_) => false,
            Content::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Empty | Content::Tunnel(_) => SizeHint::with_exact(0),
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Stream(body) => body.size_hint(),
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        let content = if bytes.is_empty() { Content::Empty } else { Content::Whole(bytes) };
        Self { content, fields: None }
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::from(Bytes::from(text))
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Self::from(Bytes::from_static(text.as_bytes()))
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(Bytes::from(bytes))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The content may be somebody's data: only its size is told.
        let size = self.size_hint();
        f.debug_struct("Body").field("at_least", &size.lower()).field("exact", &size.exact()).finish()
    }
}

/// A body whose errors are another crate's.
struct Foreign<B> {
    body: Pin<Box<B>>,
}

impl<B> HttpBody for Foreign<B>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = self.body.as_mut().poll_frame(cx);
        polled.map(|frame| frame.map(|frame| frame.map_err(failed)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn failed(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    match source.into().downcast::<Error>() {
        Ok(ours) => *ours,
        Err(foreign) => Error::new(ErrorKind::Service, "a body failed on its way").because(foreign),
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};

    use super::*;

    #[tokio::test]
    async fn a_whole_body_is_seen_and_read_once() {
        let body = Body::from(String::from("abc"));
        assert_eq!(body.as_bytes().map(Bytes::len), Some(3));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "abc");
    }

    #[tokio::test]
    async fn any_body_can_stand_in() {
        let body = Body::new(Full::new(Bytes::from_static(b"abc")));
        assert!(body.as_bytes().is_none());
        assert_eq!(body.size_hint().exact(), Some(3));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "abc");
    }

    #[test]
    fn empty_is_empty_however_it_was_made() {
        for body in [Body::empty(), Body::default(), Body::from(""), Body::from(Vec::new())] {
            assert!(body.is_end_stream());
            assert_eq!(body.as_bytes().map(Bytes::len), Some(0));
        }
    }

    #[test]
    fn content_does_not_show_in_debug() {
        assert!(!format!("{:?}", Body::from("secret")).contains("secret"));
    }
}
