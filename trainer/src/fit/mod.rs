//! Learns a model from rows: encoder, linfa, export.

pub(crate) mod linear;
pub(crate) mod logistic;
mod softmax;

use std::collections::BTreeMap;
use std::sync::Arc;

use martello_model_core::engine::Engine;
use martello_model_core::preprocessing::Encoder;
use martello_model_core::{NativeModel, Signature};
use ndarray::Array2;

use crate::dataset::{Dataset, Target, TargetValues};
use crate::encoder::{self, Shape};
use crate::error::{Error, ErrorKind};
use crate::export;
use crate::parameters::{Algorithm, FitLimits, Logistic};

impl Algorithm {
    /// Fits a model to all rows of a data set.
    ///
    /// Text columns become one feature per category and missing numbers the column's mean, both learnt from these rows.
    ///
    /// ```
    /// use martello_model_core::Model;
    /// use martello_trainer::{Algorithm, Logistic, Dataset};
    ///
    /// let penguins = Dataset::penguins();
    /// let model = Algorithm::LogisticRegression(Logistic::default()).fit(&penguins)?;
    /// let answers = model.predict(&penguins.to_batch(model.signature())?)?;
    /// assert_eq!(answers.len(), 344);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidData`](ErrorKind::InvalidData) if the target does not suit the algorithm, has one class only or one for each row, or
    /// no feature varies; [`TooLarge`](ErrorKind::TooLarge); [`NotConverged`](ErrorKind::NotConverged);
    /// [`Numerical`](ErrorKind::Numerical).
    pub fn fit(&self, train: &Dataset) -> Result<NativeModel, Error> {
        self.fit_within(train, &FitLimits::default())
    }

    /// Fits as [`fit`](Self::fit) does, with other limits.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn fit_within(&self, train: &Dataset, limits: &FitLimits) -> Result<NativeModel, Error> {
        let signature = train.signature()?;
        let (encoder, engine) = match (self, train.target().values()) {
            (Self::LinearRegression, TargetValues::Numbers(y)) => fit_linear(train, y, &signature, limits)?,
            (Self::LogisticRegression(params), TargetValues::Labels(y)) => {
                fit_logistic(train, y, &signature, params, limits)?
            }
            (_, values) => return Err(unsuited(self, train.target(), values)),
        };
        NativeModel::new(signature, encoder, engine).map_err(not_assembled)
    }
}

fn fit_linear(
    train: &Dataset,
    y: &[f64],
    signature: &Arc<Signature>,
    limits: &FitLimits,
) -> Result<(Encoder, Engine), Error> {
    let encoder = encoder::learn(train, signature, Shape::Plain, limits)?;
    let fit = linear::fit(&matrix(train, signature, &encoder)?, y)?;
    Ok((encoder, export::linear(&fit).map_err(not_assembled)?))
}

fn fit_logistic(
    train: &Dataset,
    y: &[Arc<str>],
    signature: &Arc<Signature>,
    params: &Logistic,
    limits: &FitLimits,
) -> Result<(Encoder, Engine), Error> {
    let (classes, indices) = index_classes(y, train.target().name(), limits)?;
    let encoder = encoder::learn(train, signature, Shape::Standardised, limits)?;
    let fit = logistic::fit(&matrix(train, signature, &encoder)?, &indices, classes.len(), params)?;
    Ok((encoder, export::logistic(&fit, &classes).map_err(not_assembled)?))
}

fn matrix(train: &Dataset, signature: &Arc<Signature>, encoder: &Encoder) -> Result<Array2<f64>, Error> {
    let values = encoder.encode(&train.to_batch(signature)?);
    Ok(Array2::from_shape_vec((train.rows(), encoder.features()), values)
        .expect("an encoder makes the same number of features of every row"))
}

/// Classes in alphabetical order, and the class of each row as an index into them.
fn index_classes(
    y: &[Arc<str>],
    target: &str,
    limits: &FitLimits,
) -> Result<(Vec<Arc<str>>, Vec<usize>), Error> {
    let mut index: BTreeMap<&Arc<str>, usize> = y.iter().map(|label| (label, 0)).collect();
    index.values_mut().enumerate().for_each(|(i, index)| *index = i);
    if index.len() < 2 {
        return Err(Error::data(format!("the target `{target}` has one class only in the training rows")));
    }
    if index.len() == y.len() {
        return Err(Error::data(format!(
            "the target `{target}` has a class of its own in each of the {} training rows, so there is nothing to learn \
             from; is it the right column?",
            y.len()
        )));
    }
    if index.len() > limits.classes {
        let (classes, limit) = (index.len(), limits.classes);
        let message =
            format!("the target `{target}` has {classes} classes, the limit is {limit} (FitLimits::classes)");
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    let indices = y.iter().map(|label| index[label]).collect();
    Ok((index.into_keys().cloned().collect(), indices))
}

fn unsuited(algorithm: &Algorithm, target: &Target, values: &TargetValues) -> Error {
    let (name, algorithm) = (target.name(), algorithm.name());
    let (has, advice) = match values {
        TargetValues::Numbers(_) => ("numbers", "declare it as text to classify"),
        TargetValues::Labels(_) => ("labels", "use a logistic regression"),
    };
    Error::data(format!("the target `{name}` has {has}, which {algorithm} cannot learn; {advice}"))
}

fn not_assembled(cause: martello_model_core::Error) -> Error {
    Error::new(ErrorKind::Model, "the fitted model is not valid").with_source(cause)
}
