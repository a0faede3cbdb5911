//! `GET /openapi.json`: the signature as an OpenAPI 3.1 description, so that the contract is the model's own.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use martello_model_core::{Batch, Cell, Column, DataType, Outputs, Signature};
use serde_json::{Map, Value, json};

use super::reply;
use crate::{ServedModel, Slot};

pub(super) fn answer(slot: &Slot) -> Response<Full<Bytes>> {
    match slot.load() {
        Some(served) => reply::json(StatusCode::OK, served.openapi()),
        None => reply::no_model(),
    }
}

/// Returns the description of a model's API.
pub(crate) fn describe(served: &ServedModel) -> Bytes {
    let version = served.version().map_or_else(|| "unversioned".to_owned(), |version| version.to_string());
    reply::body(&json!({
        "openapi": "3.1.0",
        "info": { "title": served.name(), "version": version },
        "paths": {
            "/predict": { "post": predict_operation() },
            "/health": { "get": health_operation() },
        },
        "components": { "schemas": {
            "Row": row_schema(served),
            "Answer": answer_schema(served.signature()),
            "Health": health_schema(),
            "Error": error_schema(),
            "ValidationError": validation_error_schema(),
        } },
    }))
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn content(schema: &Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}

fn response(description: &str, schema: &str) -> Value {
    json!({ "description": description, "content": content(&reference(schema)) })
}

fn one_or_list(schema: &str) -> Value {
    json!({ "oneOf": [reference(schema), { "type": "array", "items": reference(schema) }] })
}

fn predict_operation() -> Value {
    json!({
        "summary": "Predict",
        "description": "One row gives one answer, a list of rows a list of answers in the same order.",
        "operationId": "predict",
        "requestBody": { "required": true, "content": content(&one_or_list("Row")) },
        "responses": {
            "200": { "description": "The answer", "content": content(&one_or_list("Answer")) },
            "400": response("The body cannot be read at all", "Error"),
            "408": response("The body did not arrive in time", "Error"),
            "413": response("The body is too large", "Error"),
            "415": response("The body is not declared as JSON", "Error"),
            "422": response("Every bad field", "ValidationError"),
            "500": response("The model failed, or its answer is not a finite number", "Error"),
            "503": response("No model is loaded, or too many requests are in flight", "Error"),
        },
    })
}

fn health_operation() -> Value {
    json!({
        "summary": "Health",
        "operationId": "health",
        "responses": {
            "200": response("Ready for requests", "Health"),
            "503": response("No model is loaded, or the replica is draining", "Health"),
        },
    })
}

fn row_schema(served: &ServedModel) -> Value {
    let columns = served.signature().inputs();
    let properties: Map<_, _> =
        columns.iter().map(|column| (column.name.clone(), column_schema(column))).collect();
    let required: Vec<_> =
        columns.iter().filter(|column| column.required).map(|column| &column.name).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "required": required });
    if let Some(example) = served.input_example().filter(|example| example.rows() > 0) {
        schema["examples"] = json!([first_row(example)]);
    }
    schema
}

fn first_row(example: &Batch) -> Value {
    let cell = |position| match example.cell(0, position) {
        Cell::Number(number) => json!(number),
        Cell::Text(text) => json!(text),
        Cell::Missing => Value::Null,
    };
    let columns = example.signature().inputs().iter().enumerate();
    columns.map(|(position, column)| (column.name.clone(), cell(position))).collect::<Map<_, _>>().into()
}

/// The lax reading belongs to the contract: numbers may come as text and as booleans.
fn column_schema(column: &Column) -> Value {
    let lax = "A number; text that reads as one and booleans are taken too.";
    let mut schema = match column.data_type {
        DataType::String => json!({ "type": ["string"] }),
        DataType::Boolean => json!({ "type": ["boolean", "integer", "string"] }),
        DataType::Integer | DataType::Long => {
            json!({ "type": ["integer", "string", "boolean"], "description": lax })
        }
        _ => json!({ "type": ["number", "string", "boolean"], "description": lax }),
    };
    if !column.required {
        schema["type"].as_array_mut().expect("every column has a list of types").push("null".into());
    }
    schema["title"] = column.name.clone().into();
    schema
}

fn answer_schema(signature: &Signature) -> Value {
    let kind = match signature.outputs() {
        Outputs::Columns(columns) if columns.len() == 1 => match columns[0].data_type {
            DataType::String => json!("string"),
            DataType::Integer | DataType::Long => json!("integer"),
            _ => json!("number"),
        },
        _ => json!(["number", "string"]),
    };
    json!({
        "type": "object",
        "properties": { "prediction": { "type": kind } },
        "required": ["prediction"],
    })
}

fn health_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "status": { "enum": ["ok", "unavailable", "draining"] },
            "model_loaded": { "type": "boolean" },
            "refused": {
                "type": "object",
                "properties": { "uri": { "type": "string" }, "reason": { "type": "string" } },
                "required": ["uri", "reason"],
            },
        },
        "required": ["status", "model_loaded"],
    })
}

fn error_schema() -> Value {
    json!({ "type": "object", "properties": { "detail": { "type": "string" } }, "required": ["detail"] })
}

fn validation_error_schema() -> Value {
    let problem = json!({
        "type": "object",
        "properties": {
            "type": { "type": "string" },
            "loc": { "type": "array", "items": { "type": ["string", "integer"] } },
            "msg": { "type": "string" },
            "input": {},
            "ctx": { "type": "object" },
        },
        "required": ["type", "loc", "msg"],
    });
    json!({ "type": "object", "properties": { "detail": { "type": "array", "items": problem } }, "required": ["detail"] })
}
