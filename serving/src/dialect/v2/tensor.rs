//! One input tensor: its elements, out of JSON or out of bytes.

use std::borrow::Cow;

use martello_model_core::Cell;

use super::datatype::Datatype;
use crate::Limits;
use crate::dialect::predict::lax;
use crate::dialect::{Refusal, document, table};
use crate::json::{Form, Value};

/// The most axes of a tensor: rows, and columns.
const MOST_AXES: usize = 2;

/// Characters of a caller's own text that an error shows.
const SHOWN: usize = 64;

/// An input with its elements, row by row.
#[derive(Debug)]
pub(super) struct Tensor<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) elements: Elements<'a>,
}

#[derive(Debug)]
pub(super) enum Elements<'a> {
    /// NaN where there is no value.
    Numbers(Vec<f64>),
    Texts(Vec<Option<Cow<'a, str>>>),
}

impl Elements<'_> {
    pub(super) fn cell(&self, at: usize) -> Cell<'_> {
        match self {
            Self::Numbers(numbers) if numbers[at].is_nan() => Cell::Missing,
            Self::Numbers(numbers) => Cell::Number(numbers[at]),
            Self::Texts(texts) => texts[at].as_deref().map_or(Cell::Missing, Cell::Text),
        }
    }
}

impl<'a> Tensor<'a> {
    /// Reads an input of at most that many columns; its bytes, if it has any, are taken from the front of `binary`.
    ///
    /// No more elements are kept than its shape says: a body is a twentieth of what its elements would take.
    pub(super) fn read(
        input: Value<'a>,
        binary: &mut &'a [u8],
        most_columns: usize,
        limits: &Limits,
    ) -> Result<Self, Refusal> {
        let [name, shape, datatype, parameters, data] =
            document::members(input, ["name", "shape", "datatype", "parameters", "data"]);
        let Some(name) = name.and_then(text) else {
            return Err(Refusal::bad_request("every input must have a \"name\""));
        };
        let (rows, columns) = axes(&name, shape)?;
        table::too_many(rows, limits)?;
        if columns > most_columns {
            return Err(wrong(&name, &format!("has {columns} columns, more than the model")));
        }
        let count = rows.saturating_mul(columns);
        let datatype = datatype.and_then(text).ok_or_else(|| wrong(&name, "has no \"datatype\""))?;
        let known = Datatype::from_name(&datatype);
        let datatype =
            known.ok_or_else(|| wrong(&name, &format!("has the unknown datatype {}", quoted(&datatype))))?;
        let size = parameters.and_then(|value| document::members(value, ["binary_data_size"])[0]);
        let elements = match (size, data) {
            (None, Some(data)) => from_json(&name, datatype, (count, columns), data)?,
            (Some(size), None) => {
                let size =
                    whole(size).ok_or_else(|| wrong(&name, "has a \"binary_data_size\" that is no size"))?;
                let bytes =
                    binary.split_off(..size).ok_or_else(|| wrong(&name, "has fewer bytes than it says"))?;
                from_bytes(&name, datatype, count, bytes)?
            }
            _ => return Err(wrong(&name, "must have either \"data\" or a \"binary_data_size\"")),
        };
        let given = match &elements {
            Elements::Numbers(numbers) => numbers.len(),
            Elements::Texts(texts) => texts.len(),
        };
        if given != count {
            return Err(miscounted(&name, given));
        }
        Ok(Self { name, rows, columns, elements })
    }
}

/// Returns a string of JSON, if it is one.
pub(super) fn text(value: Value<'_>) -> Option<Cow<'_, str>> {
    match value {
        Value::String(raw) => lax::unicode(raw).ok(),
        _ => None,
    }
}

fn whole(value: Value<'_>) -> Option<usize> {
    match value {
        Value::Number { text, form: Form::Integer } => text.parse().ok(),
        _ => None,
    }
}

fn wrong(name: &str, what: &str) -> Refusal {
    Refusal::bad_request(format!("input {} {what}", quoted(name)))
}

fn miscounted(name: &str, elements: impl std::fmt::Display) -> Refusal {
    wrong(name, &format!("has {elements} elements, which is not what its shape says"))
}

/// Returns the beginning of a caller's text in quotes: an error does not repeat megabytes.
pub(super) fn quoted(text: &str) -> String {
    let end = text.char_indices().nth(SHOWN).map_or(text.len(), |(end, _)| end);
    format!("{:?}{}", &text[..end], if end < text.len() { "…" } else { "" })
}

/// Returns rows and columns of a shape: `[n]` is one column.
fn axes(name: &str, shape: Option<Value<'_>>) -> Result<(usize, usize), Refusal> {
    let axes: Option<Vec<usize>> =
        shape.map(|shape| shape.elements().map(whole).take(MOST_AXES + 1).collect()).unwrap_or_default();
    match axes.as_deref() {
        Some([rows]) => Ok((*rows, 1)),
        Some([rows, columns]) => Ok((*rows, *columns)),
        _ => Err(wrong(name, "must have a \"shape\" of one or two axes: rows, and columns")),
    }
}

/// Reads `data`, which is flat, or nested as the shape says.
fn from_json<'a>(
    name: &str,
    datatype: Datatype,
    (count, columns): (usize, usize),
    data: Value<'a>,
) -> Result<Elements<'a>, Refusal> {
    if !matches!(data, Value::Array(_)) {
        return Err(wrong(name, "must have a list as \"data\""));
    }
    let mut flat = Vec::new();
    for element in data.elements() {
        match element {
            Value::Array(_) => {
                let before = flat.len();
                flat.extend(element.elements().take(columns + 1));
                if flat.len() - before != columns {
                    return Err(wrong(name, "has nested \"data\" that is not as its shape says"));
                }
            }
            element => flat.push(element),
        }
        if flat.len() > count {
            return Err(miscounted(name, format_args!("more than {count}")));
        }
    }
    let bad = |at: usize| wrong(name, &format!("has an element at {at} that its datatype does not hold"));
    if datatype == Datatype::Bytes {
        let texts = flat.into_iter().enumerate().map(|(at, value)| match value {
            Value::Null => Ok(None),
            value => text(value).map(Some).ok_or_else(|| bad(at)),
        });
        return texts.collect::<Result<_, _>>().map(Elements::Texts);
    }
    let numbers =
        flat.into_iter().enumerate().map(|(at, value)| number(datatype, value).ok_or_else(|| bad(at)));
    numbers.collect::<Result<_, _>>().map(Elements::Numbers)
}

fn number(datatype: Datatype, value: Value<'_>) -> Option<f64> {
    match value {
        Value::Null => Some(f64::NAN),
        Value::Bool(flag) if datatype == Datatype::Bool => Some(f64::from(u8::from(flag))),
        Value::NonFinite(number) if matches!(datatype, Datatype::Fp16 | Datatype::Fp32 | Datatype::Fp64) => {
            Some(number)
        }
        Value::Number { text, form } => {
            let number: f64 = text.parse().ok()?;
            // An integer has no sign of zero.
            let number = if form == Form::Integer && number == 0.0 { 0.0 } else { number };
            datatype.hold(number)
        }
        _ => None,
    }
}

fn from_bytes<'a>(
    name: &str,
    datatype: Datatype,
    count: usize,
    bytes: &'a [u8],
) -> Result<Elements<'a>, Refusal> {
    let Some(size) = datatype.size() else { return texts(name, count, bytes).map(Elements::Texts) };
    if bytes.len() / size > count {
        return Err(miscounted(name, bytes.len() / size));
    }
    let elements = bytes.chunks_exact(size);
    if !elements.remainder().is_empty() {
        return Err(wrong(name, "has bytes that are no whole number of elements"));
    }
    Ok(Elements::Numbers(elements.map(|element| datatype.number(element)).collect()))
}

/// Reads texts, each with its length in front: four bytes, little-endian.
fn texts<'a>(name: &str, count: usize, mut bytes: &'a [u8]) -> Result<Vec<Option<Cow<'a, str>>>, Refusal> {
    let mut texts = Vec::new();
    while !bytes.is_empty() {
        if texts.len() == count {
            return Err(miscounted(name, format_args!("more than {count}")));
        }
        let element = bytes.split_first_chunk().and_then(|(length, rest)| {
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            rest.split_at_checked(length)
        });
        let (element, rest) = element.ok_or_else(|| wrong(name, "has fewer bytes than its elements say"))?;
        let element = std::str::from_utf8(element);
        texts
            .push(Some(Cow::Borrowed(element.map_err(|_| wrong(name, "has an element that is not UTF-8"))?)));
        bytes = rest;
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::root;

    fn read(input: &str, binary: &[u8]) -> Result<Vec<f64>, String> {
        let mut binary = binary;
        match Tensor::read(root(input), &mut binary, 2, &Limits::default()) {
            Ok(Tensor { elements: Elements::Numbers(numbers), .. }) => Ok(numbers),
            Ok(_) => Ok(vec![]),
            Err(refusal) => Err(String::from_utf8(refusal.body).unwrap()),
        }
    }

    #[test]
    fn data_is_flat_or_nested() {
        for data in ["[1,2,3,4]", "[[1,2],[3,4]]"] {
            let input = format!(r#"{{"name":"x","shape":[2,2],"datatype":"FP64","data":{data}}}"#);
            assert_eq!(read(&input, b"").unwrap(), [1.0, 2.0, 3.0, 4.0]);
        }
    }

    #[test]
    fn what_a_tensor_says_of_itself_must_be_true() {
        let cases = [
            (r#"{"shape":[1],"datatype":"FP64","data":[1]}"#, "name"),
            (r#"{"name":"x","datatype":"FP64","data":[1]}"#, "shape"),
            (r#"{"name":"x","shape":[1,1,1],"datatype":"FP64","data":[1]}"#, "shape"),
            (r#"{"name":"x","shape":[-1],"datatype":"FP64","data":[1]}"#, "shape"),
            (r#"{"name":"x","shape":[1],"data":[1]}"#, "datatype"),
            (r#"{"name":"x","shape":[1],"datatype":"FP8","data":[1]}"#, "FP8"),
            (r#"{"name":"x","shape":[2],"datatype":"FP64","data":[1]}"#, "1 elements"),
            (r#"{"name":"x","shape":[2,2],"datatype":"FP64","data":[[1],[2,3,4]]}"#, "nested"),
            (r#"{"name":"x","shape":[1],"datatype":"INT8","data":[300]}"#, "element at 0"),
            (r#"{"name":"x","shape":[1],"datatype":"INT8","data":["1"]}"#, "element at 0"),
            (r#"{"name":"x","shape":[1],"datatype":"FP64"}"#, "either"),
            (
                r#"{"name":"x","shape":[1],"datatype":"FP64","parameters":{"binary_data_size":8}}"#,
                "fewer bytes",
            ),
            (r#"{"name":"x","shape":[99999999],"datatype":"FP64","data":[]}"#, "at most"),
            (r#"{"name":"x","shape":[2,18446744073709551615],"datatype":"FP64","data":[]}"#, "columns"),
            (r#"{"name":"x","shape":[1],"datatype":"FP64","data":[1,2,3]}"#, "more than 1"),
            (r#"{"name":"x","shape":[2,0],"datatype":"FP64","data":[[],[1]]}"#, "nested"),
        ];
        for (input, expected) in cases {
            let message = read(input, b"1234").unwrap_err();
            assert!(message.contains(expected), "{input}: {message}");
        }
    }

    #[test]
    fn texts_have_their_lengths_in_front() {
        assert_eq!(texts("x", 2, b"\x02\0\0\0ab\0\0\0\0").unwrap(), [Some("ab".into()), Some("".into())]);
        texts("x", 1, &[0; 8]).unwrap_err();
        for bytes in [b"\x02\0\0\0a".as_slice(), b"\x02\0", b"\x01\0\0\0\xff", b"\xff\xff\xff\xffa"] {
            texts("x", 2, bytes).unwrap_err();
        }
    }
}
