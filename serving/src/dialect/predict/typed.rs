//! Pydantic's lax `int` and `bool`.

use super::detail::Problem;
use super::lax::{unicode, without_underscores};
use crate::json::{Form, Value};

/// Reads a whole number between two bounds.
pub(super) fn whole(value: Value<'_>, least: i64, most: i64) -> Result<f64, Problem> {
    let not_an_integer = Problem::new("int_type", "Input should be a valid integer");
    let number = match value {
        Value::Bool(flag) => i128::from(flag),
        Value::NonFinite(_) => return Err(Problem::NOT_FINITE),
        Value::Number { text, form: Form::Integer } => saturating(text),
        Value::Number { text, form: Form::Decimal } => from_decimal(text.parse().unwrap_or(f64::NAN))?,
        Value::String(raw) => from_text(&unicode(raw)?)?,
        Value::Null | Value::Array(_) | Value::Object(_) => return Err(not_an_integer),
    };
    if number > i128::from(most) {
        Err(Problem::bound("less_than_equal", "less than or equal to", "le", most))
    } else if number < i128::from(least) {
        Err(Problem::bound("greater_than_equal", "greater than or equal to", "ge", least))
    } else {
        #[expect(
            clippy::cast_precision_loss,
            reason = "the bounds are within the whole numbers that a double holds"
        )]
        Ok(number as f64)
    }
}

/// Reads digits with an optional sign; more than fit become the largest, which is out of any bounds.
fn saturating(digits: &str) -> i128 {
    let most = if digits.starts_with('-') { i128::MIN } else { i128::MAX };
    digits.parse().unwrap_or(most)
}

fn from_decimal(number: f64) -> Result<i128, Problem> {
    /// 2^63, from where on pydantic does not convert.
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    let fraction = "Input should be a valid integer, got a number with a fractional part";
    let size = "Unable to parse input string as an integer, exceeded maximum size";
    match number {
        number if !number.is_finite() => Err(Problem::NOT_FINITE),
        number if number.fract() != 0.0 => Err(Problem::new("int_from_float", fraction)),
        number if number.abs() >= BEYOND => Err(Problem::new("int_parsing_size", size)),
        #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and within 64 bits")]
        number => Ok(number as i128),
    }
}

/// Pydantic takes spaces around, one sign, single underscores between digits, and a fraction of nothing but zeros.
fn from_text(text: &str) -> Result<i128, Problem> {
    let message = "Input should be a valid integer, unable to parse string as an integer";
    let trimmed = text.trim();
    let integral = match trimmed.split_once('.') {
        Some((integral, zeros)) if !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0') => integral,
        Some(_) => "",
        None => trimmed,
    };
    let integral = without_underscores(integral).unwrap_or_else(|| integral.to_owned());
    let digits = integral.strip_prefix(['+', '-']).unwrap_or(&integral);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Problem::new("int_parsing", message));
    }
    Ok(saturating(&integral))
}

/// Reads a boolean: pydantic's words in any case, 0 and 1, but no spaces around.
pub(super) fn boolean(value: Value<'_>) -> Result<f64, Problem> {
    let wrong_type = Problem::new("bool_type", "Input should be a valid boolean");
    let unknown = Problem::new("bool_parsing", "Input should be a valid boolean, unable to interpret input");
    match value {
        Value::Bool(flag) => Ok(f64::from(u8::from(flag))),
        Value::NonFinite(_) => Err(Problem::NOT_FINITE),
        Value::Number { text, form } => match text.parse::<f64>() {
            Ok(number) if number == 0.0 || number == 1.0 => Ok(number.abs()),
            Ok(number) if number.is_infinite() && form == Form::Decimal => Err(Problem::NOT_FINITE),
            Ok(number) if number.fract() == 0.0 && number.abs() < 9.3e18 => Err(unknown),
            _ => Err(wrong_type),
        },
        Value::String(raw) => match unicode(raw)?.to_ascii_lowercase().as_str() {
            "1" | "true" | "t" | "yes" | "y" | "on" => Ok(1.0),
            "0" | "false" | "f" | "no" | "n" | "off" => Ok(0.0),
            _ => Err(unknown),
        },
        Value::Null | Value::Array(_) | Value::Object(_) => Err(wrong_type),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::root;

    #[test]
    fn a_whole_number_is_read_as_pydantic_does() {
        let read = |json: &str| whole(root(json), -100, 2000).map_err(|problem| problem.kind);
        let taken = [
            ("1", 1.0),
            ("1.0", 1.0),
            ("1e3", 1000.0),
            ("-0", 0.0),
            ("true", 1.0),
            (r#""1""#, 1.0),
            (r#"" 1_0.0 ""#, 10.0),
            (r#""+1""#, 1.0),
            (r#""-1_0""#, -10.0),
            (r#""007""#, 7.0),
            (r#""1.00""#, 1.0),
        ];
        for (json, expected) in taken {
            assert_eq!(read(json), Ok(expected), "{json}");
        }
        let refused = [
            ("1.5", "int_from_float"),
            ("1e20", "int_parsing_size"),
            ("null", "int_type"),
            ("[]", "int_type"),
            ("2001", "less_than_equal"),
            ("-101", "greater_than_equal"),
            ("99999999999999999999", "less_than_equal"),
            (r#""1.5""#, "int_parsing"),
            (r#""1e3""#, "int_parsing"),
            (r#""1.""#, "int_parsing"),
            (r#"".0""#, "int_parsing"),
            (r#""1.0_0""#, "int_parsing"),
            (r#""_1""#, "int_parsing"),
            (r#""+ 1""#, "int_parsing"),
            (r#""++1""#, "int_parsing"),
            ("1e400", "finite_number"),
            ("NaN", "finite_number"),
        ];
        for (json, expected) in refused {
            assert_eq!(read(json), Err(expected), "{json}");
        }
    }

    #[test]
    fn a_boolean_is_read_as_pydantic_does() {
        let read = |json: &str| boolean(root(json)).map_err(|problem| problem.kind);
        for json in ["true", "1", "1.0", r#""tRue""#, r#""y""#, r#""on""#] {
            assert_eq!(read(json), Ok(1.0), "{json}");
        }
        for json in ["false", "0", "-0.0", r#""OFF""#, r#""0""#] {
            assert_eq!(read(json).map(f64::to_bits), Ok(0.0_f64.to_bits()), "{json}");
        }
        let refused = [
            ("2", "bool_parsing"),
            ("1.5", "bool_type"),
            (r#"" true ""#, "bool_parsing"),
            ("null", "bool_type"),
        ];
        for (json, expected) in refused {
            assert_eq!(read(json), Err(expected), "{json}");
        }
    }
}
