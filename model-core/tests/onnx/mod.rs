//! Folders that Python recorded (`record.py` beside this file), and how they are checked.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use martello_model_core::flavor::{self, ModelFiles};
use martello_model_core::{Batch, Cell, Error, Model};
use serde_json::Value;

/// What MLflow wrote, and the rows and answers beside it.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) files: ModelFiles,
    pub(crate) expected: Value,
}

/// The folder of the recorded cases.
pub(crate) fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnx/cases")
}

/// Reads all cases of a folder, by name.
pub(crate) fn cases(folder: &Path) -> BTreeMap<String, Case> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let cases = entries.map(|path| case(&path));
    cases.map(|case| (case.name.clone(), case)).collect()
}

fn case(path: &Path) -> Case {
    let mut files = ModelFiles::new();
    for entry in std::fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        files.insert(entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap());
    }
    let expected = serde_json::from_slice(&files.remove("expected.json").unwrap()).unwrap();
    Case { name: path.file_name().unwrap().to_str().unwrap().to_owned(), files, expected }
}

/// Puts JSON rows into a batch.
pub(crate) fn batch(model: &dyn Model, rows: &Value) -> Batch {
    let mut batch = Batch::builder(model.signature());
    for row in rows.as_array().unwrap() {
        let cells = row.as_array().unwrap().iter().map(|cell| match cell {
            Value::Null => Cell::Missing,
            Value::String(text) => Cell::Text(text),
            number => Cell::Number(number.as_f64().unwrap()),
        });
        batch.push_row(&cells.collect::<Vec<_>>()).unwrap();
    }
    batch.build()
}

/// Holds the answers of a case to the recorded ones: numbers and labels are equal, probabilities to one in a million.
pub(crate) fn check(Case { name, files, expected }: &Case) -> Result<(), Error> {
    let loaded = flavor::load(files)?;
    assert_eq!(loaded.flavor, "onnx", "{name}");
    let rows = batch(&*loaded.model, &expected["rows"]);
    let answers = serde_json::to_value(loaded.model.predict(&rows)?).unwrap();
    let key = if expected.get("numbers").is_some() { "numbers" } else { "labels" };
    assert_eq!(answers, expected[key], "{name}");
    let recorded = expected.get("probabilities").filter(|_| name != "logistic_scores");
    let found = loaded.model.predict_probabilities(&rows).ok();
    assert_eq!(found.is_some(), recorded.is_some_and(|found| !found.is_null()), "{name}");
    if let (Some(recorded), Some(found)) = (recorded, found) {
        for (row, recorded) in recorded.as_array().unwrap().iter().enumerate() {
            close(name, found.row(row), recorded, 1e-6);
        }
    }
    Ok(())
}

/// Holds numbers to recorded ones within a tolerance.
pub(crate) fn close(name: &str, found: &[f64], recorded: &Value, tolerance: f64) {
    let recorded: Vec<f64> =
        recorded.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
    assert_eq!(found.len(), recorded.len(), "{name}");
    for (found, recorded) in found.iter().zip(&recorded) {
        assert!((found - recorded).abs() <= tolerance, "{name}: {found} {recorded}");
    }
}
