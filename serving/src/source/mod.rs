//! From a registry into a slot: fetch, load, warm up, put in; and again whenever the registry points elsewhere.

mod follow;
mod warm_up;

use martello_model_core::flavor::{self, LoadedModel, ModelFiles};
use martello_registry_client::{Cache, FetchedModel, ModelUri, Registry, WatchOptions};

pub use self::follow::Follow;
pub use self::warm_up::warm_up;
use crate::{Error, ErrorKind, ServedModel, Slot};

/// Where a replica gets its model: a URI in a registry, by way of a verified local cache.
///
/// ```no_run
/// use martello_registry_client::{Cache, Registry, WatchOptions};
/// use martello_serving::{ModelSource, Slot};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let registry = Registry::from_env().await?;
/// let cache = Cache::open("/var/cache/martello")?;
/// let source = ModelSource::new(registry, cache, "models:/linear_regression_model/Production".parse()?);
///
/// let slot = Slot::empty();
/// source.load_into(&slot).await?;
/// let following = source.follow(slot.clone(), WatchOptions::default());
/// # drop(following);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ModelSource {
    registry: Registry,
    cache: Cache,
    uri: ModelUri,
}

impl ModelSource {
    /// Names the model to serve.
    #[must_use]
    pub fn new(registry: Registry, cache: Cache, uri: ModelUri) -> Self {
        Self { registry, cache, uri }
    }

    /// Returns the URI of the model.
    #[must_use]
    pub fn uri(&self) -> &ModelUri {
        &self.uri
    }

    /// Fetches what the URI points to now, loads it and warms it up.
    ///
    /// While the registry is down, the URI means what it last meant, out of the cache.
    ///
    /// # Errors
    /// [`ErrorKind::Fetch`] if the registry and the cache do not have it, [`ErrorKind::Load`] if it is no model,
    /// [`ErrorKind::WarmUp`] if it fails on its own input example. The source says why.
    pub async fn load(&self) -> Result<ServedModel, Error> {
        let fetched = self.registry.fetch(&self.uri, &self.cache).await;
        let fetched = fetched.map_err(|error| fetch_failed(&self.uri, error))?;
        self.load_fetched(&fetched).await
    }

    /// Loads what the URI points to now and puts it into a slot; after an error the slot is as before, and notes it.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub async fn load_into(&self, slot: &Slot) -> Result<(), Error> {
        let loaded = self.load().await;
        follow::settle(slot, &self.uri, loaded)
    }

    /// Follows the URI from now on, in a task that ends when the returned handle is dropped: whatever it comes to point to
    /// is loaded beside the model in service and swapped in. A version that fails stays out.
    pub fn follow(self, slot: Slot, options: WatchOptions) -> Follow {
        Follow::start(self, slot, options)
    }

    async fn load_fetched(&self, fetched: &FetchedModel) -> Result<ServedModel, Error> {
        let files = fetched.read_files().await.map_err(|error| fetch_failed(&self.uri, error))?;
        let version = fetched.version.as_ref();
        let name = version.map_or_else(|| self.uri.to_string(), |version| version.name.clone());
        let (uri, number) = (self.uri.clone(), version.map(|version| version.version));
        // Reading a large model and trying it are no work for a thread that serves requests.
        let loading = tokio::task::spawn_blocking(move || load(files, name, number, &uri));
        loading.await.unwrap_or_else(|error| {
            let message = format!("loading {} was cut off", self.uri);
            Err(Error::new(ErrorKind::Load, message).with_source(error))
        })
    }
}

fn load(
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

fn fetch_failed(uri: &ModelUri, error: martello_registry_client::Error) -> Error {
    Error::new(ErrorKind::Fetch, format!("cannot fetch {uri}")).with_source(error)
}
