//! Following a URI that moves.

use martello_registry_client::{WatchEvent, WatchOptions};
use tokio::task::JoinHandle;

use super::{ModelSource, settle};
use crate::{ErrorKind, Slot};

/// A task that keeps a slot at what a URI points to; dropping it ends the task, the slot keeps its model.
#[derive(Debug)]
#[must_use = "dropping the handle ends the following"]
pub struct Follow {
    task: JoinHandle<()>,
}

impl Follow {
    pub(super) fn start(source: ModelSource, slot: Slot, options: WatchOptions) -> Self {
        Self { task: tokio::spawn(follow(source, slot, options)) }
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(source: ModelSource, slot: Slot, options: WatchOptions) {
    let mut watch = source.registry.watch(source.uri.clone(), options);
    // What the registry pointed to and could not hand out: the watch tells it once, so trying again is ours to do.
    let mut missing = false;
    loop {
        let event = tokio::select! {
            event = watch.next() => event,
            () = tokio::time::sleep(options.interval), if missing => {
                missing = !brought(&source, &slot).await;
                continue;
            }
        };
        match event {
            WatchEvent::PointsTo(resolved) => {
                let version = resolved.version.as_ref();
                if settle::is_in_service(&slot, version) {
                    // Perhaps after a version that was refused: going back to the one in service is the end of that.
                    slot.clear_refused();
                    missing = false;
                } else {
                    let known = !missing && settle::was_refused(&slot, &source.uri, version);
                    missing = !known && !brought(&source, &slot).await;
                }
            }
            WatchEvent::PointsToNothing => {
                missing = false;
                tracing::warn!(uri = %source.uri, "points to nothing: the model in service stays");
            }
            // The registry's client has told the log, and asks again.
            WatchEvent::Failed(_) => {}
        }
    }
}

/// Loads what the URI points to. False if the registry did not bring it, which may be otherwise next time; a version that
/// was brought and refused would be refused again.
async fn brought(source: &ModelSource, slot: &Slot) -> bool {
    source.load_into(slot).await.map_or_else(|error| error.kind() != ErrorKind::Fetch, |()| true)
}
