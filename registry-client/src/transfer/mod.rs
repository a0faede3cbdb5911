//! Local files on their way out and in, on threads of their own: the disk and the checksum do not wait for the network, nor it for them, and
//! no byte is copied in this process or hashed twice.

mod copy;
#[cfg(feature = "rest")]
mod pace;
mod read;
mod write;

pub(crate) use copy::copy;
#[cfg(feature = "rest")]
pub(crate) use pace::Pace;
pub(crate) use read::FilePieces;
pub(crate) use write::FileWriter;

use tokio::sync::oneshot;

use crate::{Error, ErrorKind, Result};

/// How much is read, or handed over, at once: a core's own cache holds it from one step to the next.
const PIECE_BYTES: usize = 256 << 10;

/// How many pieces may wait between two threads. One more than each holds is enough for neither to wait for the other.
const AHEAD: usize = 4;

fn lost(ended: oneshot::error::RecvError) -> Error {
    Error::new(ErrorKind::Unavailable, "the thread that writes a file has ended").with_source(ended)
}

/// Runs work on a thread of its own: not one of the runtime's, which may have fewer than a transfer needs at a time.
fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<oneshot::Receiver<T>> {
    let (done, outcome) = oneshot::channel();
    let started = std::thread::Builder::new().name("registry-file".to_owned()).spawn(move || {
        // Nobody waits for work that was given up.
        let _ = done.send(work());
    });
    match started {
        Ok(_) => Ok(outcome),
        Err(error) => {
            Err(Error::new(ErrorKind::Unavailable, "cannot start a thread for a transfer").with_source(error))
        }
    }
}
