//! `/openapi.json` is written once for the models in service, and anew when they change.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod fixture;

use std::sync::Arc;

use bytes::Bytes;
use fixture::Sum;
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use martello_model_core::{Batch, Column, Error, Model, Predictions, Signature};
use martello_serving::{Api, Limits, ListedModel, Models, ServedModel, Slot};
use serde_json::Value;
use tower::ServiceExt as _;

/// Takes other columns than [`Sum`].
#[derive(Debug)]
struct Other(Arc<Signature>);

impl Other {
    fn new() -> Arc<Self> {
        let columns = vec![Column::string("island")];
        Arc::new(Self(Arc::new(Signature::new(columns, vec![Column::string("species")]).unwrap())))
    }
}

impl Model for Other {
    fn signature(&self) -> &Arc<Signature> {
        &self.0
    }

    fn predict(&self, batch: &Batch) -> Result<Predictions, Error> {
        Ok(Predictions::Labels(vec!["Adelie".into(); batch.rows()]))
    }
}

async fn asked(api: &Api, request: http::request::Builder) -> (Response<()>, Bytes) {
    let request = request.uri("/openapi.json").body(Full::<Bytes>::default()).unwrap();
    let (parts, body) = api.clone().oneshot(request).await.unwrap().into_parts();
    (Response::from_parts(parts, ()), body.collect().await.unwrap().to_bytes())
}

async fn description(api: &Api) -> Bytes {
    let (answer, body) = asked(api, Request::builder()).await;
    assert_eq!(answer.status(), 200);
    body
}

fn columns(description: &Bytes, row: &str) -> Vec<String> {
    let description: Value = serde_json::from_slice(description).unwrap();
    let properties = description["components"]["schemas"][row]["properties"].as_object();
    properties.map_or_else(Vec::new, |properties| properties.keys().cloned().collect())
}

#[tokio::test]
async fn it_is_written_once_for_all_who_ask() {
    let api = Api::new(Slot::holding(ServedModel::new("m", Sum::of_three())), Limits::default());
    let first = description(&api).await;
    let again = description(&api.clone()).await;
    assert_eq!(first.as_ptr(), again.as_ptr(), "the same text in memory");
}

#[tokio::test]
async fn a_swap_changes_it() {
    let slot = Slot::holding(ServedModel::new("m", Sum::of_three()).with_version(1));
    let api = Api::new(slot.clone(), Limits::default());
    let sum = description(&api).await;
    assert_eq!(columns(&sum, "Row"), ["feature1", "feature2", "feature3"]);
    slot.put(ServedModel::new("m", Other::new()).with_version(2));
    assert_eq!(columns(&description(&api).await, "Row"), ["island"]);
    slot.put(ServedModel::new("m", Sum::of_three()).with_version(1));
    assert_eq!(description(&api).await, sum);
}

#[tokio::test]
async fn unloading_and_loading_change_it() {
    let (first, second) = (Slot::empty(), Slot::holding(ServedModel::new("b", Other::new())));
    let models = Models::new(ListedModel::new(first.clone())).and(ListedModel::new(second.clone()));
    let api = Api::new(models, Limits::default());
    assert_eq!(columns(&description(&api).await, "Row"), [""; 0]);
    first.put(ServedModel::new("a", Sum::of_three()));
    let both = description(&api).await;
    assert_eq!((columns(&both, "Row").len(), columns(&both, "Row2").len()), (3, 1));
    second.unload();
    let one = description(&api).await;
    assert_eq!((columns(&one, "Row").len(), columns(&one, "Row2").len()), (3, 0));
    second.reload();
    assert_eq!(description(&api).await, both);
}

#[tokio::test]
async fn a_model_that_is_swapped_out_is_not_kept_for_it() {
    let slot = Slot::holding(ServedModel::new("m", Sum::of_three()));
    let api = Api::new(slot.clone(), Limits::default());
    description(&api).await;
    let before = slot.put(ServedModel::new("m", Other::new())).unwrap();
    assert_eq!(Arc::strong_count(&before), 1);
}

#[tokio::test]
async fn whoever_has_it_is_told_so_until_it_changes() {
    let slot = Slot::holding(ServedModel::new("m", Sum::of_three()));
    let api = Api::new(slot.clone(), Limits::default());
    let (answer, _) = asked(&api, Request::builder()).await;
    let tag = answer.headers()[header::ETAG].clone();
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-cache");
    let again = || Request::builder().header(header::IF_NONE_MATCH, &tag);
    let (answer, body) = asked(&api, again()).await;
    assert_eq!((answer.status().as_u16(), &answer.headers()[header::ETAG], body.len()), (304, &tag, 0));
    slot.put(ServedModel::new("m", Other::new()));
    let (answer, body) = asked(&api, again()).await;
    assert_eq!(answer.status(), 200);
    assert_ne!(answer.headers()[header::ETAG], tag);
    assert_eq!(columns(&body, "Row"), ["island"]);
}

#[tokio::test]
async fn two_replicas_tag_the_same_description_alike() {
    let replica = || Api::new(Slot::holding(ServedModel::new("m", Sum::of_three())), Limits::default());
    let tag = async || asked(&replica(), Request::builder()).await.0.headers()[header::ETAG].clone();
    assert_eq!(tag().await, tag().await);
}
