//! Following a URI that moves.

use std::error::Error as StdError;

use martello_registry_client::{ModelUri, WatchEvent, WatchOptions};
use tokio::task::JoinHandle;

use super::ModelSource;
use crate::{Error, RefusedModel, ServedModel, Slot};

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
    loop {
        match watch.next().await {
            WatchEvent::PointsTo(resolved) => {
                let version = resolved.version.as_ref().map(|version| version.version);
                if version.is_none() || version != serving(&slot) {
                    // The slot notes a failure and the log tells it; the next change is waited for all the same.
                    drop(source.load_into(&slot).await);
                }
            }
            WatchEvent::PointsToNothing => {
                tracing::warn!(uri = %source.uri, "points to nothing: the model in service stays");
            }
            // The registry's client has told the log, and asks again.
            WatchEvent::Failed(_) => {}
        }
    }
}

fn serving(slot: &Slot) -> Option<u32> {
    slot.load().and_then(|served| served.version())
}

/// Puts a loaded model into service, or notes why there is none.
pub(super) fn settle(slot: &Slot, uri: &ModelUri, loaded: Result<ServedModel, Error>) -> Result<(), Error> {
    match loaded {
        Ok(served) => {
            tracing::info!(%uri, model = served.name(), version = served.version(), "model in service");
            slot.put(served);
            Ok(())
        }
        Err(error) => {
            let reason = chain(&error);
            tracing::error!(%uri, reason, "a model was refused");
            slot.note_refused(RefusedModel { uri: uri.to_string(), reason });
            Err(error)
        }
    }
}

/// Returns what an error says with all its causes, for people who see no more than one line.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
