//! One question to a model that may be anybody's code.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use martello_model_core::{Batch, Model, Predictions};

use crate::{Error, ErrorKind};

/// Asks a model; its panic becomes an error.
///
/// # Errors
/// [`ErrorKind::Prediction`] or [`ErrorKind::Panicked`].
pub(crate) fn ask(model: &dyn Model, batch: &Batch) -> Result<Predictions, Error> {
    // Unwind safe in effect: a model is asked through a shared reference and keeps no promise to us but its answer; one
    // that broke its own locks will say so with an error or another panic, which ends here too.
    match catch_unwind(AssertUnwindSafe(|| model.predict(batch))) {
        Ok(answer) => {
            answer.map_err(|error| Error::new(ErrorKind::Prediction, error.to_string()).with_source(error))
        }
        Err(panic) => {
            Err(Error::new(ErrorKind::Panicked, format!("the model panicked: {}", words(panic.as_ref()))))
        }
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}
