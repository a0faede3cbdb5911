#![doc = include_str!("../README.md")]

mod error;

mod batch;
mod model;
mod native;
mod prediction;
mod signature;

pub mod engine;
pub mod flavor;
pub mod metrics;
pub mod preprocessing;

pub use self::batch::{Batch, BatchBuilder, Cell, CellError, CellProblem, Expected, Got, RowWriter};
pub use self::error::{Error, ErrorKind};
pub use self::model::Model;
pub use self::native::NativeModel;
pub use self::prediction::{Prediction, Predictions, Probabilities};
pub use self::signature::{Column, DataType, Outputs, Signature, TensorSpec};
