//! Numbers that may be texts: protobuf's JSON writes 64-bit integers, NaN and infinities between quotes.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Timestamp;

/// A number of the wire. MLflow stores an infinity as the largest finite number, so that is read as one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::rest) struct Number(pub(in crate::rest) f64);

/// What stands on the wire: a 64-bit integer does not always fit into a float, so it is read on its own.
#[derive(Deserialize)]
#[serde(untagged)]
enum Either {
    Integer(i64),
    Float(f64),
    Text(String),
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            number if number.is_finite() => serializer.serialize_f64(number),
            number if number.is_nan() => serializer.serialize_str("NaN"),
            number => serializer.serialize_str(if number > 0.0 { "Infinity" } else { "-Infinity" }),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = match Either::deserialize(deserializer)? {
            Either::Integer(number) => number as f64,
            Either::Float(number) => number,
            Either::Text(text) => text.parse().map_err(|_| de::Error::custom("expected a number"))?,
        };
        Ok(Self(if number.abs() == f64::MAX { number.signum() * f64::INFINITY } else { number }))
    }
}

/// Reads an integer that may be a text.
pub(super) fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    match Either::deserialize(deserializer)? {
        Either::Integer(number) => Ok(number),
        Either::Text(text) => text.parse().map_err(|_| de::Error::custom("expected an integer")),
        Either::Float(_) => Err(de::Error::custom("expected an integer")),
    }
}

/// Reads milliseconds that may be a text, or not there.
pub(super) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    integer(deserializer).map(|millis| Some(Timestamp::from_millis(millis)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_the_wire_whatever_they_are() {
        for number in [0.0, -0.0, 1.5, 1e-300, 1e300, f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
            let text = serde_json::to_string(&Number(number)).unwrap();
            let Number(read) = serde_json::from_str(&text).unwrap();
            assert!(read == number || (read.is_nan() && number.is_nan()), "{number} {text} {read}");
        }
        let check =
            |text: &str, expected: f64| assert_eq!(serde_json::from_str::<Number>(text).unwrap().0, expected);
        check("\"12\"", 12.0);
        check("1.7976931348623157e+308", f64::INFINITY);
    }
}
