//! `martello registry fetch`: a model's files, in a folder of the caller's.

use std::path::Path;

use martello_registry_client::{Cache, ModelUri, Registry};

use super::progress::Bar;

/// Copies a model's files into a new folder and returns how many there are.
pub(super) async fn fetch(
    registry: &Registry,
    cache: Cache,
    uri: &ModelUri,
    to: &Path,
) -> anyhow::Result<usize> {
    let bar = Bar::on_terminal();
    let model = registry.fetch_with(uri, &cache, &bar).await?;
    Ok(model.copy_with(to, &bar).await?)
}
