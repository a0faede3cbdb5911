//! The folder is MLflow's: its keys are written, and what MLflow itself wrote is read.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod penguins;

use martello_model_core::engine::LinearRegression;
use martello_model_core::flavor::{self, ModelFiles, SaveOptions};
use martello_model_core::preprocessing::{ColumnEncoding, Encoder};
use martello_model_core::{Cell, Column, ErrorKind, NativeModel, Outputs, Signature};

/// Written by MLflow 3.17.2 from Python; the section `martello` was added by hand.
const WRITTEN_BY_MLFLOW: &str = r#"artifact_path: model
flavors:
  martello:
    blake3: 4c77be35db5a9d6a0ea0bb3b2d3fbb3af1bd9e90e6bcfd4ab0ae8a7bd0dff7b4
    data: weights/model.json
    format_version: 1
  python_function:
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.sklearn
    model_path: model.pkl
    predict_fn: predict
    python_version: 3.12.3
  sklearn:
    code: null
    pickled_model: model.pkl
    serialization_format: cloudpickle
    sklearn_version: 1.4.2
is_signature_from_type_hint: false
mlflow_version: 3.17.2
model_id: null
model_uuid: 1234567890123456789012345678e012
prompts: null
run_id: 8f0d2c6e0d0f4f0e9a7c5b3a19283746
signature:
  inputs: '[{"type": "double", "name": "it''s", "required": true}, {"type": "string",
    "name": "\u00eele \"x\"", "required": false}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]'
  params: null
type_hint_from_example: false
utc_time_created: '2026-11-24 22:20:57.123456'
"#;

const WEIGHTS: &str = r#"{"format_version":1,"columns":[{"name":"it's","encoding":{"kind":"number"}},
{"name":"île \"x\"","encoding":{"kind":"one_hot","categories":["a"]}}],
"engine":{"kind":"linear_regression","coefficients":[2,0.5],"intercept":1}}"#;

#[test]
fn the_manifest_has_the_keys_of_mlflow() {
    let model = penguins::model();
    let options = SaveOptions {
        run_id: Some("8f0d2c6e0d0f4f0e9a7c5b3a19283746".to_owned()),
        model_uuid: Some("00000000000000000000000000000012".to_owned()),
        utc_time_created: Some("2026-11-24 22:20:57.123456".to_owned()),
        input_example: Some(penguins::rows(&model)),
        ..SaveOptions::default()
    };
    let files = flavor::save(&model, &options).unwrap();
    let manifest = String::from_utf8(files.get("MLmodel").unwrap().to_vec()).unwrap();
    let (before, after) = manifest.split_once("    blake3: ").unwrap();
    assert_eq!(before, "artifact_path: model\nflavors:\n  martello:\n");
    let (sum, after) = after.split_once('\n').unwrap();
    assert_eq!(sum.trim_matches('"').len(), 64);
    assert_eq!(
        after,
        r#"    data: model.json
    format_version: 1
  onnx:
    data: model.onnx
    onnx_version: "1.8.0"
    providers:
    - CPUExecutionProvider
  python_function:
    data: model.onnx
    env:
      virtualenv: python_env.yaml
    loader_module: mlflow.onnx
model_uuid: "00000000000000000000000000000012"
run_id: 8f0d2c6e0d0f4f0e9a7c5b3a19283746
saved_input_example_info:
  artifact_path: input_example.json
  pandas_orient: split
  type: dataframe
signature:
  inputs: '[{"type":"string","name":"island","required":true},{"type":"double","name":"bill_length_mm","required":false},{"type":"string","name":"sex","required":false},{"type":"integer","name":"year","required":true}]'
  outputs: '[{"type":"string","required":true}]'
  params: null
utc_time_created: "2026-11-24 22:20:57.123456"
"#
    );
    let example = String::from_utf8(files.get("input_example.json").unwrap().to_vec()).unwrap();
    assert_eq!(
        example,
        concat!(
            r#"{"columns":["island","bill_length_mm","sex","year"],"data":[["Dream",46.5,"female",2009],"#,
            r#"["Biscoe",null,null,2009],["Atlantis",39.1,"male",2009]]}"#
        )
    );

    let loaded = flavor::load(&files).unwrap();
    assert_eq!(loaded.flavor, "martello");
    assert_eq!(loaded.artifact_path, options.artifact_path);
    assert_eq!(loaded.run_id, options.run_id);
    assert_eq!(loaded.model_uuid, options.model_uuid);
    assert_eq!(loaded.utc_time_created, options.utc_time_created);
}

#[test]
fn keys_and_flavors_that_mlflow_wrote_are_ignored() {
    let mut files = ModelFiles::new();
    files.insert("MLmodel", WRITTEN_BY_MLFLOW);
    files.insert("weights/model.json", WEIGHTS);
    files.insert("model.pkl", b"\x80\x04N.".as_slice());
    let sum = flavor::load(&files).unwrap_err().to_string();
    let (_, sum) = sum.split_once("its blake3 is ").unwrap();
    let declared = "4c77be35db5a9d6a0ea0bb3b2d3fbb3af1bd9e90e6bcfd4ab0ae8a7bd0dff7b4";
    files.insert("MLmodel", WRITTEN_BY_MLFLOW.replace(declared, &sum[..64]));

    let loaded = flavor::load(&files).unwrap();
    let signature = loaded.model.signature();
    assert_eq!(signature.inputs()[1].name, "île \"x\"");
    assert!(matches!(signature.outputs(), Outputs::Tensors(tensors) if tensors[0].shape == [-1]));
    assert_eq!(loaded.model_uuid.as_deref(), Some("1234567890123456789012345678e012"));
    assert!(loaded.input_example.is_none());

    let mut rows = martello_model_core::Batch::builder(signature);
    rows.push_row(&[Cell::Number(3.0), Cell::Text("a")]).unwrap();
    let answers = loaded.model.predict(&rows.build()).unwrap();
    assert_eq!(serde_json::to_string(&answers).unwrap(), "[7.5]");
}

#[test]
fn a_folder_without_a_readable_flavor_names_those_it_has() {
    let mut files = ModelFiles::new();
    files.insert(
        "MLmodel",
        "flavors: {python_function: {}, sklearn: {pickled_model: model.pkl}, odd: .nan}\n",
    );
    let error = flavor::load(&files).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let message = "the model has the flavors [odd, python_function, sklearn], of which none can be served; log it with one of [martello, onnx]";
    assert_eq!(error.to_string(), message);
}

#[test]
fn a_missing_value_that_looks_like_a_category_in_python_leaves_the_graph_out() {
    let save = |column: Column| {
        let signature = Signature::new(vec![column], vec![]).unwrap();
        let encodings = vec![ColumnEncoding::one_hot(["None", "some"]).unwrap()];
        let encoder = Encoder::new(&signature, encodings).unwrap();
        let engine = LinearRegression::new(vec![1.0, 2.0], 0.0).unwrap();
        flavor::save(&NativeModel::new(signature, encoder, engine).unwrap(), &SaveOptions::default()).unwrap()
    };
    assert!(save(Column::string("answer")).get("model.onnx").is_some());
    let files = save(Column::string("answer").optional());
    assert!(files.get("model.onnx").is_none() && files.get("requirements.txt").is_none());
    let manifest = String::from_utf8(files.get("MLmodel").unwrap().to_vec()).unwrap();
    assert!(manifest.contains("martello") && !manifest.contains("onnx"), "{manifest}");
}

#[test]
fn the_columns_of_an_example_come_in_any_order_and_others_are_ignored() {
    let model = penguins::model();
    let options = SaveOptions { input_example: Some(penguins::rows(&model)), ..SaveOptions::default() };
    let mut files = flavor::save(&model, &options).unwrap();
    let example = r#"{"index":[7],"columns":["year","extra","island"],"data":[[2007,true,"Dream"]]}"#;
    files.insert("input_example.json", example);
    let example = flavor::load(&files).unwrap().input_example.unwrap();
    assert_eq!(example.rows(), 1);
    assert_eq!(example.cell(0, 0), Cell::Text("Dream"));
    assert_eq!(example.cell(0, 1), Cell::Missing);
    assert_eq!(example.cell(0, 3), Cell::Number(2007.0));
}

#[test]
fn an_example_that_only_python_reads_is_left_alone() {
    let model = penguins::model();
    let options = SaveOptions { input_example: Some(penguins::rows(&model)), ..SaveOptions::default() };
    let mut files = flavor::save(&model, &options).unwrap();
    let manifest = String::from_utf8(files.get("MLmodel").unwrap().to_vec()).unwrap();
    let manifest = manifest
        .replace("  pandas_orient: split\n  type: dataframe\n", "  format: tf-serving\n  type: ndarray\n");
    files.insert("MLmodel", manifest);
    assert!(flavor::load(&files).unwrap().input_example.is_none());
}

#[test]
fn an_example_of_other_columns_is_not_saved() {
    use martello_model_core::Batch;
    let other = std::sync::Arc::new(Signature::new(vec![Column::double("x")], vec![]).unwrap());
    let example = Some(Batch::from_numbers(&other, vec![1.0]).unwrap());
    let error =
        flavor::save(&penguins::model(), &SaveOptions { input_example: example, ..SaveOptions::default() });
    assert_eq!(error.unwrap_err().kind(), ErrorKind::SignatureMismatch);
}
