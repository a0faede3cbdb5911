//! The reading that knows every rule: Python's JSON, pydantic's lax mode, FastAPI's answers.

use std::sync::Arc;

use http::StatusCode;
use martello_model_core::{Batch, BatchBuilder, Signature};

use super::detail::{Details, Place, Problem};
use super::lax::{self, Lax};
use super::{Form, Refusal, Rows};
use crate::Limits;
use crate::json::{self, Fault, Value};

/// What FastAPI says of a text that its JSON reader does not even report on.
const UNREADABLE: &[u8] = br#"{"detail":"There was an error parsing the body"}"#;

/// Reads any body, or lists everything that is wrong with it.
pub(super) fn parse(body: &[u8], signature: &Arc<Signature>, limits: &Limits) -> Result<Rows, Refusal> {
    let mut reading = Reading {
        signature,
        batch: Batch::builder(signature),
        details: Details::new(limits),
        most_cells: limits.cells(signature),
    };
    if body.is_empty() {
        reading.details.push(Place::Body, Value::Null, &Problem::new("missing", "Field required"));
        return reading.finish(Form::One);
    }
    let text = well_formed(body)?;
    let form = match json::root(text) {
        list @ Value::Array(_) => reading.list(list, limits.rows),
        other => {
            reading.row(other, None);
            Form::One
        }
    };
    reading.finish(form)
}

/// Returns the text of a body that is JSON; a byte order mark is not part of it, as in Python.
fn well_formed(body: &[u8]) -> Result<&str, Refusal> {
    let unreadable = || Refusal { status: StatusCode::BAD_REQUEST, body: UNREADABLE.to_vec() };
    let text = std::str::from_utf8(body).map_err(|_| unreadable())?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match json::check(text) {
        Ok(()) => Ok(text),
        Err(Fault::Syntax { message, at }) => Err(invalid_json(message, text[..at].chars().count())),
        Err(Fault::TooDeep | Fault::IntegerTooLong) => Err(unreadable()),
    }
}

fn invalid_json(message: &str, offset: usize) -> Refusal {
    let mut body =
        format!(r#"{{"detail":[{{"type":"json_invalid","loc":["body",{offset}],"msg":"JSON decode error","#);
    body.push_str(r#""input":{},"ctx":{"error":"#);
    let mut body = body.into_bytes();
    json::echo::write_text(message, &mut body);
    body.extend_from_slice(b"}}]}");
    Refusal { status: StatusCode::UNPROCESSABLE_ENTITY, body }
}

struct Reading<'a> {
    signature: &'a Arc<Signature>,
    batch: BatchBuilder,
    details: Details,
    most_cells: usize,
}

impl Reading<'_> {
    fn list(&mut self, list: Value<'_>, max_rows: usize) -> Form {
        let rows = list.elements().count();
        if rows > max_rows {
            self.details.push(Place::Body, list, &Problem::too_long(max_rows, rows));
            return Form::List;
        }
        for (row, value) in list.elements().enumerate() {
            self.row(value, Some(row));
            if self.details.is_full() {
                break;
            }
        }
        Form::List
    }

    fn row(&mut self, value: Value<'_>, row: Option<usize>) {
        if !matches!(value, Value::Object(_)) {
            let message = "Input should be a valid dictionary or object to extract fields from";
            let place = row.map_or(Place::Body, Place::Row);
            return self.details.push(place, value, &Problem::new("model_attributes_type", message));
        }
        let given = value.members().count();
        if given > self.most_cells {
            let place = row.map_or(Place::Body, Place::Row);
            return self.details.push(place, value, &Problem::too_wide(self.most_cells, given));
        }
        let mut cells = vec![None; self.signature.inputs().len()];
        for (name, cell) in value.members().filter(|(name, _)| !name.lone_surrogate) {
            if let Some(position) = self.signature.position(&name.text) {
                cells[position] = Some(cell);
            }
        }
        self.cells(value, row, &cells);
    }

    fn cells(&mut self, object: Value<'_>, row: Option<usize>, cells: &[Option<Value<'_>>]) {
        let before = self.details.count();
        let mut writer = self.batch.row();
        for (position, (column, cell)) in self.signature.inputs().iter().zip(cells).enumerate() {
            let place = Place::Cell { row, column: &column.name };
            match cell.map(|cell| (cell, lax::read(column, cell))) {
                None if column.required => {
                    self.details.push(place, object, &Problem::new("missing", "Field required"));
                }
                Some((cell, Err(problem))) => self.details.push(place, cell, &problem),
                None | Some((_, Ok(Lax::Missing))) => {}
                Some((_, Ok(value))) => writer.set(position, value.cell()),
            }
        }
        let errors = writer.finish().err().unwrap_or_default();
        // Pydantic has no word for what is left, a number beyond single precision: the batch says it.
        if self.details.count() == before {
            for error in errors {
                let place = Place::Cell { row, column: &error.column };
                let cell = cells[error.position].unwrap_or(Value::Null);
                self.details.push(place, cell, &Problem::refused(&error));
            }
        }
    }

    fn finish(self, form: Form) -> Result<Rows, Refusal> {
        match self.details.finish() {
            None => Ok(Rows { batch: self.batch.build(), form }),
            Some(body) => Err(Refusal { status: StatusCode::UNPROCESSABLE_ENTITY, body }),
        }
    }
}
