//! What Python logged with `mlflow.onnx` is served here with the same answers; folders in `tests/onnx` were recorded there.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod onnx;

use martello_model_core::flavor::{self, Limits};
use martello_model_core::{Column, DataType, ErrorKind, Outputs};

#[test]
fn recorded_models_answer_as_in_python() {
    let cases = onnx::cases(&onnx::recorded());
    let readable = cases.values().filter(|case| !case.name.starts_with("refused"));
    assert_eq!(readable.clone().count(), 23);
    readable.for_each(|case| onnx::check(case).unwrap_or_else(|error| panic!("{}: {error}", case.name)));
}

#[test]
fn other_operators_are_refused_by_name_and_node() {
    let cases = onnx::cases(&onnx::recorded());
    let check = |name: &str, expected: &str| {
        let error = flavor::load(&cases[name].files).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(error.to_string(), expected);
    };
    check(
        "refused_tree",
        "model.onnx cannot be served: node \"TreeEnsembleClassifier\" (TreeEnsembleClassifier): this operator is not read; \
         the graphs of linear and logistic models are",
    );
    check(
        "refused_one_vs_rest",
        "model.onnx cannot be served: node \"Concat\" (Concat): this operator is not read; the graphs of linear and \
         logistic models are",
    );
}

#[test]
fn the_signature_says_what_the_graph_answers() {
    let cases = onnx::cases(&onnx::recorded());
    let check = |name: &str, expected: Column| {
        let model = flavor::load(&cases[name].files).unwrap().model;
        assert_eq!(model.signature().outputs(), &Outputs::Columns(vec![expected]), "{name}");
    };
    check("linear_single", Column::new("variable", DataType::Float));
    check("linear_double", Column::double("variable"));
    check("logistic_text_zipmap", Column::string("output_label"));
    check("logistic_binary_plain", Column::long("label"));
}

#[test]
fn a_column_may_be_missing_only_where_the_graph_puts_something_in_its_place() {
    let cases = onnx::cases(&onnx::recorded());
    let check = |name: &str, required: bool| {
        let mut files = cases[name].files.clone();
        let manifest = String::from_utf8(files.get("MLmodel").unwrap().to_vec()).unwrap();
        files.insert("MLmodel", manifest.replace("\"required\": true", "\"required\": false"));
        let model = flavor::load(&files).unwrap().model;
        assert!(model.signature().inputs().iter().all(|column| column.required == required), "{name}");
    };
    check("linear_imputed", false);
    check("linear_single", true);
    check("logistic_text_double", true);
}

#[test]
fn columns_that_the_graph_does_not_take_are_refused() {
    let cases = onnx::cases(&onnx::recorded());
    let check = |name: &str, from: &str, to: &str, expected: &str| {
        let mut files = cases[name].files.clone();
        let manifest = String::from_utf8(files.get("MLmodel").unwrap().to_vec()).unwrap();
        assert!(manifest.contains(from), "{manifest}");
        files.insert("MLmodel", manifest.replace(from, to));
        let error = flavor::load(&files).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidModel, "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    };
    let first = r#"[{"type": "double", "name": "a", "required": true}, "#;
    check("linear_single", first, "[", "does not take rows of 3 columns");
    check("linear_single", "\"double\"", "\"string\"", "takes numbers and the column \"a\" is string");
    check("linear_whole", "\"long\"", "\"double\"", "takes whole numbers and the column \"a\" is double");
}

#[test]
fn weights_beside_the_graph_must_be_there() {
    let cases = onnx::cases(&onnx::recorded());
    let files = &cases["linear_beside"].files;
    let (beside, weights) = files.iter().find(|(path, _)| path.ends_with(".data")).unwrap();
    let mut without = files.clone();
    without.remove(beside);
    let error = flavor::load(&without).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingFile);
    assert!(error.to_string().contains(beside), "{error}");

    let mut cut_off = files.clone();
    cut_off.insert(beside, &weights[..weights.len() - 1]);
    let error = flavor::load(&cut_off).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted);
    assert!(error.to_string().contains(beside), "{error}");
}

#[test]
fn what_is_too_large_is_refused() {
    let cases = onnx::cases(&onnx::recorded());
    let check = |name: &str, limits: Limits, expected: &str| {
        let error = flavor::load_within(&cases[name].files, &limits).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    };
    check("linear_single", Limits { max_graph_parts: 20, ..Limits::default() }, "more than 20 parts");
    check("logistic_text_plain", Limits { max_classes: 2, ..Limits::default() }, "3 classes, the limit is 2");
    check("linear_single", Limits { max_columns: 3, ..Limits::default() }, "4 input columns, the limit is 3");
}
