//! Threads that serve connections, each with a runtime of its own.
//!
//! A connection stays on the thread that it was given to, with the connections to replicas that it uses: nothing of
//! a request crosses from one thread to another, which costs a wake-up each time. One runtime for all threads paid
//! a quarter more processor time for the same requests.

use std::cell::Cell;
use std::io;
use std::sync::{Arc, mpsc};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

thread_local! {
    static NUMBER: Cell<usize> = const { Cell::new(0) };
}

/// Returns the number of the worker on whose thread this is asked, counted from 1; 0 on any other thread.
pub(crate) fn number() -> usize {
    NUMBER.get()
}

/// The workers; they end when this is dropped.
#[derive(Debug)]
pub(super) struct Workers {
    all: Vec<Worker>,
}

#[derive(Debug)]
struct Worker {
    handle: Handle,
    /// Its clones are counted: each connection has one.
    place: Arc<()>,
    /// Dropped to end the thread.
    _end: oneshot::Sender<()>,
}

/// A connection's place at its worker.
#[derive(Debug)]
pub(super) struct Place {
    _counted: Arc<()>,
}

impl Workers {
    /// Starts so many; none for connections to be served on the runtime of the caller.
    pub(super) fn start(count: usize) -> Self {
        let mut all = Vec::with_capacity(count);
        for number in 1..=count {
            match Worker::start(number) {
                Ok(worker) => all.push(worker),
                Err(error) => {
                    tracing::error!(%error, workers = all.len(), "no further thread could be started");
                    break;
                }
            }
        }
        Self { all }
    }

    /// Returns the runtime with the fewest connections, and a place there; nothing if there are no workers.
    pub(super) fn place(&self) -> Option<(&Handle, Place)> {
        let least = self.all.iter().min_by_key(|worker| Arc::strong_count(&worker.place))?;
        Some((&least.handle, Place { _counted: Arc::clone(&least.place) }))
    }
}

impl Worker {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        let (running, is_running) = mpsc::channel();
        let body = move || {
            NUMBER.set(number);
            runtime.block_on(async {
                let _ = running.send(());
                // Both a message and its sender's end mean the same.
                let _ = ended.await;
            });
        };
        thread::Builder::new().name(format!("balancer-{number}")).spawn(body)?;
        is_running.recv().map_err(io::Error::other)?;
        Ok(Self { handle, place: Arc::new(()), _end: end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_go_to_the_worker_with_the_fewest() {
        let workers = Workers::start(2);
        let take = || workers.place().expect("there are two");
        let places = [take(), take(), take()];
        let mut numbers = Vec::new();
        for (handle, _) in &places {
            numbers.push(handle.spawn(async { number() }).await.unwrap());
        }
        numbers[..2].sort_unstable();
        assert_eq!(numbers[..2], [1, 2]);
        assert_eq!(number(), 0, "the test's own thread is no worker");
        drop(places);
        assert!(workers.all.iter().all(|worker| Arc::strong_count(&worker.place) == 1));
    }

    #[tokio::test]
    async fn there_need_not_be_any() {
        assert!(Workers::start(0).place().is_none());
    }
}
