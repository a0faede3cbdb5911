//! A body that must be one JSON object: what the dialects besides `/predict` have in common.

use super::Refusal;
use crate::json::{self, Fault, Value};

/// Returns the value of a body that is JSON.
pub(super) fn read(body: &[u8]) -> Result<Value<'_>, Refusal> {
    let text = std::str::from_utf8(body).map_err(|error| {
        Refusal::bad_request(format!("{NOT_JSON}: not UTF-8 from byte {}", error.valid_up_to()))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match json::check(text) {
        Ok(()) => Ok(json::root(text)),
        Err(Fault::Syntax { message, at }) => {
            let at = text[..at].chars().count();
            Err(Refusal::bad_request(format!("{NOT_JSON}: {message} at character {at}")))
        }
        Err(Fault::TooDeep) => Err(Refusal::bad_request(format!("{NOT_JSON}: nested too deep"))),
        Err(Fault::IntegerTooLong) => {
            Err(Refusal::bad_request(format!("{NOT_JSON}: an integer is too long")))
        }
    }
}

const NOT_JSON: &str = "Ensure that input is a valid JSON formatted string";

/// Returns the members of those names; the last of duplicates counts, as in Python.
pub(super) fn members<'a, const N: usize>(object: Value<'a>, names: [&str; N]) -> [Option<Value<'a>>; N] {
    let mut found = [None; N];
    for (name, value) in object.members() {
        if let Some(at) = names.iter().position(|wanted| *wanted == name.text && !name.lone_surrogate) {
            found[at] = Some(value);
        }
    }
    found
}

/// Returns the word for the kind of a value, for people.
pub(super) fn kind(value: Value<'_>) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number { .. } | Value::NonFinite(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
