//! The dialect of `POST /predict`: one object per row, as the FastAPI application that it replaces understood it.
//!
//! # What it takes
//! A JSON object with one member per column, or a list of such objects. The columns are read in pydantic's lax mode:
//! numbers may come as text (`"5.3"`, ` 5.3 ` with spaces around, `"1_000"`), `true` and `false` are numbers, members that
//! the model does not know are ignored, and the last of duplicate names counts. An optional column may be absent or `null`.
//!
//! # What it answers
//! `{"prediction":321.3}` for an object and a list of these for a list. What cannot be read is answered as FastAPI does:
//! 422 with *every* bad field, or 400 where FastAPI gives up on the text itself.
//!
//! # Where it differs from FastAPI, on purpose
//! * A list of objects gives a list of answers; FastAPI's single-object endpoint answers `model_attributes_type`.
//! * A number that is not finite (`NaN`, `Infinity`, `1e400`, `"inf"`) is the caller's mistake: 422 `finite_number`, where
//!   FastAPI answers 500 with a text. In an optional column NaN is a missing value.
//! * Half a surrogate pair and non-finite numbers are echoed as U+FFFD and as text, where FastAPI fails to write its answer.
//! * A body of another content type is 415 before it is read; FastAPI takes it for text and answers 422.
//! * The body is UTF-8 (RFC 8259 section 8.1), with or without a byte order mark; Python also guesses UTF-16 and UTF-32.
//! * The `input` of an error is left out when it is long, and a long list of errors ends after
//!   [`Limits::listed_errors`](crate::Limits::listed_errors): an answer cannot be made much larger than its question.

mod answer;
mod detail;
mod exact;
mod fast;
pub(super) mod lax;
mod typed;

use std::sync::Arc;

use martello_model_core::{Batch, Signature};

pub(crate) use self::answer::answer;
pub use super::Refusal;
use crate::Limits;

/// A request of this dialect, read and checked.
#[derive(Debug)]
pub struct Rows {
    /// The rows, ready for the model.
    pub batch: Batch,
    /// How the answer must look.
    pub form: Form,
}

/// Whether an object or a list was sent, which decides the form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One object, one answer.
    One,
    /// A list of objects, a list of answers in the same order.
    List,
}

/// Reads a body into the rows of a signature.
///
/// A body in plain form is read in one pass, straight from its bytes; anything unusual, right or wrong, is read again by
/// the exact reading, which knows every rule and names every fault.
///
/// ```
/// use std::sync::Arc;
/// use martello_model_core::{Column, Signature};
/// use martello_serving::{Limits, dialect::predict};
///
/// let signature = Arc::new(Signature::new(vec![Column::double("x"), Column::double("y")], vec![])?);
/// let rows = predict::parse(br#"{"x": 1, "y": "2.5"}"#, &signature, &Limits::default()).unwrap();
/// assert_eq!(rows.batch.numbers(), [1.0, 2.5]);
///
/// let refusal = predict::parse(br#"{"x": null}"#, &signature, &Limits::default()).unwrap_err();
/// assert_eq!(refusal.status, 422);
/// # Ok::<(), martello_model_core::Error>(())
/// ```
///
/// # Errors
/// The answer to give, with every bad field.
pub fn parse(body: &[u8], signature: &Arc<Signature>, limits: &Limits) -> Result<Rows, Refusal> {
    match fast::parse(body, signature, limits) {
        Some(rows) => Ok(rows),
        None => exact::parse(body, signature, limits),
    }
}

#[cfg(test)]
mod tests {
    use martello_model_core::{Column, DataType};
    use proptest::prelude::*;

    use super::*;

    fn signature() -> Arc<Signature> {
        let columns = vec![
            Column::double("a"),
            Column::double("b").optional(),
            Column::new("n", DataType::Integer),
            Column::string("s").optional(),
        ];
        Arc::new(Signature::new(columns, vec![]).unwrap())
    }

    /// Pieces of bodies that are right, nearly right and wrong, so that both readings are reached on every side.
    fn piece() -> impl Strategy<Value = String> {
        let values = r#"(1|-0|2\.50|1e3|1e400|9007199254740993|0\.1|true|null|"x"|"5"|" 7 "|"\\u0041"|\[1\]|\{\}|NaN|01|"é")"#;
        let name = prop_oneof!["[abns]", Just("extra".to_owned()), Just("\\u0061".to_owned())];
        (name, values, "[ \n]{0,1}")
            .prop_map(|(name, value, space)| format!("\"{name}\"{space}:{space}{value}"))
    }

    fn object() -> impl Strategy<Value = String> {
        prop::collection::vec(piece(), 0..6).prop_map(|pieces| format!("{{{}}}", pieces.join(",")))
    }

    fn body() -> impl Strategy<Value = String> {
        let list = prop::collection::vec(object(), 0..4).prop_map(|rows| format!("[{}]", rows.join(", ")));
        prop_oneof![4 => object(), 2 => list, 1 => "[\\[\\]{}\",:0-9a ]{0,12}"]
    }

    proptest! {
        #[test]
        fn the_fast_reading_never_differs_from_the_exact_one(body in body()) {
            if let Some(fast) = fast::parse(body.as_bytes(), &signature(), &Limits::default()) {
                let exact = exact::parse(body.as_bytes(), &signature(), &Limits::default());
                let exact = exact.map_err(|refusal| String::from_utf8_lossy(&refusal.body).into_owned());
                let exact = exact.expect("what the fast reading takes, the exact one takes");
                prop_assert_eq!(fast.form, exact.form);
                prop_assert_eq!(fast.batch.rows(), exact.batch.rows());
                prop_assert_eq!(fast.batch.texts(), exact.batch.texts());
                let bits = |batch: &Batch| batch.numbers().iter().map(|number| number.to_bits()).collect::<Vec<_>>();
                prop_assert_eq!(bits(&fast.batch), bits(&exact.batch));
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused_with_json(body in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Err(refusal) = parse(&body, &signature(), &Limits::default()) {
                let answer: serde_json::Value = serde_json::from_slice(&refusal.body).unwrap();
                prop_assert!(answer.get("detail").is_some());
            }
        }
    }
}
