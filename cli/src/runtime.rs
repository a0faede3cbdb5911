//! The runtime that a command runs on, and the signals that end it.

use std::future::Future;
use std::time::Duration;

use anyhow::Context;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long work on blocking threads may outlive its command: a lookup by `getaddrinfo` cannot be cancelled and takes
/// seconds while the name servers are silent, which an orderly stop must not wait for.
const LINGER: Duration = Duration::from_millis(500);

/// Runs a command to its end.
///
/// One processor gets a current-thread runtime: more workers would only spend a CPU quota faster.
pub(crate) fn run<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    raise_descriptor_limit();
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut builder = match processors {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.enable_all().build().context("cannot start the runtime")?;
    let result = runtime.block_on(command);
    runtime.shutdown_timeout(LINGER);
    result
}

/// Raises the limit of open files as far as the system allows: a connection is a descriptor, and many systems begin with 1,024.
fn raise_descriptor_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most).map(|()| most));
    match raised {
        Ok(most) => tracing::debug!(descriptors = most, "descriptor limit"),
        Err(error) => tracing::warn!(%error, "cannot raise the limit of open files"),
    }
}

/// Completes at the first SIGTERM or SIGINT; the second one ends the process at once.
pub(crate) fn shutdown_requested() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    Ok(async move {
        either(&mut terminate, &mut interrupt).await;
        tokio::spawn(async move {
            either(&mut terminate, &mut interrupt).await;
            // 128 + SIGINT: what a shell reports for a process that was interrupted.
            std::process::exit(130);
        });
    })
}

fn listen(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("cannot listen for signals")
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}
