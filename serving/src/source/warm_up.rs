//! Trying a model before anybody relies on it.

use martello_model_core::{Batch, Model};

use crate::predict::ask;
use crate::{Error, ErrorKind};

/// Asks a model about its own input example: it must answer every row with something that JSON can say.
///
/// The first request to a model also pays for pages that were not yet read and caches that are cold; this one pays for it.
///
/// # Errors
/// [`ErrorKind::WarmUp`], with the reason.
pub fn warm_up(model: &dyn Model, example: &Batch) -> Result<(), Error> {
    let predictions = ask(model, example)
        .map_err(|error| failed("the model fails on its own input example").with_source(error))?;
    if predictions.len() != example.rows() {
        let (given, rows) = (predictions.len(), example.rows());
        return Err(failed(format!(
            "the model gives {given} predictions for the {rows} rows of its input example"
        )));
    }
    match predictions.iter().position(|prediction| !prediction.is_finite()) {
        Some(row) => {
            Err(failed(format!("the prediction for row {row} of the input example is not a finite number")))
        }
        None => Ok(()),
    }
}

fn failed(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::WarmUp, message)
}
