//! What goes into a saved folder beside the model, and what comes out of a loaded one.

use std::sync::Arc;

use super::Limits;
use crate::{Batch, Model};

/// What a saved folder says about the model beside the model itself.
///
/// This crate has neither a clock nor randomness, so times and identifiers come from the caller.
///
/// ```
/// use martello_model_core::flavor::SaveOptions;
///
/// let options = SaveOptions { run_id: Some("8f0d…".to_owned()), ..SaveOptions::default() };
/// assert_eq!(options.artifact_path.as_deref(), Some("model"));
/// ```
#[derive(Debug, Clone)]
pub struct SaveOptions {
    /// Where the folder will stand below the run's artifacts; `model` by default.
    pub artifact_path: Option<String>,
    /// The run that trained the model.
    pub run_id: Option<String>,
    /// An identifier of these bytes, 32 hexadecimal digits in MLflow.
    pub model_uuid: Option<String>,
    /// When the model was saved, as MLflow writes it: `2026-11-24 22:20:57.123456`.
    pub utc_time_created: Option<String>,
    /// A few rows to try the model with; replicas warm up with them.
    pub input_example: Option<Batch>,
    /// What the folder must keep within, so that whoever loads it within the same limits can.
    pub limits: Limits,
}

impl Default for SaveOptions {
    fn default() -> Self {
        Self {
            artifact_path: Some("model".to_owned()),
            run_id: None,
            model_uuid: None,
            utc_time_created: None,
            input_example: None,
            limits: Limits::default(),
        }
    }
}

/// A model out of its folder, with what the folder says about it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LoadedModel {
    /// The model, ready to predict.
    pub model: Arc<dyn Model>,
    /// The flavor that it was read from.
    pub flavor: &'static str,
    /// Rows to try the model with.
    pub input_example: Option<Batch>,
    /// Where the folder stood below the run's artifacts.
    pub artifact_path: Option<String>,
    /// The identifier of the model's bytes.
    pub model_uuid: Option<String>,
    /// The run that trained the model.
    pub run_id: Option<String>,
    /// When the model was saved, as MLflow writes it.
    pub utc_time_created: Option<String>,
}
