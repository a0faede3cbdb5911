//! `input_example.json`: rows to try a model with, as MLflow writes a data frame (`pandas_orient: split`).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ModelFiles;
use super::folder::{Folder, within};
use crate::{Batch, Cell, DataType, Error, ErrorKind, Model, NativeModel, Signature};

const FILE: &str = "input_example.json";

/// What `MLmodel` says about the example.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ExampleInfo {
    #[serde(default)]
    artifact_path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pandas_orient: Option<String>,
    #[serde(rename = "type", default)]
    kind: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Split {
    columns: Vec<String>,
    data: Vec<Vec<Value>>,
}

pub(super) fn write(
    model: &NativeModel,
    example: &Batch,
    files: &mut ModelFiles,
) -> Result<ExampleInfo, Error> {
    let signature = model.signature();
    if signature.inputs() != example.signature().inputs() {
        let message = "the input example was checked against other columns than the model has";
        return Err(Error::new(ErrorKind::SignatureMismatch, message));
    }
    let width = signature.inputs().len();
    let row = |row| (0..width).map(|column| write_cell(signature, example, row, column)).collect();
    let split = Split {
        columns: signature.inputs().iter().map(|column| column.name.clone()).collect(),
        data: (0..example.rows()).map(row).collect(),
    };
    let json = serde_json::to_vec(&split).expect("text and finite numbers always have a JSON form");
    files.insert(FILE, json);
    let text = |value: &str| Some(value.to_owned());
    Ok(ExampleInfo { artifact_path: text(FILE), pandas_orient: text("split"), kind: text("dataframe") })
}

/// Returns the example, or nothing if there is none or it is in a form that only Python reads.
pub(super) fn read(folder: &Folder<'_>, signature: &Arc<Signature>) -> Result<Option<Batch>, Error> {
    let Some(info) = &folder.manifest().saved_input_example_info else { return Ok(None) };
    let form = (info.kind.as_deref(), info.pandas_orient.as_deref(), &info.artifact_path);
    let (Some("dataframe"), Some("split"), Some(path)) = form else { return Ok(None) };
    let bytes = folder.read(path)?;
    within("bytes", path, bytes.len(), folder.limits().max_example_bytes)?;
    let split: Split = serde_json::from_slice(bytes).map_err(|cause| corrupted(path).with_source(cause))?;
    to_batch(&split, signature).map(Some).map_err(|cause| corrupted(path).with_source(cause))
}

fn corrupted(path: &str) -> Error {
    Error::new(ErrorKind::Corrupted, format!("{path} is not an input example of this model"))
}

/// Puts the columns of the example into the order of the signature; other columns are ignored.
fn to_batch(split: &Split, signature: &Arc<Signature>) -> Result<Batch, Error> {
    let positions: Vec<_> = split.columns.iter().map(|name| signature.position(name)).collect();
    let mut builder = Batch::builder(signature);
    for (number, cells) in split.data.iter().enumerate() {
        if cells.len() != positions.len() {
            let message = format!("row {number} has {} cells, expected {}", cells.len(), positions.len());
            return Err(Error::new(ErrorKind::InvalidBatch, message));
        }
        let mut row = builder.row();
        for (position, value) in positions.iter().zip(cells).filter_map(|(at, value)| Some(((*at)?, value))) {
            match read_cell(value) {
                Some(cell) => row.set(position, cell),
                None => row.refuse(position, "a list or an object"),
            }
        }
        row.finish()
            .map_err(|cells| Error::new(ErrorKind::InvalidBatch, "a row does not fit").with_cells(cells))?;
    }
    Ok(builder.build())
}

fn read_cell(value: &Value) -> Option<Cell<'_>> {
    match value {
        Value::Null => Some(Cell::Missing),
        Value::Bool(truth) => Some(Cell::Number(f64::from(u8::from(*truth)))),
        Value::Number(number) => number.as_f64().map(Cell::Number),
        Value::String(text) => Some(Cell::Text(text)),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// Writes whole numbers and booleans as such, since MLflow refuses 3.0 in an integer column and 1 in a boolean one.
fn write_cell(signature: &Signature, example: &Batch, row: usize, column: usize) -> Value {
    match (example.cell(row, column), signature.inputs()[column].data_type) {
        (Cell::Missing, _) => Value::Null,
        (Cell::Text(text), _) => Value::from(text),
        (Cell::Number(value), DataType::Boolean) => Value::from(value != 0.0),
        (Cell::Number(value), DataType::Integer | DataType::Long) => Value::from(to_whole(value)),
        (Cell::Number(value), _) => Value::from(value),
    }
}

/// Exact, since a batch keeps only whole numbers below 2⁵³ in such columns.
fn to_whole(value: f64) -> i64 {
    value as i64
}
