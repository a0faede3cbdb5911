//! What the Open Inference Protocol shows besides predictions, and its repository extension.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::api::reply;
use crate::api::repository::Repository;
use crate::api::route::Act;
use crate::dialect::v2::metadata;
use crate::models::Wanted;
use crate::{ListedModel, Models};

pub(in crate::api) fn server() -> Response<Full<Bytes>> {
    ok(&metadata::server())
}

/// Answers a question for one state, which clients read from the status.
pub(in crate::api) fn state(name: &str, is: bool) -> Response<Full<Bytes>> {
    let status = if is { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    reply::json(status, reply::body(&json!({ name: is })))
}

pub(in crate::api) fn models(models: &Models) -> Response<Full<Bytes>> {
    ok(&json!({ "models": models.iter().filter_map(ListedModel::name).collect::<Vec<_>>() }))
}

pub(in crate::api) fn model(models: &Models, wanted: &Wanted<'_>) -> Response<Full<Bytes>> {
    match models.find(wanted) {
        Ok(served) => ok(&metadata::model(&served)),
        Err(absent) => reply::absent(wanted, absent),
    }
}

pub(in crate::api) fn model_ready(models: &Models, wanted: &Wanted<'_>) -> Response<Full<Bytes>> {
    match models.find(wanted) {
        Ok(served) => ok(&json!({ "name": served.name(), "ready": true })),
        Err(absent) => reply::absent(wanted, absent),
    }
}

pub(in crate::api) fn manage(
    models: &Models,
    repository: Repository,
    act: &Act<'_>,
) -> Response<Full<Bytes>> {
    let (name, change): (_, fn(&ListedModel) -> bool) = match act {
        Act::Index => return index(models),
        _ if repository == Repository::ReadOnly => {
            let message = "loading and unloading is not allowed here: the replica was not started for it";
            return reply::detail(StatusCode::FORBIDDEN, message);
        }
        Act::Load(name) => (name, |listed| listed.slot.reload()),
        Act::Unload(name) => (name, |listed| {
            listed.slot.unload();
            true
        }),
    };
    let mut listed =
        models.iter().filter(|listed| listed.is_called(name) || listed.slot.is_unloaded_as(name)).peekable();
    if listed.peek().is_none() {
        return reply::detail(StatusCode::NOT_FOUND, &format!("no model {name:?} is known here"));
    }
    tracing::info!(model = %name, ?act, "asked to change what is served");
    // Every version of the name, not only as far as the first that fails.
    let changed: Vec<bool> = listed.map(change).collect();
    if changed.iter().all(|done| *done) {
        return ok(&json!({}));
    }
    reply::detail(StatusCode::SERVICE_UNAVAILABLE, &format!("the model {name:?} has not been brought yet"))
}

fn index(models: &Models) -> Response<Full<Bytes>> {
    ok(&models.iter().map(entry).collect::<Vec<_>>().into())
}

fn entry(listed: &ListedModel) -> Value {
    let served = listed.slot.load();
    let version = served.as_ref().and_then(|served| served.version()).map(|version| version.to_string());
    let (state, reason) = match (&served, listed.slot.is_unloaded(), listed.slot.refused()) {
        (Some(_), ..) => ("READY", String::new()),
        (None, true, _) => ("UNAVAILABLE", "unloaded".to_owned()),
        (None, false, Some(refused)) => ("UNAVAILABLE", refused.reason.clone()),
        (None, false, None) => ("LOADING", String::new()),
    };
    let name = listed.name().or_else(|| listed.slot.unloaded_name()).unwrap_or_default();
    json!({ "name": name, "version": version.unwrap_or_default(), "state": state, "reason": reason })
}

fn ok(body: &Value) -> Response<Full<Bytes>> {
    reply::json(StatusCode::OK, reply::body(body))
}
