//! JSON as Python's `json` module reads it, without building a tree.
//!
//! Clients of the system that this crate replaces know its errors: Python's messages, at Python's offsets, after Python's
//! order of checks. So the exact reading is spelt out here: [`check`] walks a text once and either finds the first fault or
//! proves it well-formed; [`value`] then walks a proven text without any error handling; [`echo`] writes a part of it back
//! in the compact form in which Python would.

pub(crate) mod check;
pub(crate) mod echo;
pub(crate) mod text;
pub(crate) mod value;

pub(crate) use self::check::{Fault, check};
pub(crate) use self::text::Text;
pub(crate) use self::value::{Value, root};

/// Returns true for the four characters that JSON allows between tokens.
pub(crate) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Returns the end of the number that starts at `start`, and whether it is written as an integer.
///
/// A fraction or exponent without digits is not part of the number, so that `1.` is the number `1` followed by a stray
/// point: this is how Python arrives at its messages.
pub(crate) fn number_end(bytes: &[u8], start: usize) -> Option<(usize, Form)> {
    let mut at = start + usize::from(bytes.get(start) == Some(&b'-'));
    match bytes.get(at)? {
        b'0' => at += 1,
        b'1'..=b'9' => at = digits_end(bytes, at),
        _ => return None,
    }
    let whole = at;
    if bytes.get(at) == Some(&b'.') && bytes.get(at + 1).is_some_and(u8::is_ascii_digit) {
        at = digits_end(bytes, at + 1);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let digits = at + 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        if bytes.get(digits).is_some_and(u8::is_ascii_digit) {
            at = digits_end(bytes, digits);
        }
    }
    Some((at, if at == whole { Form::Integer } else { Form::Decimal }))
}

/// How a number is written, which is what decides between Python's `int` and `float`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Integer,
    Decimal,
}

fn digits_end(bytes: &[u8], start: usize) -> usize {
    bytes[start..].iter().position(|byte| !byte.is_ascii_digit()).map_or(bytes.len(), |length| start + length)
}

/// The words that stand for numbers in Python's dialect of JSON.
pub(crate) const NON_FINITE: [(&[u8], f64); 3] =
    [(b"NaN", f64::NAN), (b"Infinity", f64::INFINITY), (b"-Infinity", f64::NEG_INFINITY)];
