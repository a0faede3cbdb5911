//! The reading of a body in plain form: one pass over its bytes, nothing allocated but the batch.
//!
//! It takes a subset of what the exact reading takes and agrees with it there; at the first thing out of the ordinary it
//! gives up without a word, and the exact reading starts over.

use std::sync::Arc;

use martello_model_core::{Batch, BatchBuilder, Cell, RowWriter, Signature};

use super::{Form, Rows};
use crate::Limits;
use crate::json::{is_space, number_end};

/// Reads a plain body; `None` sends it to the exact reading.
pub(super) fn parse(body: &[u8], signature: &Arc<Signature>, limits: &Limits) -> Option<Rows> {
    let most_cells = limits.cells(signature);
    let mut scan = Scan { text: std::str::from_utf8(body).ok()?, at: 0, most_cells };
    let mut batch = Batch::builder(signature);
    scan.spaces();
    let form = if scan.peek()? == b'[' {
        scan.list(&mut batch, signature, limits.rows)?;
        Form::List
    } else {
        scan.object(&mut batch, signature)?;
        Form::One
    };
    scan.spaces();
    (scan.at == body.len()).then(|| Rows { batch: batch.build(), form })
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    most_cells: usize,
}

impl<'a> Scan<'a> {
    fn list(&mut self, batch: &mut BatchBuilder, signature: &Signature, max_rows: usize) -> Option<()> {
        self.expect(b'[')?;
        loop {
            // An empty list is rare enough for the exact reading.
            self.spaces();
            if batch.rows() == max_rows {
                return None;
            }
            self.object(batch, signature)?;
            if self.comma_or(b']')? {
                return Some(());
            }
        }
    }

    fn object(&mut self, batch: &mut BatchBuilder, signature: &Signature) -> Option<()> {
        self.expect(b'{')?;
        let mut row = batch.row();
        // Clients write the members in the order of the columns, so the next one is guessed before any search.
        let mut guess = 0;
        for _ in 0..self.most_cells {
            self.spaces();
            let name = self.plain_string()?;
            self.spaces();
            self.expect(b':')?;
            self.spaces();
            match column(signature, name, guess) {
                Some(position) => {
                    self.cell(&mut row, position)?;
                    guess = position + 1;
                }
                None => drop(self.scalar()?),
            }
            if self.comma_or(b'}')? {
                return row.finish().ok();
            }
        }
        None
    }

    fn cell(&mut self, row: &mut RowWriter<'_>, position: usize) -> Option<()> {
        row.set(position, self.scalar()?);
        Some(())
    }

    /// Reads a number, a boolean as a number, or a text without escapes. `null` goes to the exact reading, which knows
    /// whether the column is optional.
    fn scalar(&mut self) -> Option<Cell<'a>> {
        match self.peek()? {
            b'"' => self.plain_string().map(Cell::Text),
            b't' => self.word("true", 1.0),
            b'f' => self.word("false", 0.0),
            _ => self.number().map(Cell::Number),
        }
    }

    fn word(&mut self, word: &str, number: f64) -> Option<Cell<'a>> {
        let found = self.text.as_bytes()[self.at..].starts_with(word.as_bytes());
        self.at += word.len();
        found.then_some(Cell::Number(number))
    }

    fn number(&mut self) -> Option<f64> {
        let (end, _) = number_end(self.text.as_bytes(), self.at)?;
        let digits = &self.text[self.at..end];
        self.at = end;
        match short_decimal(digits.as_bytes()) {
            Some(number) => Some(number),
            // Long enough for Python's limit on the digits of an integer: the exact reading decides.
            None if digits.len() > 300 => None,
            None => digits.parse().ok(),
        }
    }

    fn plain_string(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let bytes = &self.text.as_bytes()[self.at..];
        let length = bytes.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20)?;
        let text = &self.text[self.at..self.at + length];
        self.at += length;
        self.expect(b'"')?;
        Some(text)
    }

    /// Steps over a comma (false) or the end of the container (true).
    fn comma_or(&mut self, close: u8) -> Option<bool> {
        self.spaces();
        let byte = self.peek()?;
        self.at += 1;
        (byte == close || byte == b',').then_some(byte == close)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn spaces(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
    }
}

fn column(signature: &Signature, name: &str, guess: usize) -> Option<usize> {
    match signature.inputs().get(guess) {
        Some(column) if column.name == name => Some(guess),
        _ => signature.position(name),
    }
}

/// Powers of ten that a double holds exactly.
const POWERS_OF_TEN: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// Reads a decimal of at most 15 digits without an exponent: its digits and its power of ten are both exact doubles, so
/// their quotient is the correctly rounded number (Clinger, "How to read floating point numbers accurately", 1990).
fn short_decimal(text: &[u8]) -> Option<f64> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if text.len() > 16 {
        return None;
    }
    let (mut digits, mut fraction, mut seen_point) = (0_u64, 0, false);
    for &byte in text {
        match byte {
            b'.' => seen_point = true,
            b'0'..=b'9' => {
                digits = digits * 10 + u64::from(byte - b'0');
                fraction += usize::from(seen_point);
            }
            _ => return None,
        }
    }
    if text.len() == 16 && !seen_point {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "15 digits are below 2^53")]
    let number = digits as f64 / POWERS_OF_TEN[fraction];
    // Python reads `-0` as the integer zero, which has no sign.
    let zero_integer = digits == 0 && !seen_point;
    Some(if negative && !zero_integer { -number } else { number })
}

#[cfg(test)]
mod tests {
    use martello_model_core::Column;
    use proptest::prelude::*;

    use super::*;

    fn read(body: &str) -> Option<Vec<f64>> {
        let columns = vec![Column::double("x"), Column::double("y")];
        let signature = Arc::new(Signature::new(columns, vec![]).unwrap());
        parse(body.as_bytes(), &signature, &Limits { rows: 3, columns: 3, ..Limits::default() })
            .map(|rows| rows.batch.numbers().to_vec())
    }

    #[test]
    fn a_plain_body_is_read() {
        let cases: [(&str, &[f64]); 6] = [
            (r#"{"x":5.3,"y":-2}"#, &[5.3, -2.0]),
            (" {\n\"y\" : 1e2 , \"x\" : true } ", &[1.0, 100.0]),
            (r#"{"x":1,"z":"extra","y":2}"#, &[1.0, 2.0]),
            (r#"{"x":1,"x":3,"y":2}"#, &[3.0, 2.0]),
            (
                r#"{"x":123456789012345678,"y":0.1234567890123456789}"#,
                &[123_456_789_012_345_680.0, 0.123_456_789_012_345_68],
            ),
            (r#"[{"x":1,"y":2},{"x":3,"y":4}]"#, &[1.0, 2.0, 3.0, 4.0]),
        ];
        for (body, expected) in cases {
            assert_eq!(read(body).as_deref(), Some(expected), "{body}");
        }
    }

    #[test]
    fn anything_else_is_left_to_the_exact_reading() {
        let row = r#"{"x":1,"y":2}"#;
        let too_many = format!("[{row},{row},{row},{row}]");
        let cases = [
            "",
            "{",
            "{}",
            "[]",
            "null",
            r#"{"x":1}"#,
            r#"{"x":1,"y":null}"#,
            r#"{"x":1,"y":"2"}"#,
            r#"{"x":1,"y":01}"#,
            r#"{"x":1,"y":2,}"#,
            r#"{"x":1,"y":2} x"#,
            r#"{"x":1,"y":1e400}"#,
            r#"{"x":1,"y":2,"z":[]}"#,
            r#"{"x":tru,"y":2}"#,
            r#"{"x":1,"\u0079":2}"#,
            r#"{"x":NaN,"y":2}"#,
            r#"{"x":1,"y":2,"z":nul}"#,
            r#"{"x":1,"y":2,"z":3,"u":4}"#,
            &too_many,
        ];
        for body in cases {
            assert_eq!(read(body), None, "{body}");
        }
    }

    proptest! {
        #[test]
        fn a_short_decimal_is_rounded_as_the_standard_library_does(text in "-?(0|[1-9][0-9]{0,9})(\\.[0-9]{1,8})?") {
            if let Some(number) = short_decimal(text.as_bytes()) {
                let expected: f64 = text.parse().unwrap();
                let expected = if text == "-0" { 0.0 } else { expected };
                prop_assert_eq!(number.to_bits(), expected.to_bits());
            }
        }
    }
}
