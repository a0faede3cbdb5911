//! A part of a file on its way into memory, while those before it are handed out.

use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::{Error, ErrorKind, Result};

/// A part that is being read; dropped, it is given up.
pub(super) struct UnderWay(JoinHandle<Result<Bytes>>);

impl UnderWay {
    /// Reads a part in a task of its own.
    pub(super) fn begin(part: impl Future<Output = Result<Bytes>> + Send + 'static) -> Self {
        Self(tokio::spawn(part))
    }

    /// Returns all of its bytes, once they are here.
    pub(super) async fn bytes(mut self) -> Result<Bytes> {
        (&mut self.0).await.map_err(|ended| {
            Error::new(ErrorKind::Unavailable, "the runtime is shutting down").with_source(ended)
        })?
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.abort();
    }
}
