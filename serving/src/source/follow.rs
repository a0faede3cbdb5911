//! Following a URI that moves.

use std::error::Error as StdError;

use martello_registry_client::{ModelUri, WatchEvent, WatchOptions};
use tokio::task::JoinHandle;

use super::ModelSource;
use crate::{Error, ErrorKind, RefusedModel, ServedModel, Slot};

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
                let version = resolved.version.map(|version| version.version);
                let in_service = slot.load().and_then(|served| served.version());
                missing = (version.is_none() || version != in_service) && !brought(&source, &slot).await;
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

/// Puts a loaded model into service, or notes why there is none.
pub(super) fn settle(slot: &Slot, uri: &ModelUri, loaded: Result<ServedModel, Error>) -> Result<(), Error> {
    match loaded {
        Ok(served) => {
            tracing::info!(%uri, model = served.name(), version = served.version(), "model in service");
            slot.offer(served);
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
