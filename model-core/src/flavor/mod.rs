//! A folder of bytes becomes a model, and back: MLflow's model folders.
//!
//! A model folder has an `MLmodel` file, which says in YAML what the model takes and in which *flavors* it is stored, and
//! the files that it names. [`save`] writes the `martello` flavor and, for Python, `onnx` with `python_function`:
//!
//! | file | content |
//! | --- | --- |
//! | `MLmodel` | MLflow's keys: flavors, signature, input example, run, time; the checksum of `model.json` |
//! | `model.json` | the encoder and the engine, versioned; every number is read back with the same bits |
//! | `model.onnx` | the same model as an ONNX graph in double precision |
//! | `requirements.txt`, `python_env.yaml` | the packages that Python needs for the graph |
//! | `input_example.json` | rows to try the model with, as MLflow writes a data frame |
//!
//! [`load`] takes the first flavor that it can read, `martello` before `onnx`, and ignores keys and flavors that it does not
//! know, as MLflow does. Files are checked before they are believed: sizes against [`Limits`], the checksum, the version, every
//! shape.
//!
//! # To Python
//! `mlflow.pyfunc.load_model` loads the folder, takes a data frame with the columns of the signature, and answers one with the
//! column `variable` for a regression, or `label` and a `probability_…` for each class. Missing values, unknown categories and
//! text columns mean the same there. Regressions of up to 250 features are equal to the last bit in onnxruntime, wider ones
//! in all but the last digits; so are scores, and probabilities agree to 1e-15. A model whose optional text column has a
//! category `None`, `nan`, `<NA>` or `NaT` is saved without a graph: Python hands missing values to onnxruntime as these texts.
//!
//! # From Python
//! A folder that `mlflow.onnx.log_model` wrote is read if its signature names its columns, and the graph is one of a linear or
//! logistic model with one numeric input, as skl2onnx makes it: `LinearRegressor`, or `LinearClassifier` with `Normalizer` and
//! any form of `ZipMap`, or the same in double precision by `MatMul`, `Add`, `ArgMax`, `Softmax`, `Sigmoid`; behind `Cast`,
//! `Imputer`, `Scaler` or plain arithmetic. Any other operator is an error that names it and its node. Where the graph computes
//! in single precision, so does the model here: sums in the order in which onnxruntime adds up several rows. (For a single row
//! it has another order, which can change the last digit.) Weights may stand in a file beside the graph. Optional columns become
//! required, unless the graph has an `Imputer`.
//!
//! ```
//! use martello_model_core::engine::LinearRegression;
//! use martello_model_core::flavor::{self, SaveOptions};
//! use martello_model_core::preprocessing::Encoder;
//! use martello_model_core::{Batch, Column, Model, NativeModel, Signature};
//!
//! let signature = Signature::new(vec![Column::double("x")], vec![Column::double("y")])?;
//! let encoder = Encoder::identity(&signature)?;
//! let model = NativeModel::new(signature, encoder, LinearRegression::new(vec![0.1], 0.2)?)?;
//!
//! let files = flavor::save(&model, &SaveOptions::default())?;
//! assert!(files.get("MLmodel").is_some());
//!
//! let loaded = flavor::load(&files)?.model;
//! let batch = Batch::from_numbers(model.signature(), vec![0.3])?;
//! assert_eq!(loaded.predict(&batch)?, model.predict(&batch)?);
//! # Ok::<(), martello_model_core::Error>(())
//! ```

mod checksum;
mod files;
mod folder;
mod input_example;
mod limits;
mod martello;
mod mlmodel;
mod onnx;
mod options;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use self::files::ModelFiles;
use self::folder::Folder;
pub use self::limits::Limits;
use self::mlmodel::MlModel;
pub use self::options::{LoadedModel, SaveOptions};
use crate::{Error, ErrorKind, Model, NativeModel};

/// How one flavor is read; a new flavor is a file beside this one and a line in [`READERS`].
struct Reader {
    flavor: &'static str,
    read: fn(&Folder<'_>) -> Result<Arc<dyn Model>, Error>,
}

/// In order of preference: the first one that the folder has is read.
const READERS: &[Reader] = &[
    Reader { flavor: martello::FLAVOR, read: martello::read },
    Reader { flavor: onnx::FLAVOR, read: onnx::read },
];

/// Writes a model as the files of an MLflow model folder.
///
/// The same model and options give the same bytes. The folder is read back before it is returned, so what was saved can be
/// loaded.
///
/// # Errors
/// [`ErrorKind::SignatureMismatch`] if the input example was checked against other columns than the model's;
/// [`ErrorKind::TooLarge`] if the folder would exceed the limits in the options.
pub fn save(model: &NativeModel, options: &SaveOptions) -> Result<ModelFiles, Error> {
    let mut files = ModelFiles::new();
    let mut flavors = BTreeMap::from([(martello::FLAVOR.to_owned(), martello::write(model, &mut files))]);
    flavors.extend(
        onnx::write(model, &mut files).into_iter().map(|(flavor, section)| (flavor.to_owned(), section)),
    );
    let example =
        options.input_example.as_ref().map(|example| input_example::write(model, example, &mut files));
    MlModel::describe(model, options, flavors, example.transpose()?).write(&mut files);
    load_within(&files, &options.limits)?;
    Ok(files)
}

/// Reads a model folder within the default [`Limits`].
///
/// # Errors
/// As [`load_within`].
pub fn load(files: &ModelFiles) -> Result<LoadedModel, Error> {
    load_within(files, &Limits::default())
}

/// Reads a model folder within limits of your own.
///
/// # Errors
/// Each names the file at fault: [`ErrorKind::MissingFile`], [`ErrorKind::TooLarge`], [`ErrorKind::Corrupted`] for a wrong
/// checksum or malformed text, [`ErrorKind::UnknownVersion`], [`ErrorKind::InvalidModel`] for parts that do not fit together,
/// [`ErrorKind::InvalidSignature`], and [`ErrorKind::Unsupported`] for a folder with none of the flavors that can be read.
pub fn load_within(files: &ModelFiles, limits: &Limits) -> Result<LoadedModel, Error> {
    let folder = Folder::open(files, limits)?;
    let reader = READERS.iter().find(|reader| folder.manifest().flavors.contains_key(reader.flavor));
    let reader = reader.ok_or_else(|| no_readable_flavor(folder.manifest()))?;
    let model = (reader.read)(&folder)?;
    let input_example = input_example::read(&folder, model.signature())?;
    let MlModel { artifact_path, model_uuid, run_id, utc_time_created, .. } = folder.into_manifest();
    let flavor = reader.flavor;
    Ok(LoadedModel { model, flavor, input_example, artifact_path, model_uuid, run_id, utc_time_created })
}

fn no_readable_flavor(manifest: &MlModel) -> Error {
    let found: Vec<&str> = manifest.flavors.keys().map(String::as_str).collect();
    let readable: Vec<&str> = READERS.iter().map(|reader| reader.flavor).collect();
    let message = format!(
        "the model has the flavors [{}], of which none can be served; log it with one of [{}]",
        found.join(", "),
        readable.join(", ")
    );
    Error::new(ErrorKind::Unsupported, message)
}
