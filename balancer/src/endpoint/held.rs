//! An answer in chunks that is held until it is whole.

use bytes::BytesMut;
use http::HeaderMap;

use super::config::EndpointConfig;
use crate::h1::{Decoder, Framing, Ready, Violation};

/// What has come of an answer whose length nobody knows, and which can be asked for again as long as nothing of it was
/// passed on.
#[derive(Debug)]
pub(super) struct Held {
    decoder: Decoder,
    content: BytesMut,
    trailers: Option<HeaderMap>,
    most: usize,
}

impl Held {
    /// Begins with nothing of a body in chunks.
    pub(super) fn new(config: &EndpointConfig) -> Result<Self, Violation> {
        let decoder = Decoder::new(Framing::Chunked, config.limits.body_bytes)?;
        Ok(Self { decoder, content: BytesMut::new(), trailers: None, most: config.held_response })
    }

    /// Takes what has come in; returns whether to hold it no longer: it is whole, or larger than what is held.
    pub(super) fn take_in(&mut self, buffer: &mut BytesMut) -> Result<bool, Violation> {
        let Ready { content, trailers } = self.decoder.decode_ready(buffer)?;
        self.content.extend_from_slice(&content);
        self.trailers = trailers;
        Ok(self.decoder.is_done() || self.content.len() > self.most)
    }

    /// Returns what was held, and what decodes the rest.
    pub(super) fn release(self) -> (Decoder, Ready) {
        (self.decoder, Ready { content: self.content.freeze(), trailers: self.trailers })
    }
}
