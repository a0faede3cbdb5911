//! The flavor of this crate: `model.json`, versioned, checked by BLAKE3, exact to the last bit.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::ModelFiles;
use super::checksum::blake3_hex;
use super::folder::{Folder, within};
use crate::engine::{Classes, Engine, LinearRegression, LogisticRegression};
use crate::preprocessing::{ColumnEncoding, Encoder};
use crate::{Error, ErrorKind, Model, NativeModel, Signature};

/// The key below `flavors`.
pub(super) const FLAVOR: &str = "martello";

const FILE: &str = "model.json";

/// Raised when a file could mean something else than this version understands.
const FORMAT_VERSION: u32 = 1;

/// The section of `MLmodel`.
#[derive(Serialize, Deserialize)]
struct Section {
    data: String,
    format_version: u32,
    blake3: String,
}

/// Read before the rest, so that a newer file is called newer and not broken.
#[derive(Deserialize)]
struct Versioned {
    format_version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format_version: u32,
    columns: Vec<ColumnDocument>,
    engine: EngineDocument,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnDocument {
    name: String,
    encoding: EncodingDocument,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum EncodingDocument {
    Number {},
    Standardise { impute: Option<f64>, mean: f64, scale: f64 },
    OneHot { categories: Vec<String> },
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum EngineDocument {
    LinearRegression { coefficients: Vec<f64>, intercept: f64 },
    LogisticRegression { classes: ClassesDocument, coefficients: Vec<f64>, intercepts: Vec<f64> },
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum ClassesDocument {
    Integers(Vec<i64>),
    Text(Vec<String>),
}

/// Puts `model.json` into the folder and returns the section for `MLmodel`.
pub(super) fn write(model: &NativeModel, files: &mut ModelFiles) -> serde_json::Value {
    let encodings = model.encoder().columns().iter().map(write_encoding);
    let names = model.signature().inputs().iter().map(|column| column.name.clone());
    let document = Document {
        format_version: FORMAT_VERSION,
        columns: names.zip(encodings).map(|(name, encoding)| ColumnDocument { name, encoding }).collect(),
        engine: write_engine(model.engine()),
    };
    let json = serde_json::to_vec(&document).expect("text and finite numbers always have a JSON form");
    let section = json!({ "data": FILE, "format_version": FORMAT_VERSION, "blake3": blake3_hex(&json) });
    files.insert(FILE, json);
    section
}

/// Reads the model that the section of `MLmodel` describes.
pub(super) fn read(folder: &Folder<'_>) -> Result<Arc<dyn Model>, Error> {
    let section: Section = folder.section(FLAVOR)?;
    check_version(&section.data, section.format_version)?;
    let bytes = folder.read(&section.data)?;
    check_sum(&section, bytes)?;
    let document = parse(&section.data, bytes)?;
    let signature = folder.signature()?;
    check_columns(&section.data, &document, &signature)?;
    let model = assemble(folder, &section.data, signature, document)?;
    Ok(Arc::new(model))
}

fn assemble(
    folder: &Folder<'_>,
    path: &str,
    signature: Signature,
    document: Document,
) -> Result<NativeModel, Error> {
    let broken =
        |cause: Error| Error::new(cause.kind(), format!("{path} is not a sound model")).with_source(cause);
    let engine = read_engine(folder, path, document.engine)?.map_err(broken)?;
    let encodings = document.columns.into_iter().map(|column| read_encoding(column.encoding));
    let encodings = encodings.collect::<Result<Vec<_>, _>>().map_err(broken)?;
    let encoder = Encoder::new(&signature, encodings).map_err(broken)?;
    NativeModel::new(signature, encoder, engine).map_err(broken)
}

fn check_version(path: &str, found: u32) -> Result<(), Error> {
    let message = || format!("{path} has format version {found}, this version reads {FORMAT_VERSION}");
    if found == FORMAT_VERSION { Ok(()) } else { Err(Error::new(ErrorKind::UnknownVersion, message())) }
}

fn check_sum(section: &Section, bytes: &[u8]) -> Result<(), Error> {
    let found = blake3_hex(bytes);
    if found.eq_ignore_ascii_case(&section.blake3) {
        return Ok(());
    }
    let (path, expected) = (&section.data, &section.blake3);
    let message = format!("{path} was altered or cut off: its blake3 is {found}, MLmodel says {expected}");
    Err(Error::new(ErrorKind::Corrupted, message))
}

fn parse(path: &str, bytes: &[u8]) -> Result<Document, Error> {
    let corrupted =
        |cause| Error::new(ErrorKind::Corrupted, format!("{path} cannot be read")).with_source(cause);
    let versioned: Versioned = serde_json::from_slice(bytes).map_err(corrupted)?;
    check_version(path, versioned.format_version)?;
    serde_json::from_slice(bytes).map_err(corrupted)
}

fn check_columns(path: &str, document: &Document, signature: &Signature) -> Result<(), Error> {
    let names = document.columns.iter().map(|column| &column.name);
    if names.eq(signature.inputs().iter().map(|column| &column.name)) {
        return Ok(());
    }
    let message = format!("{path} has other columns than the signature in MLmodel");
    Err(Error::new(ErrorKind::InvalidModel, message))
}

fn write_encoding(encoding: &ColumnEncoding) -> EncodingDocument {
    match encoding {
        ColumnEncoding::Number => EncodingDocument::Number {},
        &ColumnEncoding::Standardise { impute, mean, scale } => {
            EncodingDocument::Standardise { impute, mean, scale }
        }
        ColumnEncoding::OneHot(categories) => {
            EncodingDocument::OneHot { categories: to_text(categories.values()) }
        }
    }
}

fn read_encoding(document: EncodingDocument) -> Result<ColumnEncoding, Error> {
    Ok(match document {
        EncodingDocument::Number {} => ColumnEncoding::Number,
        EncodingDocument::Standardise { impute, mean, scale } => {
            ColumnEncoding::Standardise { impute, mean, scale }
        }
        EncodingDocument::OneHot { categories } => ColumnEncoding::one_hot(categories)?,
    })
}

fn write_engine(engine: &Engine) -> EngineDocument {
    match engine {
        Engine::Linear(engine) => EngineDocument::LinearRegression {
            coefficients: engine.coefficients().to_vec(),
            intercept: engine.intercept(),
        },
        Engine::Logistic(engine) => EngineDocument::LogisticRegression {
            classes: match engine.classes() {
                Classes::Text(labels) => ClassesDocument::Text(to_text(labels)),
                Classes::Integers(labels) => ClassesDocument::Integers(labels.to_vec()),
            },
            coefficients: engine.coefficients().to_vec(),
            intercepts: engine.intercepts().to_vec(),
        },
    }
}

fn to_text(values: &[Arc<str>]) -> Vec<String> {
    values.iter().map(|value| String::from(&**value)).collect()
}

/// The outer result is about limits, the inner one about the engine's own rules.
fn read_engine(
    folder: &Folder<'_>,
    path: &str,
    document: EngineDocument,
) -> Result<Result<Engine, Error>, Error> {
    let (classes, coefficients, intercepts) = match document {
        EngineDocument::LinearRegression { coefficients, intercept } => {
            return Ok(LinearRegression::new(coefficients, intercept).map(Engine::Linear));
        }
        EngineDocument::LogisticRegression { classes, coefficients, intercepts } => {
            (classes, coefficients, intercepts)
        }
    };
    let classes = match classes {
        ClassesDocument::Integers(labels) => Classes::from(labels),
        ClassesDocument::Text(labels) => Classes::from(labels),
    };
    within("classes", path, classes.len(), folder.limits().max_classes)?;
    Ok(LogisticRegression::new(classes, coefficients, intercepts).map(Engine::Logistic))
}
