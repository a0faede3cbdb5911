//! Taking connections from a listener whatever happens.

use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

/// The first pause after an error that a new attempt will meet again, such as no free file descriptors. 5 ms: one
/// connection's close is enough to go on, and a spinning loop would keep the core from closing any.
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// The longest pause. 1 s: clients in the kernel's queue still wait.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Waits for the next connection. Errors are survived: one that concerns a single connection is skipped, one that
/// concerns the process is waited out.
pub(super) async fn accept(listener: &TcpListener) -> TcpStream {
    let mut pause = FIRST_PAUSE;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, ?pause, "cannot accept connections");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Returns the connections that stand in the kernel's queue: closing the listener would reset them, although their clients
/// may have sent a request already.
///
/// The listener is asked directly: tokio's readiness may not know yet of the last ones.
pub(super) fn waiting(listener: TcpListener) -> impl Iterator<Item = TcpStream> {
    let listener = listener.into_std();
    std::iter::from_fn(move || {
        let (stream, _) = listener.as_ref().ok()?.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        TcpStream::from_std(stream).ok()
    })
}

fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::Interrupted
    )
}
