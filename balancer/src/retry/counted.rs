//! A body that keeps something, such as its count as in flight, until it ends.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::{Body, Error};

/// Returns the body, which keeps what it is given until it has ended or is dropped.
pub(crate) fn counted<G: Send + Unpin + 'static>(body: Body, kept: G) -> Body {
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

impl<G: Unpin> HttpBody for Counted<G> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
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
    use crate::{InFlight, Load};

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
    }
}
