//! Whatever happened to a model folder, loading it gives an error that names the file, and never panics.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod penguins;

use std::error::Error as _;

use martello_model_core::flavor::{self, Limits, ModelFiles, SaveOptions};
use martello_model_core::{Error, ErrorKind};

fn folder() -> ModelFiles {
    let model = penguins::model();
    let options = SaveOptions { input_example: Some(penguins::rows(&model)), ..SaveOptions::default() };
    flavor::save(&model, &options).unwrap()
}

fn text(files: &ModelFiles, path: &str) -> String {
    String::from_utf8(files.get(path).unwrap().to_vec()).unwrap()
}

/// Replaces text in a file.
fn edited(path: &str, from: &str, to: &str) -> ModelFiles {
    let mut files = folder();
    let before = text(&files, path);
    assert!(before.contains(from), "{before}");
    files.insert(path, before.replace(from, to));
    files
}

/// Replaces text in `model.json` and makes its checksum right again.
fn edited_and_signed(from: &str, to: &str) -> ModelFiles {
    let mut files = edited("model.json", from, to);
    let message = flavor::load(&files).unwrap_err().to_string();
    let (_, after) = message.split_once("its blake3 is ").unwrap();
    let (found, expected) = after.split_once(", MLmodel says ").unwrap();
    let manifest = text(&files, "MLmodel").replace(expected, found);
    files.insert("MLmodel", manifest);
    files
}

fn chain(error: &Error) -> String {
    let mut whole = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        whole = format!("{whole}: {cause}");
        next = cause.source();
    }
    whole
}

fn check(files: &ModelFiles, kind: ErrorKind, file: &str, reason: &str) {
    let error = flavor::load(files).expect_err("the folder is damaged");
    assert_eq!(error.kind(), kind, "{}", chain(&error));
    assert!(error.to_string().contains(file), "{error}");
    assert!(chain(&error).contains(reason), "{}", chain(&error));
}

#[test]
fn missing_files_are_named() {
    for path in ["MLmodel", "model.json", "input_example.json"] {
        let mut files = folder();
        files.remove(path);
        check(&files, ErrorKind::MissingFile, path, "has no file");
    }
    check(&ModelFiles::new(), ErrorKind::MissingFile, "MLmodel", "has no file");
}

#[test]
fn every_flipped_bit_of_the_weights_is_noticed() {
    let mut files = folder();
    let sound = files.get("model.json").unwrap().to_vec();
    for at in 0..sound.len() {
        let mut bytes = sound.clone();
        bytes[at] ^= 1 << (at % 8);
        files.insert("model.json", bytes);
        check(&files, ErrorKind::Corrupted, "model.json", "was altered or cut off");
    }
}

#[test]
fn a_folder_cut_off_anywhere_does_not_panic() {
    let sound = folder();
    // The other files are for Python.
    for path in ["MLmodel", "model.json", "input_example.json"] {
        let bytes = sound.get(path).unwrap();
        for length in 0..bytes.len() {
            let mut files = sound.clone();
            files.insert(path, &bytes[..length]);
            match flavor::load(&files) {
                Err(error) => assert!(chain(&error).contains(path), "{}", chain(&error)),
                // Only what comes after the last key that is needed can be cut off the manifest.
                Ok(_) => assert_eq!(path, "MLmodel"),
            }
        }
    }
}

#[test]
fn bytes_that_are_no_yaml_are_refused() {
    let mut files = folder();
    let nested = "[".repeat(1 << 16);
    let laughs = "a: &a [x, x]\nb: &b [*a, *a]\nflavors: *b\n";
    for bytes in [
        &b"\xff\xfe"[..],
        b"",
        b"flavors",
        b"flavors: 7",
        b"flavors: {}\nflavors: {}",
        nested.as_bytes(),
        laughs.as_bytes(),
    ] {
        files.insert("MLmodel", bytes);
        check(&files, ErrorKind::Corrupted, "MLmodel", "not the YAML of an MLflow model");
    }
}

#[test]
fn newer_formats_are_called_newer() {
    let newer = edited("MLmodel", "format_version: 1", "format_version: 2");
    check(&newer, ErrorKind::UnknownVersion, "model.json", "format version 2, this version reads 1");
    let newer = edited_and_signed(r#"{"format_version":1"#, r#"{"brand_new":[],"format_version":3"#);
    check(&newer, ErrorKind::UnknownVersion, "model.json", "format version 3");
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let check = |from: &str, to: &str, kind, reason: &str| {
        check(&edited_and_signed(from, to), kind, "model.json", reason)
    };
    check(
        r#""intercepts":[0.1,-0.2,0.3]"#,
        r#""intercepts":[0.1,-0.2]"#,
        ErrorKind::InvalidModel,
        "3 classes has 2",
    );
    check(r#""intercepts":[0.1"#, r#""intercepts":[1e999"#, ErrorKind::Corrupted, "number out of range");
    check(r#""intercepts":[0.1"#, r#""intercepts":["0.1""#, ErrorKind::Corrupted, "expected f64");
    check(r#""scale":5.5"#, r#""scale":0.0"#, ErrorKind::InvalidModel, "scale above zero");
    check(
        r#""categories":["female","male"]"#,
        r#""categories":["male"]"#,
        ErrorKind::InvalidModel,
        "needs 7 features",
    );
    check(
        r#""categories":["female","male"]"#,
        r#""categories":["male","male"]"#,
        ErrorKind::InvalidModel,
        "twice",
    );
    check(
        r#""name":"sex""#,
        r#""name":"gender""#,
        ErrorKind::InvalidModel,
        "other columns than the signature",
    );
    check(r#""kind":"one_hot""#, r#""kind":"hashing""#, ErrorKind::Corrupted, "unknown variant `hashing`");
    check(
        r#"{"format_version":1"#,
        r#"{"surplus":0,"format_version":1"#,
        ErrorKind::Corrupted,
        "unknown field `surplus`",
    );
    check(r#""classes":["Adelie""#, r#""classes":["Gentoo""#, ErrorKind::InvalidModel, "occurs twice");
}

#[test]
fn a_signature_that_cannot_be_used_is_named() {
    let files = edited("MLmodel", "signature:", "autograph:");
    check(&files, ErrorKind::InvalidSignature, "MLmodel", "log the model with one");
    let files = edited("MLmodel", r#""type":"integer""#, r#""type":"datetime""#);
    check(&files, ErrorKind::Unsupported, "MLmodel", "\"datetime\"");
    let files = edited("MLmodel", r#""type":"integer""#, r#""type":"string""#);
    check(&files, ErrorKind::InvalidModel, "model.json", "\"year\" holds text");
}

#[test]
fn an_input_example_that_does_not_fit_is_refused() {
    let check = |from: &str, to: &str, reason: &str| {
        let files = edited("input_example.json", from, to);
        check(&files, ErrorKind::Corrupted, "input_example.json", reason);
    };
    check(
        "46.5",
        "\"long\"",
        "row 0, column \"bill_length_mm\": expected a finite number (double), got \"long\"",
    );
    check("46.5", "[46.5]", "got a list or an object");
    check("46.5,", "", "row 0 has 3 cells, expected 4");
    check("\"island\"", "\"isle\"", "column \"island\": expected text (string), got no value");
    check("2009", "2009.5", "expected a whole number");
}

#[test]
fn what_is_too_large_is_refused_before_it_is_parsed() {
    let check = |limits: Limits, file: &str, reason: &str| {
        let error = flavor::load_within(&folder(), &limits).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(error.to_string().contains(file) && error.to_string().contains(reason), "{error}");
    };
    check(Limits { max_file_bytes: 100, ..Limits::default() }, "MLmodel", "bytes, the limit is 100");
    check(
        Limits { max_example_bytes: 9, ..Limits::default() },
        "input_example.json",
        "bytes, the limit is 9",
    );
    check(Limits { max_columns: 3, ..Limits::default() }, "MLmodel", "4 input columns, the limit is 3");
    check(Limits { max_classes: 2, ..Limits::default() }, "model.json", "3 classes, the limit is 2");
    assert!(
        flavor::load_within(&folder(), &Limits { max_columns: 4, max_classes: 3, ..Limits::default() })
            .is_ok()
    );
}

#[test]
fn a_folder_that_could_not_be_loaded_is_not_saved() {
    let limits = Limits { max_columns: 3, ..Limits::default() };
    let options = SaveOptions { limits, ..SaveOptions::default() };
    assert_eq!(flavor::save(&penguins::model(), &options).unwrap_err().kind(), ErrorKind::TooLarge);
}
