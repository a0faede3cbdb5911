//! Predictions as JSON values: the same text in every dialect.

use martello_model_core::{Prediction, Predictions};

use crate::json::echo::{write_number, write_text};
use crate::{Error, ErrorKind};

/// Refuses predictions that do not answer the rows one by one.
pub(super) fn check_rows(predictions: &Predictions, rows: usize) -> Result<(), Error> {
    if predictions.len() == rows {
        return Ok(());
    }
    let message = format!("the model gave {} predictions for {rows} rows", predictions.len());
    Err(Error::new(ErrorKind::WrongRows, message))
}

/// Refuses what JSON cannot say.
pub(super) fn check_finite(prediction: Prediction<'_>, row: usize) -> Result<(), Error> {
    if prediction.is_finite() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::NotFinite, format!("the prediction for row {row} is not a finite number")))
}

/// Appends one prediction.
pub(super) fn value(prediction: Prediction<'_>, row: usize, out: &mut Vec<u8>) -> Result<(), Error> {
    check_finite(prediction, row)?;
    match prediction {
        Prediction::Number(number) => write_number(number, out),
        Prediction::Label(label) => write_text(label, out),
        other => serde_json::to_writer(&mut *out, &other)
            .expect("a prediction serialises, and a Vec takes every byte"),
    }
    Ok(())
}

/// Appends a JSON list of all predictions.
pub(super) fn list(predictions: &Predictions, out: &mut Vec<u8>) -> Result<(), Error> {
    out.push(b'[');
    for (row, prediction) in predictions.iter().enumerate() {
        if row > 0 {
            out.push(b',');
        }
        value(prediction, row, out)?;
    }
    out.push(b']');
    Ok(())
}

/// Returns `{"predictions":[..]}`, the answer of both MLflow and TensorFlow Serving.
pub(super) fn predictions(predictions: &Predictions, rows: usize) -> Result<Vec<u8>, Error> {
    check_rows(predictions, rows)?;
    let mut out = Vec::with_capacity(20 + predictions.len() * 24);
    out.extend_from_slice(br#"{"predictions":"#);
    list(predictions, &mut out)?;
    out.push(b'}');
    Ok(out)
}
