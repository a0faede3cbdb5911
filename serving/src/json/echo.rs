//! Writes a value back as Python would after reading it: compact, the last of duplicate names, numbers in their own form.

use std::collections::HashMap;

use super::value::Walk;
use super::{Form, Value};

/// Appends a value to `out`; false, and nothing appended, if its text is longer than `limit` bytes.
///
/// Three deliberate differences from Python, where FastAPI answers 500 because its own answer is no JSON: NaN and the
/// infinities become their names as text, half a surrogate pair becomes U+FFFD, and a decimal that overflows is an infinity.
pub(crate) fn echo(value: Value<'_>, limit: usize, out: &mut Vec<u8>) -> bool {
    let length = match value {
        Value::Number { text, .. } | Value::String(text) | Value::Array(text) | Value::Object(text) => {
            text.len()
        }
        Value::Null | Value::Bool(_) | Value::NonFinite(_) => 0,
    };
    if length > limit {
        return false;
    }
    match value {
        Value::Array(text) | Value::Object(text) => Node::read(&mut Walk::new(text)).write(out),
        scalar => write_scalar(scalar, out),
    }
    true
}

/// A value with its containers taken apart in one walk: to step over each before stepping into it would walk a text as often
/// as it is nested deep.
enum Node<'a> {
    Scalar(Value<'a>),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl<'a> Node<'a> {
    fn read(walk: &mut Walk<'a>) -> Self {
        match walk.enter() {
            Some(b'[') => {
                let mut elements = Vec::new();
                while walk.next_in(b']') {
                    elements.push(Self::read(walk));
                }
                walk.leave();
                Self::Array(elements)
            }
            Some(_) => Self::Object(last_of_each(walk)),
            None => Self::Scalar(walk.value()),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Scalar(value) => write_scalar(*value, out),
            Self::Array(elements) => {
                let mut separator = b'[';
                for element in elements {
                    out.push(separator);
                    element.write(out);
                    separator = b',';
                }
                close(separator, b"[]", out);
            }
            Self::Object(members) => {
                let mut separator = b'{';
                for (name, value) in members {
                    out.push(separator);
                    write_text(name, out);
                    out.push(b':');
                    value.write(out);
                    separator = b',';
                }
                close(separator, b"{}", out);
            }
        }
    }
}

/// A Python dictionary: the last value of a name, in the place of its first.
fn last_of_each<'a>(walk: &mut Walk<'a>) -> Vec<(String, Node<'a>)> {
    let mut members: Vec<(String, Node<'_>)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    while walk.next_in(b'}') {
        let name = walk.name().text.into_owned();
        let value = Node::read(walk);
        match places.get(&name) {
            Some(&place) => members[place].1 = value,
            None => {
                places.insert(name.clone(), members.len());
                members.push((name, value));
            }
        }
    }
    walk.leave();
    members
}

fn close(separator: u8, brackets: &[u8; 2], out: &mut Vec<u8>) {
    if separator == brackets[0] {
        out.push(brackets[0]);
    }
    out.push(brackets[1]);
}

fn write_scalar(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number { text: "-0", form: Form::Integer } => out.push(b'0'),
        Value::Number { text, form: Form::Integer } => out.extend_from_slice(text.as_bytes()),
        Value::Number { text, form: Form::Decimal } => write_number(text.parse().unwrap_or(f64::NAN), out),
        Value::NonFinite(number) => write_number(number, out),
        Value::String(raw) => write_text(&super::Text::unescape(raw).text, out),
        Value::Null | Value::Array(_) | Value::Object(_) => out.extend_from_slice(b"null"),
    }
}

/// Appends a number in its shortest form that reads back as the same; the names of what is not finite as text.
pub(crate) fn write_number(number: f64, out: &mut Vec<u8>) {
    if number.is_finite() {
        write_serialized(&number, out);
    } else {
        out.extend_from_slice(match number {
            f64::INFINITY => b"\"Infinity\"",
            f64::NEG_INFINITY => b"\"-Infinity\"",
            _ => b"\"NaN\"",
        });
    }
}

/// Appends a text with quotes and escapes.
pub(crate) fn write_text(text: &str, out: &mut Vec<u8>) {
    write_serialized(text, out);
}

fn write_serialized(value: &(impl serde::Serialize + ?Sized), out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("a number or text serialises, and a Vec takes every byte");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::root;

    #[test]
    fn a_value_comes_back_as_python_writes_it() {
        let cases = [
            (r#"{ "a" : 1, "b":2, "a":3 }"#, r#"{"a":3,"b":2}"#),
            ("[1.50, 1E2, -0.0, -0, 12345678901234567890123]", "[1.5,100.0,-0.0,0,12345678901234567890123]"),
            ("[ ]", "[]"),
            ("{ }", "{}"),
            (r#"["\u00e9\/\b", null, true, false]"#, r#"["é/\b",null,true,false]"#),
            (r#"[NaN, -Infinity, 1e400]"#, r#"["NaN","-Infinity","Infinity"]"#),
            (r#""\ud800""#, "\"\u{fffd}\""),
        ];
        for (text, expected) in cases {
            let mut out = Vec::new();
            assert!(echo(root(text), 1000, &mut out));
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn the_deepest_text_is_echoed_within_the_stack_of_a_worker_thread() {
        let depth = crate::json::check::MAX_DEPTH;
        let text = r#"{"a":["#.repeat(depth / 2) + &"]}".repeat(depth / 2);
        let mut out = Vec::new();
        assert!(echo(root(&text), text.len(), &mut out));
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }

    #[test]
    fn a_long_value_is_not_echoed() {
        let mut out = Vec::new();
        assert!(!echo(root("[1,2,3]"), 6, &mut out));
        assert!(out.is_empty());
    }
}
