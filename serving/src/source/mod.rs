//! From a registry into a slot: fetch, load, warm up, put in; and again whenever the registry points elsewhere.

mod follow;
mod load;
mod recall;
mod settle;
mod warm_up;

use martello_registry_client::{Cache, FetchedModel, ModelUri, Registry, WatchOptions};

pub use self::follow::Follow;
pub use self::recall::recall_into;
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
        load::load(&self.uri, &self.fetch().await?).await
    }

    /// Loads what the URI points to now and puts it into a slot. What is in service already is not loaded again.
    ///
    /// A version that fails is noted in the slot, which goes on with the model that it has. A slot that has none gets the last
    /// version that was good, out of the cache: so a bad promotion and a restart do not end the service.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub async fn load_into(&self, slot: &Slot) -> Result<(), Error> {
        let fetched = match self.fetch().await {
            Ok(fetched) => fetched,
            Err(error) => return Err(settle::refuse(slot, &self.uri.to_string(), error)),
        };
        if settle::is_in_service(slot, fetched.version.as_ref()) {
            slot.clear_refused();
            return Ok(());
        }
        match load::load(&self.uri, &fetched).await {
            Ok(served) => {
                settle::accept(slot, &self.uri, served);
                self.cache.vouch(self.registry.uri(), &self.uri, &fetched).await;
                Ok(())
            }
            Err(error) => {
                let error = settle::refuse(slot, &settle::name(&self.uri, fetched.version.as_ref()), error);
                recall::recall_good_into(&self.cache, self.registry.uri(), &self.uri, slot).await;
                Err(error)
            }
        }
    }

    /// Follows the URI from now on, in a task that ends when the returned handle is dropped: whatever it comes to point to
    /// is loaded beside the model in service and swapped in. A version that fails stays out.
    pub fn follow(self, slot: Slot, options: WatchOptions) -> Follow {
        Follow::start(self, slot, options)
    }

    async fn fetch(&self) -> Result<FetchedModel, Error> {
        let fetched = self.registry.fetch(&self.uri, &self.cache).await;
        fetched.map_err(|error| {
            Error::new(ErrorKind::Fetch, format!("cannot fetch {}", self.uri)).with_source(error)
        })
    }
}
