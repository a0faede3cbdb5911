//! The paths: what is asked how, and every status that is answered.

use serde_json::{Map, Value, json};

use super::model::Described;
use super::schema::reference;

type Paths = Map<String, Value>;

/// The paths that name no model.
pub(super) fn of_the_replica(first: &Described, all: &mut Paths) {
    let one_or_more = json!({ "oneOf": [reference(&first.schema("Row")), rows_or_none(first)] });
    let answers = json!({ "type": "array", "items": reference(&first.schema("Answer")) });
    let answer = json!({ "oneOf": [reference(&first.schema("Answer")), answers] });
    let summary = "Predict: a row gives an answer, a list of rows a list of answers in the same order";
    let mut predict = ask("predict", "predict", summary, &one_or_more, &answer, "Error");
    predict["responses"]["422"] = response("Every bad cell", &reference("ValidationError"));
    all.insert("/predict".to_owned(), json!({ "post": predict }));

    let (request, answer) = (reference(&first.schema("Invocation")), reference(&first.schema("Predictions")));
    let summary = "Predict, as MLflow's scoring server: also CSV with a header line (text/csv)";
    let invocations = ask("invocations", "predict", summary, &request, &answer, "MlflowError");
    all.insert("/invocations".to_owned(), json!({ "post": invocations }));

    let page = |all: &mut Paths, path: &str, summary: &str, tag: &str, answers: Value| {
        let id = path.trim_start_matches('/').replace(['/', '.'], "_");
        let id = if id.is_empty() { "index".to_owned() } else { id };
        all.insert(path.to_owned(), json!({ "get": operation(&id, tag, summary, &answers) }));
    };
    let health = |when: &str| response(when, &reference("Health"));
    let ready = json!({ "200": health("Ready for requests"), "503": health("A model is missing, or the replica is draining") });
    page(all, "/health", "Whether this replica should get requests", "replica", ready.clone());
    page(all, "/health/ready", "The same", "replica", ready);
    page(all, "/health/live", "Whether the process can answer at all", "replica", ok(&object()));
    page(all, "/metrics", "Figures for Prometheus", "replica", of_type("text/plain"));
    page(all, "/openapi.json", "This description", "replica", ok(&object()));
    page(all, "/docs", "This description for people, with forms to try it", "replica", of_type("text/html"));
    page(
        all,
        "/redoc",
        "The columns of the first model, and a form to try it",
        "replica",
        of_type("text/html"),
    );
    page(all, "/", "What this is, and where to look", "replica", ok(&object()));
    let mut ping = ok(&json!({}));
    ping["200"]["content"] = json!({ "application/json": {} });
    let mut ready = ping.clone();
    ready["404"] = json!({ "description": "Not ready", "content": { "application/json": {} } });
    page(all, "/ping", "Whether MLflow's clients may ask", "predict", ready);
    page(all, "/version", "The release of MLflow whose scoring server is spoken", "predict", ping);
    page(all, "/v2", "Name, version and extensions", "v2", ok(&object()));
    page(all, "/v2/models", "The names of the models", "v2", ok(&reference("Models")));
    page(all, "/v2/health/live", "Whether the process can answer at all", "v2", ok(&object()));
    page(
        all,
        "/v2/health/ready",
        "Whether this replica should get requests",
        "v2",
        or_unavailable(&object(), &object()),
    );
    page(all, "/v1/models", "The names of the models", "v1", ok(&reference("Models")));
    let index = json!({ "type": "array", "items": object() });
    let index = operation("v2_repository_index", "v2", "Every model and its state", &ok(&index));
    all.insert("/v2/repository/index".to_owned(), json!({ "post": index }));
}

/// The paths that name a model.
pub(super) fn of_a_model(model: &Described, all: &mut Paths) {
    let Some(name) = &model.name else { return };
    let name = encoded(name);
    let mut places = Vec::new();
    if model.answers_to_its_name {
        places.push(String::new());
        for act in ["load", "unload"] {
            all.insert(format!("/v2/repository/models/{name}/{act}"), json!({ "post": manage(model, act) }));
        }
    }
    if let Some(version) = model.version {
        places.push(format!("/versions/{version}"));
    }
    for place in places {
        of_a_version(model, &name, &place, all);
    }
    if let Some(label) = &model.label {
        let path = format!("/v1/models/{name}/labels/{}", encoded(label));
        all.insert(format!("{path}:predict"), json!({ "post": predict_v1(model, "label") }));
    }
}

fn of_a_version(model: &Described, name: &str, place: &str, all: &mut Paths) {
    let of = if place.is_empty() { "model" } else { "version" };
    let id = |what: &str| format!("{what}_{of}_{}", model.place + 1);
    let missing = || not_there(&object());
    let v2 = format!("/v2/models/{name}{place}");
    let (request, answer) = (reference(&model.schema("Inference")), reference(&model.schema("Inferred")));
    let mut infer = ask(&id("v2_infer"), "v2", "Predict", &request, &answer, "OtherError");
    infer["responses"]["404"] = response("No such model", &reference("OtherError"));
    all.insert(v2.clone(), json!({ "get": operation(&id("v2"), "v2", "Columns and versions", &missing()) }));
    all.insert(
        format!("{v2}/ready"),
        json!({ "get": operation(&id("v2_ready"), "v2", "Whether it answers", &missing()) }),
    );
    all.insert(format!("{v2}/infer"), json!({ "post": infer }));
    let v1 = format!("/v1/models/{name}{place}");
    all.insert(v1.clone(), json!({ "get": operation(&id("v1"), "v1", "Whether it answers", &missing()) }));
    all.insert(
        format!("{v1}/metadata"),
        json!({ "get": operation(&id("v1_metadata"), "v1", "Columns", &missing()) }),
    );
    all.insert(format!("{v1}:predict"), json!({ "post": predict_v1(model, of) }));
}

fn predict_v1(model: &Described, of: &str) -> Value {
    let id = format!("v1_predict_{of}_{}", model.place + 1);
    let (request, answer) = (reference(&model.schema("Instances")), reference(&model.schema("Predictions")));
    let mut predict = ask(&id, "v1", "Predict", &request, &answer, "OtherError");
    predict["responses"]["404"] = response("No such model", &reference("OtherError"));
    predict
}

fn manage(model: &Described, act: &str) -> Value {
    let error = |when: &str| response(when, &reference("OtherError"));
    let mut answers = ok(&object());
    answers["403"] = error("Loading and unloading is not allowed here");
    answers["404"] = error("No such model");
    answers["503"] = error("The model has not been brought yet");
    operation(
        &format!("v2_repository_{act}_{}", model.place + 1),
        "v2",
        &format!("{act} the model"),
        &answers,
    )
}

fn rows_or_none(first: &Described) -> Value {
    // An empty list is answered with one.
    json!({ "anyOf": [reference(&first.schema("Rows")), { "type": "array", "maxItems": 0 }] })
}

/// An operation that asks a model.
fn ask(id: &str, tag: &str, summary: &str, request: &Value, answer: &Value, error: &str) -> Value {
    let error = |when: &str| response(when, &reference(error));
    let mut asked = operation(
        id,
        tag,
        summary,
        &json!({
            "200": response("The answer", answer),
            "400": error("The body cannot be read"),
            "408": error("The body did not arrive in time"),
            "413": error("The body is too large"),
            "415": error("The body is of another type"),
            "500": error("The model failed, or its answer is not a finite number"),
            "503": error("Not processed: no model is loaded, or too many requests are in flight"),
            "504": error("The answer was not ready in time"),
        }),
    );
    asked["requestBody"] =
        json!({ "required": true, "content": { "application/json": { "schema": request } } });
    asked
}

fn operation(id: &str, tag: &str, summary: &str, responses: &Value) -> Value {
    json!({ "operationId": id, "tags": [tag], "summary": summary, "responses": responses })
}

fn response(description: &str, schema: &Value) -> Value {
    json!({ "description": description, "content": { "application/json": { "schema": schema } } })
}

fn object() -> Value {
    json!({ "type": "object" })
}

fn ok(schema: &Value) -> Value {
    json!({ "200": response("So it is", schema) })
}

fn of_type(media_type: &str) -> Value {
    json!({ "200": { "description": "So it is", "content": { media_type: { "schema": { "type": "string" } } } } })
}

fn or_unavailable(schema: &Value, otherwise: &Value) -> Value {
    json!({ "200": response("So it is", schema), "503": response("Not now", otherwise) })
}

fn not_there(schema: &Value) -> Value {
    let mut answers = or_unavailable(schema, &reference("OtherError"));
    answers["404"] = response("No such model", &reference("OtherError"));
    answers
}

/// Writes a part of a path (RFC 3986 section 3.3); braces would be a template.
fn encoded(part: &str) -> String {
    let mut out = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn a_name_is_one_part_of_a_path() {
        assert_eq!(encoded("a-b_c.1"), "a-b_c.1");
        assert_eq!(encoded("a b/{c}é"), "a%20b%2F%7Bc%7D%C3%A9");
    }
}
