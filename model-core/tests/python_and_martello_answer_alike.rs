//! Models travel both ways: MLflow's Python loads what is saved here, what it logs is served here, and the answers agree.
//!
//! Needs a Python with mlflow, onnx, onnxruntime, skl2onnx, scikit-learn and pandas, named by `MARTELLO_ONNX_PYTHON`; without
//! it the tests say that they are skipped. What Python writes is also recorded, see `onnx_graphs_are_read.rs`.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod onnx;
mod penguins;

use std::path::{Path, PathBuf};
use std::process::Command;

use martello_model_core::engine::{Classes, Engine, LinearRegression, LogisticRegression};
use martello_model_core::flavor::{self, SaveOptions};
use martello_model_core::preprocessing::{ColumnEncoding, Encoder};
use martello_model_core::{Column, DataType, Model, NativeModel, Signature};
use serde_json::{Value, json};

const ROWS: usize = 40;

fn python(script: &str, arguments: &[PathBuf]) -> bool {
    let Some(python) = std::env::var_os("MARTELLO_ONNX_PYTHON") else {
        eprintln!("skipped: MARTELLO_ONNX_PYTHON names no Python with mlflow, onnxruntime and skl2onnx");
        return false;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnx").join(script);
    let output = Command::new(python).arg(script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    true
}

/// An empty folder of this run of a test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A sequence of numbers between -1 and 1: Knuth's generator, so that a failure can be repeated.
struct Sequence(u64);

impl Sequence {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    fn take(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.next()).collect()
    }

    fn one_of<'a>(&mut self, values: &[&'a str]) -> &'a str {
        values[(self.next().abs() * values.len() as f64) as usize % values.len()]
    }
}

fn model(
    columns: Vec<(Column, ColumnEncoding)>,
    engine: impl FnOnce(usize, &mut Sequence) -> Engine,
) -> NativeModel {
    let (columns, encodings): (Vec<Column>, Vec<ColumnEncoding>) = columns.into_iter().unzip();
    let signature = Signature::new(columns, vec![]).unwrap();
    let encoder = Encoder::new(&signature, encodings).unwrap();
    let engine = engine(encoder.features(), &mut Sequence(7));
    NativeModel::new(signature, encoder, engine).unwrap()
}

fn linear(features: usize, random: &mut Sequence) -> Engine {
    LinearRegression::new(random.take(features), random.next()).unwrap().into()
}

fn binary(features: usize, random: &mut Sequence) -> Engine {
    LogisticRegression::new(vec!["no", "yes, \"sir\""], random.take(features), random.take(1)).unwrap().into()
}

fn three(features: usize, random: &mut Sequence) -> Engine {
    let classes = Classes::from(vec![-7_i64, 0, i64::MAX]);
    LogisticRegression::new(classes, random.take(features * 3), random.take(3)).unwrap().into()
}

fn number(data_type: DataType) -> (Column, ColumnEncoding) {
    (Column::new(format!("a {data_type}"), data_type), ColumnEncoding::Number)
}

fn measured(name: &str) -> (Column, ColumnEncoding) {
    (Column::double(name).optional(), ColumnEncoding::standardise(0.1, 0.2, 0.3))
}

fn text(name: &str) -> (Column, ColumnEncoding) {
    (Column::string(name).optional(), ColumnEncoding::one_hot(["a", "île", "", "1.5"]).unwrap())
}

/// Every kind of table that pandas makes of a data frame, every encoding and every engine.
fn models() -> Vec<(&'static str, NativeModel)> {
    use DataType::{Boolean, Double, Float, Integer, Long};
    let wide = |at: usize| (Column::double(format!("c{at}")), ColumnEncoding::Number);
    vec![
        ("doubles", model((0..3).map(wide).collect(), linear)),
        ("wide", model((0..200).map(wide).collect(), linear)),
        ("one_double", model(vec![number(Double)], three)),
        ("one_long", model(vec![number(Long)], binary)),
        ("one_text", model(vec![text("label")], three)),
        ("floats", model(vec![number(Float)], linear)),
        ("whole", model(vec![number(Long), number(Integer)], linear)),
        ("truths", model(vec![number(Boolean)], binary)),
        ("numbers", model(vec![number(Long), number(Double), number(Float), number(Integer)], linear)),
        ("numbers_and_truths", model(vec![number(Double), number(Boolean), number(Long)], linear)),
        ("measured", model(vec![measured("x"), wide(0), measured("y")], three)),
        ("measured_binary", model(vec![measured("x"), measured("variable")], binary)),
        ("mixed", model(vec![text("t"), measured("x"), number(Boolean), number(Long), text("u")], linear)),
        ("mixed_three", model(vec![number(Float), text("t"), measured("scores")], three)),
        ("penguins", penguins::model()),
    ]
}

/// Rows for a model: missing cells, unknown texts and numbers of all sizes among them.
fn rows(model: &NativeModel) -> Value {
    let mut random = Sequence(11);
    let mut row = || -> Vec<Value> {
        model.signature().inputs().iter().map(|column| cell(column, &mut random)).collect()
    };
    (0..ROWS).map(|_| row()).collect()
}

fn cell(column: &Column, random: &mut Sequence) -> Value {
    let missing = !column.required && random.next() > 0.7;
    match column.data_type {
        DataType::String if !missing => {
            json!(random.one_of(&["a", "île", "", "1.5", "b", "Dream", "Biscoe", "female", "male"]))
        }
        DataType::Double if !missing => json!(random.next() * 10_f64.powf(random.next() * 3.0)),
        _ if missing => Value::Null,
        DataType::Float => json!(f64::from(random.next() as f32)),
        DataType::Boolean => json!(random.next() > 0.0),
        _ => json!((random.next() * 1000.0) as i64),
    }
}

/// Truths are numbers in a batch.
fn without_truths(rows: &Value) -> Value {
    let text = rows.to_string().replace("true", "1").replace("false", "0");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn python_loads_what_is_saved_here_and_answers_alike() {
    let parent = folder("onnx-written");
    let models = models();
    let places: Vec<PathBuf> = models.iter().map(|(name, _)| parent.join(name)).collect();
    for ((_, model), place) in models.iter().zip(&places) {
        std::fs::create_dir_all(place).unwrap();
        for (path, bytes) in flavor::save(model, &SaveOptions::default()).unwrap().iter() {
            std::fs::write(place.join(path), bytes).unwrap();
        }
        std::fs::write(place.join("rows.json"), rows(model).to_string()).unwrap();
    }
    if !python("predict.py", &places) {
        return;
    }
    for ((name, model), place) in models.iter().zip(&places) {
        let answers: Value =
            serde_json::from_slice(&std::fs::read(place.join("answers.json")).unwrap()).unwrap();
        let rows = onnx::batch(model, &without_truths(&rows(model)));
        let own = serde_json::to_value(model.predict(&rows).unwrap()).unwrap();
        let Ok(probabilities) = model.predict_probabilities(&rows) else {
            // Equal to the last bit.
            assert_eq!(answers["variable"], own, "{name}");
            continue;
        };
        assert_eq!(answers["label"], own, "{name}");
        for (at, class) in probabilities.classes().iter().enumerate() {
            let own: Vec<f64> = (0..ROWS).map(|row| probabilities.row(row)[at]).collect();
            onnx::close(name, &own, &answers[format!("probability_{class}")], 1e-15);
        }
    }
    std::fs::remove_dir_all(parent).unwrap();
}

#[test]
fn what_python_logs_now_answers_alike() {
    let parent = folder("onnx-read");
    for seed in 1..=3 {
        let place = parent.join(seed.to_string());
        if !python("record.py", &[place.clone(), PathBuf::from(seed.to_string())]) {
            return;
        }
        for case in onnx::cases(&place.join("cases")).values() {
            let read = onnx::check(case);
            assert_eq!(read.is_err(), case.name.starts_with("refused"), "{} {read:?}", case.name);
        }
    }
    std::fs::remove_dir_all(parent).unwrap();
}
