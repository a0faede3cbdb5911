//! A body that keeps something, such as its count as in flight, until it ends.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::{Body, Error, Fault, InFlight};

/// What is kept for as long as a body is on its way.
pub(crate) trait Kept: Send + Unpin + 'static {
    /// Told if the endpoint did not send the whole.
    fn broke_off(&self) {}
}

impl Kept for InFlight {
    fn broke_off(&self) {
        Self::broke_off(self);
    }
}

/// Returns the body, which keeps what it is given until it has ended or is dropped.
pub(crate) fn counted(body: Body, kept: impl Kept) -> Body {
    let mut body = body;
    if let Some(tunnel) = body.as_tunnel_mut() {
        tunnel.keep(kept);
        return body;
    }
    let fields = body.take_fields();
    Body::stream(Counted { body, kept: Some(kept) }).with_fields(fields)
}

struct Counted<G> {
    body: Body,
    kept: Option<G>,
}

impl<G: Kept> HttpBody for Counted<G> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let (Poll::Ready(Some(Err(error))), Some(kept)) = (&polled, &self.kept)
            && error.fault() == Fault::Upstream
        {
            kept.broke_off();
        }
        let ended = matches!(polled, Poll::Ready(None | Some(Err(_)))) || self.body.is_end_stream();
        if ended {
            self.kept = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU16, sync::Arc};

    use http_body_util::{BodyExt, Full};

    use super::*;
    use crate::{ErrorKind, Load};

    #[tokio::test]
    async fn a_body_is_in_flight_until_it_ends_or_is_dropped() {
        let load = Arc::new(Load::new(1, NonZeroU16::MIN));
        let stream = || Body::new(Full::new(Bytes::from_static(b"abc")));
        let mut body = counted(stream(), InFlight::begin(&load));
        let dropped = counted(stream(), InFlight::begin(&load));
        assert_eq!(load.in_flight(), 2);
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "abc");
        assert_eq!(load.in_flight(), 1);
        drop(dropped);
        assert_eq!(load.in_flight(), 0);
        assert_eq!(load.take_broken(), 0, "who does not want the rest says nothing of the endpoint");
    }

    struct Breaks(ErrorKind);

    impl HttpBody for Breaks {
        type Data = Bytes;
        type Error = Error;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
            Poll::Ready(Some(Err(Error::new(self.0, "it broke off"))))
        }
    }

    #[tokio::test]
    async fn only_the_endpoint_can_break_a_body_off() {
        for (kind, broken) in [(ErrorKind::UpstreamReset, 1), (ErrorKind::ClientGone, 0)] {
            let load = Arc::new(Load::new(1, NonZeroU16::MIN));
            let mut body = counted(Body::stream(Breaks(kind)), InFlight::begin(&load));
            assert!(body.frame().await.unwrap().is_err());
            assert_eq!((load.take_broken(), load.in_flight()), (broken, 0), "{kind:?}");
        }
    }
}
