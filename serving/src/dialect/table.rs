//! Rows out of JSON tables, however they are laid out: records, rows of cells, or columns.
//!
//! A cell means here what it means to [`/predict`](super::predict): one reading for every dialect keeps their answers
//! equal to the bit.

use std::fmt::Write as _;
use std::sync::Arc;

use martello_model_core::{Batch, BatchBuilder, Signature};

use super::predict::lax::{self, Lax};
use super::{Refusal, document};
use crate::Limits;
use crate::json::Value;
use crate::json::echo::echo;

/// Bytes of a bad cell that its error repeats.
const ECHOED: usize = 64;

/// A table on its way to become a batch; every bad cell is kept for the answer.
#[derive(Debug)]
pub(super) struct Table<'a> {
    signature: &'a Arc<Signature>,
    limits: &'a Limits,
    batch: BatchBuilder,
    row: usize,
    problems: Vec<String>,
    /// Also for a bad cell of an optional column, without which the row would be whole.
    is_refused: bool,
}

impl<'a> Table<'a> {
    pub(super) fn new(signature: &'a Arc<Signature>, limits: &'a Limits) -> Self {
        Self {
            signature,
            limits,
            batch: Batch::builder(signature),
            row: 0,
            problems: Vec::new(),
            is_refused: false,
        }
    }

    /// Returns the most cells that a row may have.
    pub(super) fn most_cells(&self) -> usize {
        self.limits.cells(self.signature)
    }

    /// Reads a list of objects with one member per column, in any order; other members are ignored.
    pub(super) fn records(mut self, list: Value<'_>) -> Result<Batch, Refusal> {
        self.check_rows(list.elements().count())?;
        for (row, record) in list.elements().enumerate() {
            if !matches!(record, Value::Object(_)) {
                let kind = document::kind(record);
                return Err(Refusal::bad_request(format!("row {row} must be an object, got {kind}")));
            }
            too_wide(record.members().count(), self.signature, self.limits)?;
            let mut cells = vec![None; self.signature.inputs().len()];
            for (name, cell) in record.members().filter(|(name, _)| !name.lone_surrogate) {
                if let Some(position) = self.signature.position(&name.text) {
                    cells[position] = Some(cell);
                }
            }
            self.push(&cells);
        }
        self.finish()
    }

    /// Reads a list of lists of cells; `columns` says for each cell which column it is, or that it is none. A list of
    /// plain values is one cell per row.
    pub(super) fn rows(mut self, list: Value<'_>, columns: &[Option<usize>]) -> Result<Batch, Refusal> {
        self.check_rows(list.elements().count())?;
        too_wide(columns.len(), self.signature, self.limits)?;
        for (row, values) in list.elements().enumerate() {
            let mut cells = vec![None; self.signature.inputs().len()];
            let count = match values {
                Value::Array(_) => {
                    let places = values.elements().zip(columns);
                    for (cell, column) in
                        places.filter_map(|(cell, column)| column.map(|column| (cell, column)))
                    {
                        cells[column] = Some(cell);
                    }
                    values.elements().count()
                }
                cell => {
                    if let Some(Some(column)) = columns.first() {
                        cells[*column] = Some(cell);
                    }
                    1
                }
            };
            if count != columns.len() {
                let expected = columns.len();
                return Err(Refusal::bad_request(format!(
                    "row {row} has {count} cells, expected {expected}"
                )));
            }
            self.push(&cells);
        }
        self.finish()
    }

    /// Reads an object with one list per column, or one plain value per column, which is one row.
    pub(super) fn columns(mut self, object: Value<'_>) -> Result<Batch, Refusal> {
        too_wide(object.members().count(), self.signature, self.limits)?;
        let mut columns: Vec<Option<Value<'_>>> = vec![None; self.signature.inputs().len()];
        for (name, values) in object.members().filter(|(name, _)| !name.lone_surrogate) {
            if let Some(position) = self.signature.position(&name.text) {
                columns[position] = Some(values);
            }
        }
        let mut given = columns.iter().flatten();
        if given.clone().next().is_some() && given.all(|value| !matches!(value, Value::Array(_))) {
            self.push(&columns);
            return self.finish();
        }
        let lengths = columns.iter().flatten().map(|values| values.elements().count());
        let rows = lengths.clone().max().unwrap_or(0);
        if lengths.clone().any(|length| length != rows) {
            return Err(Refusal::bad_request(
                "The length of values for each input/column name are not the same",
            ));
        }
        self.check_rows(rows)?;
        self.require_columns(&columns)?;
        let mut walks: Vec<_> =
            columns.iter().map(|values| values.map(|values| Box::new(values.elements()))).collect();
        for _ in 0..rows {
            let cells: Vec<_> = walks.iter_mut().map(|walk| walk.as_mut().and_then(Iterator::next)).collect();
            self.push(&cells);
        }
        self.finish()
    }

    /// Refuses at once what has no rows in which a missing column would show.
    fn require_columns(&self, columns: &[Option<Value<'_>>]) -> Result<(), Refusal> {
        let missing = self
            .signature
            .inputs()
            .iter()
            .zip(columns)
            .filter(|(column, values)| column.required && values.is_none());
        let missing: Vec<_> = missing.map(|(column, _)| column.name.as_str()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Refusal::bad_request(format!("Model is missing inputs {missing:?}")))
    }

    fn check_rows(&self, rows: usize) -> Result<(), Refusal> {
        too_many(rows, self.limits)
    }

    /// Adds a row; what is wrong with it is told at the end.
    fn push(&mut self, cells: &[Option<Value<'_>>]) {
        let before = self.problems.len();
        let mut writer = self.batch.row();
        let mut bad = Vec::new();
        for (position, (column, cell)) in self.signature.inputs().iter().zip(cells).enumerate() {
            match cell.map(|cell| (cell, lax::read(column, cell))) {
                None | Some((_, Ok(Lax::Missing))) => {}
                Some((_, Ok(value))) => writer.set(position, value.cell()),
                Some((cell, Err(problem))) => {
                    bad.push(describe(self.row, &column.name, problem.message(), cell));
                }
            }
        }
        let refused = writer.finish().err().unwrap_or_default();
        self.is_refused |= !bad.is_empty() || !refused.is_empty();
        let room = self.limits.listed_errors.saturating_sub(before);
        let absent = refused.iter().filter(|error| bad.is_empty() || cells[error.position].is_none());
        let absent = absent.map(|error| {
            format!(
                "row {}, column {:?}: expected {}, got {}",
                self.row, error.column, error.expected, error.got
            )
        });
        let absent: Vec<_> = absent.collect();
        self.problems.extend(bad.into_iter().chain(absent).take(room));
        self.row += 1;
    }

    fn finish(self) -> Result<Batch, Refusal> {
        if self.is_refused {
            return Err(Refusal::bad_request(self.problems.join("; ")));
        }
        Ok(self.batch.build())
    }
}

/// Refuses more rows than a request may have.
pub(super) fn too_many(rows: usize, limits: &Limits) -> Result<(), Refusal> {
    if rows <= limits.rows {
        return Ok(());
    }
    let most = limits.rows;
    Err(Refusal::bad_request(format!("a request may have at most {most} rows, not {rows}; send it in parts")))
}

/// Refuses more cells than a row may have.
pub(super) fn too_wide(cells: usize, signature: &Signature, limits: &Limits) -> Result<(), Refusal> {
    let most = limits.cells(signature);
    if cells <= most {
        return Ok(());
    }
    Err(Refusal::bad_request(format!("a row may have at most {most} cells, not {cells}")))
}

fn describe(row: usize, column: &str, message: &str, cell: Value<'_>) -> String {
    let mut text = format!("row {row}, column {column:?}: {message}");
    let mut echoed = Vec::new();
    if echo(cell, ECHOED, &mut echoed) {
        let echoed = String::from_utf8_lossy(&echoed);
        write!(text, ", got {echoed}").expect("a String takes every text");
    }
    text
}
