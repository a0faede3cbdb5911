//! Bytes on their way into and out of an artifact store.

use std::path::PathBuf;
use std::pin::Pin;

use bytes::Bytes;
use futures_core::Stream;

use crate::Result;

/// Bytes on their way out: pieces in order, or the error that ended them.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// Bytes on their way in. Not a stream but where to get one, so that a store can send them again after a failure.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub enum Content {
    /// The bytes themselves.
    Memory(Bytes),
    /// A local file, read piece by piece: it need not fit into memory.
    File(PathBuf),
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Memory(bytes.into())
    }
}

impl From<&'static str> for Content {
    fn from(text: &'static str) -> Self {
        Self::Memory(Bytes::from_static(text.as_bytes()))
    }
}
