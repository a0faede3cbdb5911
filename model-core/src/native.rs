//! The model that this crate evaluates itself: signature, encoder and engine put together.

use std::sync::Arc;

use crate::engine::Engine;
use crate::preprocessing::Encoder;
use crate::{Batch, Error, ErrorKind, Model, Outputs, Predictions, Probabilities, Signature};

/// An [`Engine`] behind an [`Encoder`] behind a [`Signature`], all of whose shapes fit together.
///
/// ```
/// use martello_model_core::engine::LinearRegression;
/// use martello_model_core::preprocessing::Encoder;
/// use martello_model_core::{Batch, Column, Model, NativeModel, Prediction, Signature};
///
/// let signature = Signature::new(vec![Column::double("x")], vec![Column::double("y")])?;
/// let encoder = Encoder::identity(&signature)?;
/// let model = NativeModel::new(signature, encoder, LinearRegression::new(vec![2.0], 1.0)?)?;
///
/// let batch = Batch::from_numbers(model.signature(), vec![20.5])?;
/// assert_eq!(model.predict(&batch)?.get(0), Prediction::Number(42.0));
/// # Ok::<(), martello_model_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct NativeModel {
    signature: Arc<Signature>,
    encoder: Encoder,
    engine: Engine,
}

impl NativeModel {
    /// Puts the parts together.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidModel`] if the encoder was not made for this signature, the engine needs another number of
    /// features than the encoder makes, or the output column promises another type than the engine answers.
    pub fn new(
        signature: impl Into<Arc<Signature>>,
        encoder: Encoder,
        engine: impl Into<Engine>,
    ) -> Result<Self, Error> {
        let (signature, engine) = (signature.into(), engine.into());
        let encoder = Encoder::new(&signature, encoder.into_columns())?;
        if encoder.features() != engine.features() {
            let (made, needed) = (encoder.features(), engine.features());
            let message = format!("the engine needs {needed} features and the encoder makes {made}");
            return Err(Error::new(ErrorKind::InvalidModel, message));
        }
        check_outputs(signature.outputs(), &engine)?;
        Ok(Self { signature, encoder, engine })
    }

    /// Returns how columns become features.
    #[must_use]
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Returns what computes the answers.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }
}

impl Model for NativeModel {
    fn signature(&self) -> &Arc<Signature> {
        &self.signature
    }

    fn predict(&self, batch: &Batch) -> Result<Predictions, Error> {
        batch.check_columns(&self.signature)?;
        self.engine.predict(&self.encoder, batch)
    }

    fn predict_probabilities(&self, batch: &Batch) -> Result<Probabilities, Error> {
        batch.check_columns(&self.signature)?;
        let none = || Error::new(ErrorKind::Unsupported, "a regression has no class probabilities");
        self.engine.predict_probabilities(&self.encoder, batch).ok_or_else(none)
    }
}

fn check_outputs(outputs: &Outputs, engine: &Engine) -> Result<(), Error> {
    let [ref column] = *outputs.columns() else {
        let problem = "the engine answers one value per row and the signature promises several columns";
        let fits = outputs.columns().is_empty();
        return if fits { Ok(()) } else { Err(Error::new(ErrorKind::InvalidModel, problem)) };
    };
    if engine.answers().contains(&column.data_type) {
        return Ok(());
    }
    let (name, data_type) = (&column.name, column.data_type);
    let message =
        format!("the output column {name:?} has the type {data_type}, which the engine does not answer");
    Err(Error::new(ErrorKind::InvalidModel, message))
}
