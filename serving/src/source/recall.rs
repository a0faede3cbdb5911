//! Serving out of the cache, without the registry.

use martello_registry_client::{Cache, FetchedModel, ModelUri, TrackingUri};

use super::{load, settle};
use crate::{Error, ErrorKind, Slot};

/// Puts what a URI last meant into a slot that has no model, out of the cache and without asking the registry: for a replica
/// that starts while the registry is locked or out of reach. If that does not work, it is the last version that did.
///
/// [`ModelSource::load_into`](super::ModelSource::load_into) brings what the URI means now, once the registry can be asked.
///
/// # Errors
/// [`ErrorKind::Fetch`] if the cache has nothing, or what [`ModelSource::load`](super::ModelSource::load) says of what it has.
pub async fn recall_into(
    cache: &Cache,
    registry: &TrackingUri,
    uri: &ModelUri,
    slot: &Slot,
) -> Result<(), Error> {
    let remembered = cache
        .recall(registry, uri)
        .await
        .map_err(|error| Error::new(ErrorKind::Fetch, format!("{uri} was never fetched")).with_source(error));
    let error = match remembered {
        Ok(fetched) => match offer(uri, &fetched, slot).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        },
        Err(error) => error,
    };
    if recall_good_into(cache, registry, uri, slot).await { Ok(()) } else { Err(error) }
}

/// Puts the last version that was good into a slot that has no model; false if there is none.
pub(super) async fn recall_good_into(
    cache: &Cache,
    registry: &TrackingUri,
    uri: &ModelUri,
    slot: &Slot,
) -> bool {
    if !slot.is_empty() {
        return true;
    }
    let Ok(good) = cache.recall_good(registry, uri).await else { return false };
    match offer(uri, &good, slot).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%uri, %error, "the last good version cannot be served either");
            false
        }
    }
}

async fn offer(uri: &ModelUri, fetched: &FetchedModel, slot: &Slot) -> Result<(), Error> {
    let served = load::load(uri, fetched).await?;
    let name = settle::name(uri, fetched.version.as_ref());
    if slot.offer_to_empty(served) {
        tracing::warn!(%uri, model = name, "model in service out of the cache");
    }
    Ok(())
}
