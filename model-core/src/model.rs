//! The trait that everything which can be served implements.

use std::fmt;
use std::sync::Arc;

use crate::{Batch, Error, ErrorKind, Predictions, Probabilities, Signature};

/// Something that answers one prediction per row.
///
/// A model is a pure function of the batch: the same rows give the same answers, however they are grouped into batches.
/// Replicas rely on it when they repeat or combine requests. Implement it for an engine of your own:
///
/// ```
/// use std::sync::Arc;
/// use martello_model_core::{Batch, Column, Error, Model, Predictions, Signature};
///
/// #[derive(Debug)]
/// struct Doubler(Arc<Signature>);
///
/// impl Model for Doubler {
///     fn signature(&self) -> &Arc<Signature> {
///         &self.0
///     }
///
///     fn predict(&self, batch: &Batch) -> Result<Predictions, Error> {
///         Ok(Predictions::Numbers(batch.numbers().iter().map(|x| 2.0 * x).collect()))
///     }
/// }
///
/// let signature = Arc::new(Signature::new(vec![Column::double("x")], vec![Column::double("y")])?);
/// let model: Arc<dyn Model> = Arc::new(Doubler(Arc::clone(&signature)));
/// let answers = model.predict(&Batch::from_numbers(&signature, vec![1.0, 2.0])?)?;
/// assert_eq!(answers, Predictions::Numbers(vec![2.0, 4.0]));
/// # Ok::<(), Error>(())
/// ```
pub trait Model: Send + Sync + fmt::Debug {
    /// Returns the columns that the model takes and what it answers.
    fn signature(&self) -> &Arc<Signature>;

    /// Predicts one answer per row, in row order.
    ///
    /// # Errors
    /// [`ErrorKind::SignatureMismatch`] for a batch that was checked against other columns; [`ErrorKind::Prediction`] if
    /// the model has no answer.
    fn predict(&self, batch: &Batch) -> Result<Predictions, Error>;

    /// Predicts the probability of every class.
    ///
    /// # Errors
    /// As [`predict`](Self::predict); [`ErrorKind::Unsupported`] unless the model is a classifier with probabilities.
    fn predict_probabilities(&self, batch: &Batch) -> Result<Probabilities, Error> {
        let _ = batch;
        Err(Error::new(ErrorKind::Unsupported, "this model has no class probabilities"))
    }
}
