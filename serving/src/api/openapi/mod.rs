//! `GET /openapi.json`: every path of the replica as an OpenAPI 3.1 description, with the columns of the models in service, so
//! that the contract is the models' own.
//!
//! What a schema takes is taken, and what it does not take is refused, as far as a schema can say it: a tool that makes
//! requests from the description (or a fuzzer) gets answers that the description has.

mod document;
mod model;
mod paths;
mod schema;

use serde_json::{Map, Value, json};

pub(super) use self::document::Document;
use self::model::Described;
use crate::Limits;

fn describe(described: &[Described], limits: &Limits) -> Value {
    let first = &described[0];
    let title = first.name.clone().unwrap_or_else(|| "no model yet".to_owned());
    let version = first.version.map_or_else(|| "unversioned".to_owned(), |version| version.to_string());
    let mut all = Map::new();
    paths::of_the_replica(first, &mut all);
    for model in described {
        paths::of_a_model(model, &mut all);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": version,
            "description": "The same rows get the same answers on every path. Every bad cell of a request is listed.",
        },
        "tags": [
            { "name": "predict", "description": "The first model, as the replaced application asked it, and as MLflow does" },
            { "name": "v2", "description": "Open Inference Protocol" },
            { "name": "v1", "description": "KServe V1 and TensorFlow Serving" },
            { "name": "replica", "description": "Health, figures, descriptions" },
        ],
        "paths": all,
        "components": { "schemas": schema::components(described, limits) },
    })
}
