//! File and database work off the runtime's own threads.

use crate::{Error, ErrorKind, Result};

/// Runs work that blocks; if it panics, the panic goes on in the caller.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
        Err(ended) => {
            Err(Error::new(ErrorKind::Unavailable, "the runtime is shutting down").with_source(ended))
        }
    }
}
