//! Constant tensors: the weights of a graph.

use super::decode::Decoder;
use super::wire::{Field, chunks, text};
use crate::{Error, ErrorKind};

/// The element types that the graphs of linear models use, by ONNX's numbers (`TensorProto.DataType`).
pub(super) mod element {
    pub(in crate::flavor::onnx) const FLOAT: i64 = 1;
    pub(in crate::flavor::onnx) const INT32: i64 = 6;
    pub(in crate::flavor::onnx) const INT64: i64 = 7;
    pub(in crate::flavor::onnx) const STRING: i64 = 8;
    pub(in crate::flavor::onnx) const BOOL: i64 = 9;
    pub(in crate::flavor::onnx) const DOUBLE: i64 = 11;
}

/// A tensor as the file has it; what it holds is looked at when a node needs it.
#[derive(Debug, Default, Clone)]
pub(super) struct Tensor<'a> {
    pub(super) name: &'a str,
    dims: Vec<i64>,
    element: i64,
    floats: Vec<f32>,
    doubles: Vec<f64>,
    ints: Vec<i64>,
    texts: Vec<&'a [u8]>,
    raw: Option<&'a [u8]>,
    is_external: bool,
    external: Vec<(&'a str, &'a str)>,
}

/// A constant: its shape and its values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Constant<'a> {
    pub(super) dims: Vec<usize>,
    pub(super) values: Values<'a>,
}

/// Values, in the order of the last axis first.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values<'a> {
    /// In single precision, each exact as a double.
    Single(Vec<f64>),
    /// In double precision.
    Double(Vec<f64>),
    /// Whole numbers.
    Whole(Vec<i64>),
    /// Texts.
    Texts(Vec<&'a str>),
}

/// Where the bytes of a tensor are that is stored beside the graph.
#[derive(Debug, PartialEq)]
pub(super) struct External<'a> {
    pub(super) location: &'a str,
    pub(super) offset: usize,
    pub(super) length: Option<usize>,
}

impl<'a> Tensor<'a> {
    pub(super) fn decode(decoder: &mut Decoder, message: &'a [u8]) -> Result<Self, Error> {
        let mut tensor = Self::default();
        decoder.each(message, |decoder, field| tensor.field(decoder, field))?;
        Ok(tensor)
    }

    fn field(&mut self, decoder: &mut Decoder, field: Field<'a>) -> Result<(), Error> {
        match field.number {
            1 => decoder.ints(field, &mut self.dims)?,
            2 => self.element = field.int()?,
            4 => field.floats(&mut self.floats)?,
            // Each type has a list of its own, and only one of them is in use.
            5 | 7 => decoder.ints(field, &mut self.ints)?,
            6 => self.texts.push(field.bytes()?),
            8 => self.name = field.text()?,
            9 => self.raw = Some(field.bytes()?),
            10 => field.doubles(&mut self.doubles)?,
            13 => {
                let (mut key, mut value) = ("", "");
                decoder.each(field.bytes()?, |_, entry| {
                    match entry.number {
                        1 => key = entry.text()?,
                        2 => value = entry.text()?,
                        _ => {}
                    }
                    Ok(())
                })?;
                self.external.push((key, value));
            }
            14 => self.is_external = field.int()? == 1,
            _ => {}
        }
        Ok(())
    }

    /// Returns where the bytes are, if they are not in the graph.
    pub(super) fn external(&self) -> Result<Option<External<'a>>, Error> {
        if !self.is_external {
            return Ok(None);
        }
        let value = |key: &str| self.external.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
        let number = |key: &str| {
            let parse = |value: &str| value.parse().map_err(|_| self.broken("has an impossible place"));
            value(key).map(parse).transpose()
        };
        let location = value("location").ok_or_else(|| self.broken("is stored in a file without a name"))?;
        Ok(Some(External { location, offset: number("offset")?.unwrap_or(0), length: number("length")? }))
    }

    /// Returns how many values the shape holds.
    pub(super) fn count(&self) -> Result<usize, Error> {
        let shape = || self.broken("has an impossible shape");
        let multiply = |count: usize, &dim| usize::try_from(dim).ok().and_then(|dim| count.checked_mul(dim));
        self.dims.iter().try_fold(1, multiply).ok_or_else(shape)
    }

    /// Returns the shape and the values; `external` are the bytes from the file that [`Self::external`] names.
    pub(super) fn constant(&self, external: Option<&[u8]>) -> Result<Constant<'a>, Error> {
        let raw = external.or(self.raw);
        let values = match self.element {
            element::FLOAT => Values::Single(match raw {
                Some(raw) => chunks(raw)?.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect(),
                None => self.floats.iter().copied().map(f64::from).collect(),
            }),
            element::DOUBLE => Values::Double(match raw {
                Some(raw) => chunks(raw)?.iter().copied().map(f64::from_le_bytes).collect(),
                None => self.doubles.clone(),
            }),
            element::INT64 => Values::Whole(match raw {
                Some(raw) => chunks(raw)?.iter().copied().map(i64::from_le_bytes).collect(),
                None => self.ints.clone(),
            }),
            element::INT32 => Values::Whole(match raw {
                Some(raw) => chunks(raw)?.iter().map(|bytes| i64::from(i32::from_le_bytes(*bytes))).collect(),
                None => self.ints.clone(),
            }),
            element::STRING => {
                Values::Texts(self.texts.iter().map(|bytes| text(bytes)).collect::<Result<_, _>>()?)
            }
            other => return Err(self.unsupported(other)),
        };
        self.check(values)
    }

    fn check(&self, values: Values<'a>) -> Result<Constant<'a>, Error> {
        if self.count()? != values.len() {
            return Err(self.broken("has a shape that its values do not fill"));
        }
        // Conversions cannot fail, since their product is a count of values.
        let dims = self.dims.iter().filter_map(|&dim| usize::try_from(dim).ok()).collect();
        Ok(Constant { dims, values })
    }

    fn broken(&self, problem: &str) -> Error {
        Error::new(ErrorKind::Corrupted, format!("the constant {:?} {problem}", self.name))
    }

    fn unsupported(&self, element: i64) -> Error {
        let message =
            format!("the constant {:?} has the element type {element}, which is not read", self.name);
        Error::new(ErrorKind::Unsupported, message)
    }
}

impl Values<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Single(values) | Self::Double(values) => values.len(),
            Self::Whole(values) => values.len(),
            Self::Texts(values) => values.len(),
        }
    }
}
