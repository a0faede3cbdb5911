//! What the dialects show besides predictions.

pub(super) mod metrics;
pub(super) mod mlflow;
pub(super) mod v1;
pub(super) mod v2;
