//! What pydantic's lax mode makes of a JSON value, column by column: the rules of `float`, `int`, `bool` and `str`.

use std::borrow::Cow;

use martello_model_core::{Cell, Column, DataType};

use super::detail::Problem;
use super::typed::{boolean, whole};
use crate::json::{Form, Text, Value};

/// A value that a column takes.
#[derive(Debug, PartialEq)]
pub(in crate::dialect) enum Lax<'a> {
    Missing,
    Number(f64),
    Text(Cow<'a, str>),
}

impl Lax<'_> {
    pub(in crate::dialect) fn cell(&self) -> Cell<'_> {
        match self {
            Self::Missing => Cell::Missing,
            Self::Number(number) => Cell::Number(*number),
            Self::Text(text) => Cell::Text(text),
        }
    }
}

/// Reads the value of a column.
pub(in crate::dialect) fn read<'a>(column: &Column, value: Value<'a>) -> Result<Lax<'a>, Problem> {
    let is_nothing = match value {
        Value::Null => true,
        // What pandas and NumPy have for a missing value, in a column of any type.
        Value::NonFinite(number) => number.is_nan(),
        _ => false,
    };
    if !column.required && is_nothing {
        return Ok(Lax::Missing);
    }
    match column.data_type {
        DataType::String => string(value),
        DataType::Boolean => boolean(value).map(Lax::Number),
        DataType::Integer => whole(value, i64::from(i32::MIN), i64::from(i32::MAX)).map(Lax::Number),
        // A double holds every whole number up to 2^53 - 1, and no longer says which one it is beyond.
        DataType::Long => whole(value, -((1 << 53) - 1), (1 << 53) - 1).map(Lax::Number),
        _ => finite(float(value)?, column.required),
    }
}

fn finite(number: f64, required: bool) -> Result<Lax<'static>, Problem> {
    match number {
        number if number.is_finite() => Ok(Lax::Number(number)),
        number if number.is_nan() && !required => Ok(Lax::Missing),
        _ => Err(Problem::NOT_FINITE),
    }
}

fn string(value: Value<'_>) -> Result<Lax<'_>, Problem> {
    match value {
        Value::String(raw) => unicode(raw).map(Lax::Text),
        _ => Err(Problem::new("string_type", "Input should be a valid string")),
    }
}

/// Returns what a JSON string says if every character of it is one.
pub(in crate::dialect) fn unicode(raw: &str) -> Result<Cow<'_, str>, Problem> {
    let Text { text, lone_surrogate } = Text::unescape(raw);
    let message = "Input should be a valid string, unable to parse raw data as a unicode string";
    if lone_surrogate { Err(Problem::new("string_unicode", message)) } else { Ok(text) }
}

fn float(value: Value<'_>) -> Result<f64, Problem> {
    let not_a_number = Problem::new("float_type", "Input should be a valid number");
    match value {
        Value::Bool(flag) => Ok(f64::from(u8::from(flag))),
        Value::NonFinite(number) => Ok(number),
        Value::Number { text, form } => match (text.parse::<f64>(), form) {
            // An integer beyond the doubles is no number to pydantic, a decimal is an infinity.
            (Ok(number), Form::Integer) if number.is_infinite() => Err(not_a_number),
            (Ok(number), Form::Integer) => Ok(if number == 0.0 { 0.0 } else { number }),
            (Ok(number), Form::Decimal) => Ok(number),
            (Err(_), _) => Err(not_a_number),
        },
        Value::String(raw) => float_from_text(&unicode(raw)?),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(not_a_number),
    }
}

/// Pydantic trims the text and tries it, then tries it untrimmed without its single underscores; both in the syntax of
/// Rust's `f64`, since that is what pydantic-core is written in.
fn float_from_text(text: &str) -> Result<f64, Problem> {
    let message = "Input should be a valid number, unable to parse string as a number";
    let parsed = text.trim().parse().ok().or_else(|| without_underscores(text)?.parse().ok());
    parsed.ok_or(Problem::new("float_parsing", message))
}

/// Returns the text without its underscores, if they stand one by one and inside it.
pub(super) fn without_underscores(text: &str) -> Option<String> {
    let inside = text.contains('_') && !text.starts_with('_') && !text.ends_with('_') && !text.contains("__");
    inside.then(|| text.replace('_', ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::root;

    fn check(column: &Column, json: &str, expected: &Result<Lax<'_>, &str>) {
        assert_eq!(&read(column, root(json)).map_err(|problem| problem.kind), expected, "{json}");
    }

    #[test]
    fn a_float_is_read_as_pydantic_does() {
        let column = Column::double("x");
        let taken = [
            ("1", 1.0),
            (r#"" 5.3 ""#, 5.3),
            (r#""5_3""#, 53.0),
            (r#""1_e5""#, 1e5),
            ("true", 1.0),
            ("-0.0", -0.0),
        ];
        for (json, expected) in taken {
            check(&column, json, &Ok(Lax::Number(expected)));
        }
        for json in [r#"" 5_3 ""#, r#""_5""#, r#""5__3""#, r#""1 2""#, r#""""#, "\"\u{661}\""] {
            check(&column, json, &Err("float_parsing"));
        }
        for json in ["1e400", "NaN", r#""inf""#] {
            check(&column, json, &Err("finite_number"));
        }
        check(&column, &format!("1{}", "0".repeat(400)), &Err("float_type"));
        check(&column, "null", &Err("float_type"));
        check(&column, r#""\ud800""#, &Err("string_unicode"));
    }

    #[test]
    fn an_optional_column_may_be_missing() {
        let column = Column::double("x").optional();
        check(&column, "null", &Ok(Lax::Missing));
        check(&column, "NaN", &Ok(Lax::Missing));
        check(&column, "Infinity", &Err("finite_number"));
    }

    #[test]
    fn text_is_only_text() {
        check(&Column::string("x"), r#""a\u0062""#, &Ok(Lax::Text("ab".into())));
        check(&Column::string("x"), "1", &Err("string_type"));
        check(&Column::string("x").optional(), "null", &Ok(Lax::Missing));
    }
}
