//! Judges a model by rows that it has not seen.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use martello_model_core::metrics::{self, ConfusionMatrix};
use martello_model_core::{Batch, Model, Predictions, Probabilities};

use crate::dataset::{Dataset, TargetValues};
use crate::error::{Error, ErrorKind};

/// How well a model predicts rows whose answers are known.
///
/// ```
/// use martello_trainer::{Algorithm, Evaluation, MakeRegression, SplitParams};
///
/// let parts = SplitParams::default().check()?.split(&MakeRegression::default().generate()?.dataset)?;
/// let model = Algorithm::LinearRegression.fit(&parts.train)?;
/// let Evaluation::Regression { rmse, .. } = Evaluation::of(&model, &parts.test)? else { unreachable!() };
/// assert!(rmse < 0.12, "the noise of the data is 0.1");
/// # Ok::<(), martello_trainer::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Evaluation {
    /// Of a model that answers numbers.
    #[non_exhaustive]
    Regression {
        /// Number of rows judged.
        rows: usize,
        /// Mean squared error, in the squared unit of the target.
        mse: f64,
        /// Root of the mean squared error, in the unit of the target.
        rmse: f64,
        /// Share of the variance that is explained; nothing for a single row.
        r2: Option<f64>,
    },
    /// Of a model that answers labels.
    #[non_exhaustive]
    Classification {
        /// Number of rows judged.
        rows: usize,
        /// Share of the rows with the right label, 0 to 1.
        accuracy: f64,
        /// Mean negative logarithm of the probability of the right label, in nats.
        log_loss: f64,
        /// How often each class was taken for each other one.
        confusion: ConfusionMatrix,
    },
}

impl Evaluation {
    /// Predicts every row and compares with the target.
    ///
    /// A class that occurs in these rows but not in the model counts as never right.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] if the model and the rows do not belong together; [`ErrorKind::Numerical`] if the errors leave
    /// the finite numbers.
    pub fn of(model: &dyn Model, data: &Dataset) -> Result<Self, Error> {
        let batch = data.to_batch(model.signature())?;
        let predictions = model.predict(&batch).map_err(not_judged)?;
        match (data.target().values(), predictions) {
            (TargetValues::Numbers(actual), Predictions::Numbers(predicted)) => {
                judge_numbers(actual, &predicted)
            }
            (TargetValues::Labels(actual), Predictions::Labels(predicted)) => {
                judge_labels(model, &batch, actual, &predicted)
            }
            _ => Err(Error::new(ErrorKind::Model, "the model answers something else than the target holds")),
        }
    }

    /// Returns what a run records, by name: `mse` and `rmse`, or `accuracy` and `log_loss`.
    pub fn metrics(&self) -> [(&'static str, f64); 2] {
        match self {
            Self::Regression { mse, rmse, .. } => [("mse", *mse), ("rmse", *rmse)],
            Self::Classification { accuracy, log_loss, .. } => {
                [("accuracy", *accuracy), ("log_loss", *log_loss)]
            }
        }
    }
}

/// One line for people.
impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = match self {
            Self::Regression { rows, .. } | Self::Classification { rows, .. } => rows,
        };
        for (name, value) in self.metrics() {
            write!(f, "{name} {value:.4}, ")?;
        }
        write!(f, "on {rows} rows held back")
    }
}

fn judge_numbers(actual: &[f64], predicted: &[f64]) -> Result<Evaluation, Error> {
    let mse = metrics::mean_squared_error(actual, predicted).map_err(not_judged)?;
    let rmse = metrics::root_mean_squared_error(actual, predicted).map_err(not_judged)?;
    if !mse.is_finite() {
        return Err(Error::new(
            ErrorKind::Numerical,
            "the squared errors leave the finite numbers; scale the target",
        ));
    }
    let r2 = if actual.len() < 2 { None } else { Some(metrics::r2(actual, predicted).map_err(not_judged)?) };
    Ok(Evaluation::Regression { rows: actual.len(), mse, rmse, r2 })
}

fn judge_labels(
    model: &dyn Model,
    batch: &Batch,
    actual: &[Arc<str>],
    predicted: &[Arc<str>],
) -> Result<Evaluation, Error> {
    let probabilities = model.predict_probabilities(batch).map_err(not_judged)?;
    let probabilities = with_unseen_classes(probabilities, actual)?;
    Ok(Evaluation::Classification {
        rows: actual.len(),
        accuracy: metrics::accuracy(actual, predicted).map_err(not_judged)?,
        log_loss: metrics::log_loss(actual, &probabilities).map_err(not_judged)?,
        confusion: ConfusionMatrix::new(probabilities.classes(), actual, predicted).map_err(not_judged)?,
    })
}

/// Adds the classes that the model does not know, with probability zero.
fn with_unseen_classes(probabilities: Probabilities, actual: &[Arc<str>]) -> Result<Probabilities, Error> {
    let known: BTreeSet<&Arc<str>> = probabilities.classes().iter().collect();
    let unseen: BTreeSet<&Arc<str>> = actual.iter().filter(|label| !known.contains(label)).collect();
    if unseen.is_empty() {
        return Ok(probabilities);
    }
    let classes = probabilities.classes().iter().chain(unseen.iter().copied()).cloned().collect();
    let zeros = vec![0.0; unseen.len()];
    let values =
        (0..probabilities.rows()).flat_map(|row| [probabilities.row(row), &zeros].concat()).collect();
    Probabilities::new(classes, values).map_err(not_judged)
}

fn not_judged(cause: martello_model_core::Error) -> Error {
    Error::new(ErrorKind::Model, "the model could not be evaluated").with_source(cause)
}
