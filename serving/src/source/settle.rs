//! What becomes of a model that was loaded, or was not.

use std::error::Error as StdError;

use martello_registry_client::{ModelUri, ModelVersion};

use crate::{Error, RefusedModel, ServedModel, Slot};

/// Returns how a version is called in notes: by its number, since a stage or alias means another one tomorrow.
pub(super) fn name(uri: &ModelUri, version: Option<&ModelVersion>) -> String {
    version.map_or_else(|| uri.to_string(), |version| format!("models:/{}/{}", version.name, version.version))
}

/// Returns true if a slot serves that version.
pub(super) fn is_in_service(slot: &Slot, version: Option<&ModelVersion>) -> bool {
    let (Some(served), Some(version)) = (slot.load(), version) else { return false };
    served.name() == version.name && served.version() == Some(version.version)
}

/// Returns true if a slot has refused that version, for what it is and not for how it came.
pub(super) fn was_refused(slot: &Slot, uri: &ModelUri, version: Option<&ModelVersion>) -> bool {
    version.is_some() && slot.refused().is_some_and(|refused| refused.uri == name(uri, version))
}

/// Puts a model into service.
pub(super) fn accept(slot: &Slot, uri: &ModelUri, served: ServedModel) {
    tracing::info!(%uri, model = served.name(), version = served.version(), "model in service");
    slot.offer(served);
}

/// Notes why a model is not served.
pub(super) fn refuse(slot: &Slot, model: &str, error: Error) -> Error {
    let reason = chain(&error);
    tracing::error!(model, reason, "a model was refused");
    slot.note_refused(RefusedModel { uri: model.to_owned(), reason });
    error
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
