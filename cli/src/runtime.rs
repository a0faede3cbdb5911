//! The runtime that a command runs on, and the signals that end it.

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long work on blocking threads may outlive its command: a lookup by `getaddrinfo` cannot be cancelled and takes
/// seconds while the name servers are silent, which an orderly stop must not wait for.
const LINGER: Duration = Duration::from_millis(500);

/// What a shell reports for a process that a signal ended is this and the signal's number.
const ENDED_BY_SIGNAL: u8 = 128;

/// Whether the command ends by itself, in its own order, when it is asked to.
static ENDS_ITSELF: AtomicBool = AtomicBool::new(false);

/// How many threads a command's runtime has.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Threads {
    /// The process's own alone, for a command that starts others itself where it needs them. In a process of one thread
    /// system calls cost less: nobody else can close a descriptor that one of them uses.
    One,
    /// As many as there are processors.
    Processors,
}

/// Runs a command to its end, or until SIGTERM or SIGINT if it has no end of its own to make.
///
/// The signals are listened for from the beginning and for every command: process 1 of a container, unlike any other,
/// is not ended by a signal that it does not handle.
///
/// One processor gets one thread: more of them would only spend a CPU quota faster.
pub(crate) fn run(
    threads: Threads,
    command: impl Future<Output = anyhow::Result<ExitCode>>,
) -> anyhow::Result<ExitCode> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut builder = match threads {
        Threads::Processors if processors > 1 => tokio::runtime::Builder::new_multi_thread(),
        Threads::Processors | Threads::One => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = builder.enable_all().build().context("cannot start the runtime")?;
    let result = runtime.block_on(async {
        let (mut terminate, mut interrupt) = listen()?;
        let ended = async {
            loop {
                let signal = either(&mut terminate, &mut interrupt).await;
                if !ENDS_ITSELF.load(Ordering::SeqCst) {
                    return ExitCode::from(ENDED_BY_SIGNAL + signal);
                }
            }
        };
        tokio::select! {
            result = command => result,
            code = ended => Ok(code),
        }
    });
    runtime.shutdown_timeout(LINGER);
    result
}

/// Raises the limit of open files as far as the system allows: a connection is a descriptor, and many systems begin with 1,024.
pub(crate) fn raise_descriptor_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most).map(|()| most));
    match raised {
        Ok(most) => tracing::debug!(descriptors = most, "descriptor limit"),
        Err(error) => tracing::warn!(%error, "cannot raise the limit of open files"),
    }
}

/// Completes at the first SIGTERM or SIGINT, and stays complete; the second one ends the process at once.
///
/// From this call on the command ends itself: before it, a signal ends the process.
pub(crate) fn shutdown_requested() -> anyhow::Result<Shutdown> {
    let (mut terminate, mut interrupt) = listen()?;
    ENDS_ITSELF.store(true, Ordering::SeqCst);
    let first = Box::pin(async move {
        let first = either(&mut terminate, &mut interrupt).await;
        tokio::spawn(async move {
            let signal = either(&mut terminate, &mut interrupt).await;
            std::process::exit((ENDED_BY_SIGNAL + signal).into());
        });
        first
    });
    Ok(Shutdown { first, came: None })
}

/// The wish that the command ends.
pub(crate) struct Shutdown {
    first: Pin<Box<dyn Future<Output = u8> + Send>>,
    /// The number of the signal.
    came: Option<u8>,
}

impl Shutdown {
    /// Returns the exit code of a command that the signal has kept from its work: the one that a shell reports for it.
    pub(crate) fn exit_code(&self) -> ExitCode {
        self.came.map_or(ExitCode::FAILURE, |signal| ExitCode::from(ENDED_BY_SIGNAL + signal))
    }
}

impl Future for Shutdown {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.came.is_none() {
            self.came = Some(ready!(self.first.as_mut().poll(context)));
        }
        Poll::Ready(())
    }
}

/// Gets something ready, or gives up on it when the command is asked to end.
pub(crate) async fn unless_ended<T>(
    shutdown: &mut Shutdown,
    preparation: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<Option<T>> {
    tokio::select! {
        ready = preparation => ready.map(Some),
        () = shutdown => Ok(None),
    }
}

fn listen() -> anyhow::Result<(Signal, Signal)> {
    let listen = |kind| signal(kind).context("cannot listen for signals");
    Ok((listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?))
}

/// Waits for one of the two and returns its number.
async fn either(terminate: &mut Signal, interrupt: &mut Signal) -> u8 {
    tokio::select! {
        _ = terminate.recv() => 15,
        _ = interrupt.recv() => 2,
    }
}
