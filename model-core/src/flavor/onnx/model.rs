//! A graph behind the trait.

use std::sync::Arc;

use super::pipeline::Pipeline;
use crate::engine::Classes;
use crate::{Batch, Error, ErrorKind, Model, Predictions, Probabilities, Signature};

/// The model that a graph describes.
#[derive(Debug)]
pub(super) struct OnnxModel {
    /// All of its columns are numeric.
    pub(super) signature: Arc<Signature>,
    pub(super) answer: Answer,
    /// From the columns to one number per class.
    pub(super) probabilities: Option<Pipeline>,
}

/// What the graph answers.
#[derive(Debug)]
pub(super) enum Answer {
    /// The one number that comes out.
    Number(Pipeline),
    /// The class with the highest score, the first of equals.
    Label(Pipeline, Classes),
}

impl Model for OnnxModel {
    fn signature(&self) -> &Arc<Signature> {
        &self.signature
    }

    fn predict(&self, batch: &Batch) -> Result<Predictions, Error> {
        batch.check_columns(&self.signature)?;
        match &self.answer {
            Answer::Number(pipeline) => {
                let mut answers = Vec::with_capacity(batch.rows());
                for_each_row(batch, pipeline, |row| answers.extend(row.first().copied()));
                Ok(Predictions::Numbers(answers))
            }
            Answer::Label(scores, Classes::Text(labels)) => {
                let winners = winners(batch, scores)?;
                Ok(Predictions::Labels(winners.into_iter().map(|class| Arc::clone(&labels[class])).collect()))
            }
            Answer::Label(scores, Classes::Integers(labels)) => {
                let winners = winners(batch, scores)?;
                Ok(Predictions::Integers(winners.into_iter().map(|class| labels[class]).collect()))
            }
        }
    }

    fn predict_probabilities(&self, batch: &Batch) -> Result<Probabilities, Error> {
        batch.check_columns(&self.signature)?;
        let (Some(pipeline), Answer::Label(_, classes)) = (&self.probabilities, &self.answer) else {
            let message = "the graph of this model has no class probabilities";
            return Err(Error::new(ErrorKind::Unsupported, message));
        };
        let mut values = Vec::with_capacity(batch.rows() * classes.len());
        for_each_row(batch, pipeline, |row| values.extend_from_slice(row));
        Probabilities::new(classes.names(), values)
    }
}

fn for_each_row(batch: &Batch, pipeline: &Pipeline, mut visit: impl FnMut(&[f64])) {
    let width = batch.signature().inputs().len();
    let (mut row, mut scratch) = (Vec::with_capacity(width), Vec::new());
    for cells in batch.numbers().chunks_exact(width) {
        row.clear();
        row.extend_from_slice(cells);
        pipeline.run(&mut row, &mut scratch);
        visit(&row);
    }
}

fn winners(batch: &Batch, scores: &Pipeline) -> Result<Vec<usize>, Error> {
    let mut winners = Vec::with_capacity(batch.rows());
    let mut overflow = None;
    for_each_row(batch, scores, |scores| match highest(scores) {
        Some(class) => winners.push(class),
        None => _ = overflow.get_or_insert(winners.len()),
    });
    match overflow {
        Some(row) => Err(Error::new(ErrorKind::Prediction, format!("the scores of row {row} overflow"))),
        None => Ok(winners),
    }
}

/// Returns the position of the highest score, the first of equals, or nothing if a score is NaN.
fn highest(scores: &[f64]) -> Option<usize> {
    let mut best = 0;
    for (class, score) in scores.iter().enumerate() {
        if score.is_nan() {
            return None;
        }
        if *score > scores[best] {
            best = class;
        }
    }
    Some(best)
}
