//! Watching what an alias or a stage points to.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{Error, ModelUri, Registry, Resolved, Result};

/// How a URI is watched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WatchOptions {
    /// How long to wait between two looks, on average.
    pub interval: Duration,
    /// By which part of the interval each wait is longer or shorter at random, from 0 to 1: replicas that start together do not ask
    /// together ever after.
    pub jitter: f64,
}

impl Default for WatchOptions {
    /// Every five seconds (a promotion is done by people, and a look costs well under a millisecond), give or take a fifth.
    fn default() -> Self {
        Self { interval: Duration::from_secs(5), jitter: 0.2 }
    }
}

/// What a look at the registry brought.
#[derive(Debug)]
pub enum WatchEvent {
    /// The URI points to something: told first, after every change, and after every failure.
    PointsTo(Box<Resolved>),
    /// The URI points to nothing: the alias was removed, or no version is in the stage.
    PointsToNothing,
    /// The registry could not be asked. Told once; the watch goes on by itself.
    Failed(Error),
}

/// A stream of what a URI points to. It never ends by itself; dropping it ends the watching.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use martello_registry_client::{Registry, WatchEvent, WatchOptions};
///
/// let dir = tempfile::tempdir()?;
/// let registry = Registry::embedded(dir.path()).await?;
/// let mut watch = registry.watch("models:/fraud@champion".parse()?, WatchOptions::default());
/// assert!(matches!(watch.next().await, WatchEvent::PointsToNothing));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Watch {
    events: mpsc::Receiver<WatchEvent>,
}

impl Watch {
    pub(crate) fn start(registry: Registry, uri: ModelUri, options: WatchOptions) -> Self {
        // One event may wait: a consumer that is busy with one change finds the next when it comes back.
        let (sender, events) = mpsc::channel(1);
        tokio::spawn(watch(registry, uri, options, sender));
        Self { events }
    }

    /// Returns the next event; cancelling the call loses none.
    pub async fn next(&mut self) -> WatchEvent {
        match self.events.recv().await {
            Some(event) => event,
            // The task ends only with its runtime.
            None => std::future::pending().await,
        }
    }
}

impl Stream for Watch {
    type Item = WatchEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<WatchEvent>> {
        self.events.poll_recv(cx)
    }
}

/// What was told last, as far as it matters for telling it again.
#[derive(PartialEq)]
enum Told {
    Nothing,
    PointsTo(Box<Resolved>),
    PointsToNothing,
    Failed,
}

async fn watch(registry: Registry, uri: ModelUri, options: WatchOptions, events: mpsc::Sender<WatchEvent>) {
    let mut told = Told::Nothing;
    loop {
        let seen = registry.resolve(&uri).await;
        if let Some(event) = news(seen, &mut told) {
            if let WatchEvent::Failed(error) = &event {
                tracing::warn!(%uri, %error, "cannot see what the uri points to: watching goes on");
            }
            if events.send(event).await.is_err() {
                return;
            }
        }
        tokio::select! {
            () = events.closed() => return,
            () = tokio::time::sleep(pause(options)) => {}
        }
    }
}

fn news(seen: Result<Resolved>, told: &mut Told) -> Option<WatchEvent> {
    let (now, event) = match seen {
        Ok(resolved) => {
            let resolved = Box::new(resolved);
            (Told::PointsTo(Box::new(identity(&resolved))), WatchEvent::PointsTo(resolved))
        }
        Err(error) if error.is_not_found() => (Told::PointsToNothing, WatchEvent::PointsToNothing),
        Err(error) => (Told::Failed, WatchEvent::Failed(error)),
    };
    if now == *told {
        return None;
    }
    *told = now;
    Some(event)
}

/// Leaves out what may change while the model stays the same: descriptions, tags, stages, aliases.
fn identity(resolved: &Resolved) -> Resolved {
    let mut identity = resolved.clone();
    if let Some(version) = &mut identity.version {
        version.stage = crate::Stage::None;
        version.last_updated_time = version.creation_time;
        version.description = None;
        version.aliases.clear();
        version.tags.retain(|key, _| key == crate::MANIFEST_TAG);
    }
    identity
}

fn pause(options: WatchOptions) -> Duration {
    let random = (Uuid::new_v4().as_u128() >> 64) as u32;
    let swing = (f64::from(random) / f64::from(u32::MAX) * 2.0 - 1.0) * options.jitter.clamp(0.0, 1.0);
    options.interval.mul_f64(1.0 + swing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_stay_within_the_jitter_and_differ() {
        let options = WatchOptions { interval: Duration::from_secs(10), jitter: 0.2 };
        let pauses: Vec<_> = (0..1000).map(|_| pause(options)).collect();
        let (least, most) = (pauses.iter().min().unwrap(), pauses.iter().max().unwrap());
        assert!(*least >= Duration::from_secs(8) && *most <= Duration::from_secs(12));
        assert!(*most - *least > Duration::from_secs(3));
    }
}
