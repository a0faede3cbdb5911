//! From files to a model that was tried.

use martello_model_core::flavor::{self, LoadedModel, ModelFiles};
use martello_registry_client::{FetchedModel, ModelUri};

use super::warm_up;
use crate::{Error, ErrorKind, ServedModel};

/// Reads, loads and tries a model that was fetched.
pub(super) async fn load(uri: &ModelUri, fetched: &FetchedModel) -> Result<ServedModel, Error> {
    let files = fetched.read_files().await.map_err(|error| {
        Error::new(ErrorKind::Fetch, format!("cannot read {uri} from the cache")).with_source(error)
    })?;
    let version = fetched.version.as_ref();
    let name = version.map_or_else(|| uri.to_string(), |version| version.name.clone());
    let (asked, number) = (uri.clone(), version.map(|version| version.version));
    // Reading a large model and trying it are no work for a thread that serves requests.
    let loading = tokio::task::spawn_blocking(move || build(files, name, number, &asked));
    loading.await.unwrap_or_else(|error| {
        Err(Error::new(ErrorKind::Load, format!("loading {uri} was cut off")).with_source(error))
    })
}

fn build(
    files: Vec<(String, Vec<u8>)>,
    name: String,
    version: Option<u32>,
    uri: &ModelUri,
) -> Result<ServedModel, Error> {
    let mut folder = ModelFiles::new();
    for (path, bytes) in files {
        folder.insert(path, bytes);
    }
    let LoadedModel { model, input_example, .. } = flavor::load(&folder).map_err(|error| {
        Error::new(ErrorKind::Load, format!("{uri} is not a model to serve")).with_source(error)
    })?;
    if let Some(example) = &input_example {
        warm_up(model.as_ref(), example)?;
    }
    let mut served = ServedModel::new(name, model);
    if let Some(version) = version {
        served = served.with_version(version);
    }
    Ok(match input_example {
        Some(example) => served.with_input_example(example),
        None => served,
    })
}
