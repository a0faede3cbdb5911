//! The list of everything that is wrong with a body, in the shape of FastAPI's 422.

use std::borrow::Cow;
use std::io::Write as _;

use martello_model_core::CellError;

use crate::Limits;
use crate::json::Value;
use crate::json::echo::{echo, write_text};

/// What is wrong: pydantic's type, its message, and the figures in it.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::dialect) struct Problem {
    pub(super) kind: &'static str,
    message: Cow<'static, str>,
    /// The members of `ctx`, as JSON.
    context: Option<String>,
}

impl Problem {
    pub(super) const NOT_FINITE: Self = Self::new("finite_number", "Input should be a finite number");

    pub(super) const fn new(kind: &'static str, message: &'static str) -> Self {
        Self { kind, message: Cow::Borrowed(message), context: None }
    }

    pub(in crate::dialect) fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn bound(kind: &'static str, words: &str, name: &str, bound: i64) -> Self {
        let message = Cow::Owned(format!("Input should be {words} {bound}"));
        Self { kind, message, context: Some(format!(r#""{name}":{bound}"#)) }
    }

    pub(super) fn too_long(most: usize, rows: usize) -> Self {
        let message = format!("List should have at most {most} items after validation, not {rows}");
        let context = format!(r#""field_type":"List","max_length":{most},"actual_length":{rows}"#);
        Self { kind: "too_long", message: Cow::Owned(message), context: Some(context) }
    }

    pub(super) fn too_wide(most: usize, cells: usize) -> Self {
        let message = format!("Object should have at most {most} members, not {cells}");
        let context = format!(r#""field_type":"Object","max_length":{most},"actual_length":{cells}"#);
        Self { kind: "too_long", message: Cow::Owned(message), context: Some(context) }
    }

    pub(super) fn refused(error: &CellError) -> Self {
        let message = format!("Value error, expected {}, got {}", error.expected, error.got);
        Self { kind: "value_error", message: Cow::Owned(message), context: None }
    }
}

/// Where it is wrong.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'a> {
    Body,
    Row(usize),
    Cell { row: Option<usize>, column: &'a str },
}

/// The answer, written as the problems are found.
#[derive(Debug)]
pub(super) struct Details {
    out: Vec<u8>,
    count: usize,
    most: usize,
    /// Bytes of `input` that may still be written.
    echo: usize,
}

impl Details {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { out: Vec::new(), count: 0, most: limits.listed_errors, echo: limits.echoed_input }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Returns true once the list is as long as it may get; a row that was begun is still listed whole.
    pub(super) fn is_full(&self) -> bool {
        self.count >= self.most
    }

    pub(super) fn push(&mut self, place: Place<'_>, input: Value<'_>, problem: &Problem) {
        self.out.extend_from_slice(if self.count == 0 { br#"{"detail":["# } else { b"," });
        self.count += 1;
        self.text(r#"{"type":""#);
        self.text(problem.kind);
        self.text(r#"","loc":["body""#);
        self.place(place);
        self.text(r#"],"msg":"#);
        write_text(&problem.message, &mut self.out);
        self.input(input);
        if let Some(context) = &problem.context {
            self.text(r#","ctx":{"#);
            self.text(context);
            self.text("}");
        }
        self.text("}");
    }

    /// Returns the answer, if anything was wrong.
    pub(super) fn finish(mut self) -> Option<Vec<u8>> {
        self.text("]}");
        (self.count > 0).then_some(self.out)
    }

    fn place(&mut self, place: Place<'_>) {
        let (row, column) = match place {
            Place::Body => (None, None),
            Place::Row(row) => (Some(row), None),
            Place::Cell { row, column } => (row, Some(column)),
        };
        if let Some(row) = row {
            write!(self.out, ",{row}").expect("a Vec takes every byte");
        }
        if let Some(column) = column {
            self.text(",");
            write_text(column, &mut self.out);
        }
    }

    fn input(&mut self, input: Value<'_>) {
        let before = self.out.len();
        self.text(r#","input":"#);
        let start = self.out.len();
        if echo(input, self.echo, &mut self.out) {
            self.echo = self.echo.saturating_sub(self.out.len() - start);
        } else {
            self.out.truncate(before);
        }
    }

    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }
}
