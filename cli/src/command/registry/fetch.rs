//! `martello registry fetch`: a model's files, in a folder of the caller's.

use std::path::Path;

use anyhow::Context;
use martello_registry_client::{ArtifactPath, Cache, ModelUri, Registry};

use super::progress::Bar;

/// Copies a model's files into a new folder and returns how many there are.
pub(super) async fn fetch(
    registry: &Registry,
    cache: Cache,
    uri: &ModelUri,
    to: &Path,
) -> anyhow::Result<usize> {
    let model = registry.fetch_with(uri, &cache, &Bar::on_terminal()).await?;
    let files = model.read_files().await?;
    std::fs::create_dir_all(to.parent().unwrap_or(to))
        .and_then(|()| std::fs::create_dir(to))
        .with_context(|| format!("cannot make the folder {}", to.display()))?;
    for (path, bytes) in &files {
        write(to, path, bytes).with_context(|| format!("cannot write {path} to {}", to.display()))?;
    }
    Ok(files.len())
}

/// Writes one file of a model folder; the path is checked again, whatever the registry said.
fn write(folder: &Path, path: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let target = folder.join(path.parse::<ArtifactPath>()?.as_str());
    if let Some(parent) = target.parent() {
        std::fs::create_dir_all(parent)?;
    }
    Ok(std::fs::write(target, bytes)?)
}
