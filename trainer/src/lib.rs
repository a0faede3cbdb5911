#![doc = include_str!("../README.md")]

mod dataset;
mod random_state;
mod split;

mod batch;
mod encoder;
mod export;
mod fit;
mod parameters;

mod evaluation;
mod job;

mod error;

pub use self::dataset::{
    CsvLimits, CsvOptions, Dataset, Feature, MakeRegression, Synthetic, Target, TargetValues, Values,
};
pub use self::error::{Error, ErrorKind};
pub use self::evaluation::Evaluation;
pub use self::job::{FinalFit, Outcome, PromotionOutcome, PromotionPolicy, TrainingJob, WhenPresent};
pub use self::parameters::{Algorithm, FitLimits, Logistic, LogisticParams};
pub use self::random_state::RandomState;
pub use self::split::{Split, SplitParams, TrainTest};

// Types of other crates that appear in signatures above.
pub use martello_model_core::{Batch, Model, NativeModel, Signature, metrics::ConfusionMatrix};
pub use martello_registry_client::{ModelVersion, Registry, Stage};
