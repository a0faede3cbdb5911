//! From a data set to what a model takes.

use std::sync::Arc;

use martello_model_core::{Batch, Cell, CellError, Column, Signature};

use crate::dataset::{Dataset, Feature, TargetValues, Values};
use crate::error::{Error, ErrorKind};

impl Dataset {
    /// Returns the signature of a model that learns from these data: a double or a text per column, optional where a cell
    /// [may be missing](Feature::is_optional), and the target as output.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] if the model's contract cannot say it.
    pub fn signature(&self) -> Result<Arc<Signature>, Error> {
        let inputs = self.features().iter().map(column).collect();
        let target = self.target();
        let output = match target.values() {
            TargetValues::Numbers(_) => Column::double(target.name()),
            TargetValues::Labels(_) => Column::string(target.name()),
        };
        Signature::new(inputs, vec![output])
            .map(Arc::new)
            .map_err(|cause| Error::new(ErrorKind::Model, "the columns make no signature").with_source(cause))
    }

    /// Returns the features as rows that a model takes.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] if the columns do not fit the signature.
    pub fn to_batch(&self, signature: &Arc<Signature>) -> Result<Batch, Error> {
        let mut builder = Batch::builder(signature);
        builder.reserve_rows(self.rows());
        for row in 0..self.rows() {
            let cells: Vec<Cell<'_>> = self.features().iter().map(|feature| cell(feature, row)).collect();
            builder.push_row(&cells).map_err(misfit)?;
        }
        Ok(builder.build())
    }
}

fn misfit(cells: Vec<CellError>) -> Error {
    let error = Error::new(ErrorKind::Model, "the data do not fit the signature of the model");
    match cells.into_iter().next() {
        Some(cause) => error.with_source(cause),
        None => error,
    }
}

fn column(feature: &Feature) -> Column {
    let column = match feature.values() {
        Values::Numbers(_) => Column::double(feature.name()),
        Values::Texts(_) => Column::string(feature.name()),
    };
    if feature.is_optional() { column.optional() } else { column }
}

fn cell(feature: &Feature, row: usize) -> Cell<'_> {
    match feature.values() {
        Values::Numbers(numbers) if numbers[row].is_nan() => Cell::Missing,
        Values::Numbers(numbers) => Cell::Number(numbers[row]),
        Values::Texts(texts) => texts[row].as_deref().map_or(Cell::Missing, Cell::Text),
    }
}
