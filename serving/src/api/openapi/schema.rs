//! The schemas: rows, requests and answers of each model, and what all have in common.

use martello_model_core::{Batch, Cell, Column, DataType, Outputs, Signature};
use serde_json::{Map, Value, json};

use super::model::Described;
use crate::Limits;
use crate::dialect::v2::metadata;

/// A number as text, as Python and Rust read it, short enough to be finite.
const NUMBER: &str =
    r"^[ \t\n\r]*[+-]?([0-9]{1,99}\.?[0-9]{0,99}|\.[0-9]{1,99})([eE][+-]?[0-9]{1,2})?[ \t\n\r]*$";

/// As [`NUMBER`], within single precision.
const SINGLE: &str = r"^[ \t\n\r]*[+-]?([0-9]{1,9}\.?[0-9]{0,99}|\.[0-9]{1,99})([eE][+-]?[0-9])?[ \t\n\r]*$";

/// A whole number as text that 32 bits hold.
const INTEGER: &str = r"^[ \t\n\r]*[+-]?[0-9]{1,9}(\.0{1,9})?[ \t\n\r]*$";

/// A whole number as text that a double holds.
const LONG: &str = r"^[ \t\n\r]*[+-]?[0-9]{1,15}(\.0{1,9})?[ \t\n\r]*$";

/// The largest whole number below which a double holds every one.
const LARGEST_LONG: i64 = (1 << 53) - 1;

pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

pub(super) fn components(models: &[Described], limits: &Limits) -> Value {
    let mut all = Map::new();
    for model in models {
        of_a_model(model, limits, &mut all);
    }
    let message = |key: &str| json!({ "type": "object", "properties": { key: { "type": "string" } }, "required": [key] });
    all.insert("Error".to_owned(), message("detail"));
    all.insert("OtherError".to_owned(), message("error"));
    all.insert("MlflowError".to_owned(), mlflow_error());
    all.insert("ValidationError".to_owned(), validation_error());
    all.insert("Health".to_owned(), health());
    all.insert("Models".to_owned(), list_of_models());
    all.into()
}

fn of_a_model(model: &Described, limits: &Limits, all: &mut Map<String, Value>) {
    let mut add = |kind: &str, schema| all.insert(model.schema(kind), schema);
    let (row, signature) = (model.schema("Row"), model.served.as_deref().map(|served| served.signature()));
    let rows = json!({ "type": "array", "items": reference(&row), "minItems": 1, "maxItems": limits.rows });
    add(
        "Row",
        model
            .served
            .as_deref()
            .map_or_else(unknown, |served| row_schema(served.signature(), served.input_example())),
    );
    add("Rows", rows.clone());
    add("Answer", answer(signature.map(AsRef::as_ref)));
    add("Predictions", predictions(signature.map(AsRef::as_ref)));
    add(
        "Instances",
        json!({ "oneOf": [only("instances", &or_none(&rows), &["inputs"]), only("inputs", &or_none(&rows), &["instances"])] }),
    );
    add("Invocation", invocation(&rows, signature.map(AsRef::as_ref), limits));
    add("Inference", signature.map_or_else(unknown, |signature| inference(signature)));
    add("Inferred", inferred());
}

/// Rows, of which there may be none: then there are no answers.
fn or_none(rows: &Value) -> Value {
    let mut rows = rows.clone();
    rows["minItems"] = json!(0);
    rows
}

/// The schema of what is only known once the model has been brought.
fn unknown() -> Value {
    json!({ "type": "object", "description": "The model has not been brought yet" })
}

fn row_schema(signature: &Signature, example: Option<&Batch>) -> Value {
    let columns = signature.inputs();
    let properties: Map<_, _> = columns.iter().map(|column| (column.name.clone(), cell(column))).collect();
    let required: Vec<_> =
        columns.iter().filter(|column| column.required).map(|column| &column.name).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "required": required });
    if let Some(example) = example.filter(|example| example.rows() > 0) {
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
fn cell(column: &Column) -> Value {
    let number = |pattern: &str| {
        json!({ "type": ["number", "string", "boolean"], "pattern": pattern,
            "description": "A number; text that reads as one and booleans are taken too." })
    };
    let whole = |least: i64, most: i64, pattern: &str| {
        json!({ "type": ["integer", "string", "boolean"], "minimum": least, "maximum": most, "pattern": pattern,
            "description": "A whole number; text that reads as one and booleans are taken too." })
    };
    let mut schema = match column.data_type {
        DataType::String => json!({ "type": ["string"] }),
        DataType::Boolean => {
            json!({ "enum": [true, false, 0, 1, "true", "false", "yes", "no", "on", "off", "1", "0"],
            "description": "A boolean; 0, 1 and the usual words for it are taken too, in any case of letters." })
        }
        DataType::Integer => whole(i32::MIN.into(), i32::MAX.into(), INTEGER),
        DataType::Long => whole(-LARGEST_LONG, LARGEST_LONG, LONG),
        DataType::Float => bounded(number(SINGLE)),
        _ => number(NUMBER),
    };
    if !column.required {
        let kinds = if column.data_type == DataType::Boolean { "enum" } else { "type" };
        let null = if kinds == "enum" { Value::Null } else { json!("null") };
        schema[kinds].as_array_mut().expect("every column has a list").push(null);
    }
    schema["title"] = column.name.clone().into();
    schema
}

/// Adds the bounds of single precision. Those of the doubles are JSON's own, in practice.
fn bounded(mut number: Value) -> Value {
    number["minimum"] = json!(-f64::from(f32::MAX));
    number["maximum"] = json!(f64::from(f32::MAX));
    number
}

fn prediction(signature: Option<&Signature>) -> Value {
    match signature.map(Signature::outputs) {
        Some(Outputs::Columns(columns)) if columns.len() == 1 => match columns[0].data_type {
            DataType::String => json!({ "type": "string" }),
            DataType::Integer | DataType::Long => json!({ "type": "integer" }),
            _ => json!({ "type": "number" }),
        },
        _ => json!({ "type": ["number", "string"] }),
    }
}

fn answer(signature: Option<&Signature>) -> Value {
    json!({ "type": "object", "properties": { "prediction": prediction(signature) }, "required": ["prediction"] })
}

fn predictions(signature: Option<&Signature>) -> Value {
    let list = json!({ "type": "array", "items": prediction(signature) });
    json!({ "type": "object", "properties": { "predictions": list }, "required": ["predictions"] })
}

/// An object with one of several members that exclude each other.
fn only(member: &str, schema: &Value, not: &[&str]) -> Value {
    let mut properties: Map<String, Value> =
        not.iter().map(|name| ((*name).to_owned(), json!(false))).collect();
    properties.insert(member.to_owned(), schema.clone());
    json!({ "type": "object", "title": member, "properties": properties, "required": [member] })
}

fn invocation(rows: &Value, signature: Option<&Signature>, limits: &Limits) -> Value {
    let forms = ["dataframe_records", "dataframe_split", "instances", "inputs"];
    let split = signature.map_or_else(unknown, |signature| split(signature, limits));
    let form = |form: &&str| {
        let others: Vec<_> = forms.into_iter().filter(|other| other != form).collect();
        only(form, if *form == "dataframe_split" { &split } else { rows }, &others)
    };
    json!({ "oneOf": forms.iter().map(form).collect::<Vec<_>>(),
        "description": "Columns may come in any order and further ones are ignored; `instances` and `inputs` may also be an object with a list per column." })
}

fn split(signature: &Signature, limits: &Limits) -> Value {
    let names: Vec<_> = signature.inputs().iter().map(|column| column.name.as_str()).collect();
    let cells: Vec<_> = signature.inputs().iter().map(cell).collect();
    let row = json!({ "type": "array", "prefixItems": cells, "items": false, "minItems": names.len(), "maxItems": names.len() });
    json!({
        "type": "object",
        "properties": {
            "columns": { "const": names },
            "data": { "type": "array", "items": row, "minItems": 1, "maxItems": limits.rows },
        },
        "required": ["columns", "data"],
        "additionalProperties": false,
    })
}

/// One row: that shape and data grow together with more is beyond a schema.
fn inference(signature: &Signature) -> Value {
    let tensors: Vec<_> = metadata::inputs(signature)
        .map(|(column, datatype)| {
            let mut element = tensor_cell(column);
            element["title"] = column.name.clone().into();
            json!({
                "type": "object",
                "properties": {
                    "name": { "const": column.name },
                    "shape": { "enum": [[1], [1, 1]] },
                    "datatype": { "const": datatype },
                    "data": { "type": "array", "items": element, "minItems": 1, "maxItems": 1 },
                },
                "required": ["name", "shape", "datatype", "data"],
            })
        })
        .collect();
    let count = tensors.len();
    // Those of optional columns may be left out, which a schema can say of the last ones.
    let least = signature.inputs().iter().rposition(|column| column.required).map_or(1, |last| last + 1);
    json!({
        "type": "object",
        "description": "One row. Of n rows each tensor has the shape [n] or [n, 1] and n elements; or one tensor of the shape [n, columns] has all. Tensors may be bytes, and come in any order.",
        "properties": {
            "id": { "description": "A text that the answer repeats; anything else is not repeated" },
            "inputs": { "type": "array", "prefixItems": tensors, "items": false, "minItems": least, "maxItems": count },
        },
        "required": ["inputs"],
    })
}

/// What an element of a tensor may be: the tensor has a type, which leaves less to read than a cell of a table.
fn tensor_cell(column: &Column) -> Value {
    let whole = |least: i64, most: i64| json!({ "type": ["integer"], "minimum": least, "maximum": most });
    let mut schema = match column.data_type {
        DataType::String => json!({ "type": ["string"] }),
        DataType::Boolean => json!({ "type": ["boolean"] }),
        DataType::Integer => whole(i32::MIN.into(), i32::MAX.into()),
        DataType::Long => whole(-LARGEST_LONG, LARGEST_LONG),
        DataType::Float => bounded(json!({ "type": ["number"] })),
        _ => json!({ "type": ["number"] }),
    };
    if !column.required {
        schema["type"].as_array_mut().expect("every column has a list").push("null".into());
    }
    schema
}

fn inferred() -> Value {
    let output = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string" },
            "shape": { "type": "array", "items": { "type": "integer" } },
            "datatype": { "enum": ["FP64", "INT64", "BYTES"] },
            "data": { "type": "array" },
        },
        "required": ["name", "shape", "datatype"],
    });
    json!({
        "type": "object",
        "properties": {
            "model_name": { "type": "string" },
            "model_version": { "type": "string" },
            "id": { "type": "string" },
            "outputs": { "type": "array", "items": output },
        },
        "required": ["model_name", "outputs"],
    })
}

fn mlflow_error() -> Value {
    let properties = json!({ "error_code": { "type": "string" }, "message": { "type": "string" } });
    json!({ "type": "object", "properties": properties, "required": ["error_code", "message"] })
}

fn validation_error() -> Value {
    let problem = json!({
        "type": "object",
        "properties": {
            "type": { "type": "string" },
            "loc": { "type": "array", "items": { "type": ["string", "integer"] }, "description": "body, row, column" },
            "msg": { "type": "string", "description": "What was expected" },
            "input": { "description": "What was got" },
            "ctx": { "type": "object" },
        },
        "required": ["type", "loc", "msg"],
    });
    json!({ "type": "object", "properties": { "detail": { "type": "array", "items": problem } }, "required": ["detail"] })
}

fn health() -> Value {
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

fn list_of_models() -> Value {
    let list = json!({ "type": "array", "items": { "type": "string" } });
    json!({ "type": "object", "properties": { "models": list }, "required": ["models"] })
}
