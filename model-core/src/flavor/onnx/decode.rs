//! The messages of an ONNX file, as far as the graphs of linear models need them.
//!
//! Field numbers are those of `onnx.proto` of ONNX. Nothing is copied but numbers, and nothing recurses: a graph inside a
//! node is left unread, so the depth is fixed.

use super::tensor::Tensor;
use super::wire::{Field, Fields, Value};
use crate::{Error, ErrorKind};

/// Reads messages and counts their parts, so that a small file cannot become a large structure.
#[derive(Debug)]
pub(super) struct Decoder {
    left: usize,
    limit: usize,
}

/// The nodes in the order in which they are computed, and what goes in and out.
#[derive(Debug, Default)]
pub(super) struct Graph<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) constants: Vec<Tensor<'a>>,
    pub(super) inputs: Vec<Input<'a>>,
    pub(super) outputs: Vec<&'a str>,
}

/// An operator with the names of the values that it takes and makes.
#[derive(Debug, Default)]
pub(super) struct Node<'a> {
    pub(super) name: &'a str,
    pub(super) operator: &'a str,
    pub(super) domain: &'a str,
    pub(super) inputs: Vec<&'a str>,
    pub(super) outputs: Vec<&'a str>,
    attributes: Vec<Attribute<'a>>,
}

/// A value that the caller supplies.
#[derive(Debug, Default)]
pub(super) struct Input<'a> {
    pub(super) name: &'a str,
    /// The element type; 0 for what is no tensor.
    pub(super) element: i64,
    /// The length of each axis, nothing where any is fine; none if the file does not say.
    pub(super) shape: Option<Vec<Option<i64>>>,
}

#[derive(Debug, Default)]
struct Attribute<'a> {
    name: &'a str,
    float: Option<f32>,
    int: Option<i64>,
    text: Option<&'a [u8]>,
    tensor: Option<Box<Tensor<'a>>>,
    floats: Vec<f32>,
    ints: Vec<i64>,
    texts: Vec<&'a [u8]>,
}

impl Decoder {
    /// Creates a decoder of files with at most that many nodes, names, texts and whole numbers.
    pub(super) fn new(limit: usize) -> Self {
        Self { left: limit, limit }
    }

    /// Reads a whole file, a `ModelProto`.
    pub(super) fn file<'a>(&mut self, bytes: &'a [u8]) -> Result<Graph<'a>, Error> {
        let mut graph = None;
        self.each(bytes, |decoder, field| {
            if field.number == 7 {
                graph = Some(decoder.graph(field.bytes()?)?);
            }
            Ok(())
        })?;
        graph.ok_or_else(|| Error::new(ErrorKind::Corrupted, "the protobuf has no graph"))
    }

    /// Calls `visit` with each field of a message.
    pub(super) fn each<'a>(
        &mut self,
        message: &'a [u8],
        mut visit: impl FnMut(&mut Self, Field<'a>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for field in Fields::new(message) {
            let field = field?;
            // Single numbers are stored in fewer bytes than they take here: the size of the file bounds them.
            if !matches!(field.value, Value::Fixed32(_) | Value::Fixed64(_)) {
                self.spend(1)?;
            }
            visit(self, field)?;
        }
        Ok(())
    }

    pub(super) fn ints(&mut self, field: Field<'_>, values: &mut Vec<i64>) -> Result<(), Error> {
        let count = field.ints(values, self.left)?;
        self.spend(count)
    }

    fn spend(&mut self, parts: usize) -> Result<(), Error> {
        let too_large = || {
            let message = format!("the graph has more than {} parts, the limit", self.limit);
            Error::new(ErrorKind::TooLarge, message)
        };
        self.left = self.left.checked_sub(parts).ok_or_else(too_large)?;
        Ok(())
    }

    fn graph<'a>(&mut self, message: &'a [u8]) -> Result<Graph<'a>, Error> {
        let mut graph = Graph::default();
        self.each(message, |decoder, field| {
            match field.number {
                1 => graph.nodes.push(decoder.node(field.bytes()?)?),
                5 => graph.constants.push(Tensor::decode(decoder, field.bytes()?)?),
                11 => graph.inputs.push(decoder.input(field.bytes()?)?),
                12 => graph.outputs.push(decoder.input(field.bytes()?)?.name),
                15 => return Err(Error::new(ErrorKind::Unsupported, "sparse constants are not read")),
                _ => {}
            }
            Ok(())
        })?;
        Ok(graph)
    }

    fn node<'a>(&mut self, message: &'a [u8]) -> Result<Node<'a>, Error> {
        let mut node = Node::default();
        self.each(message, |decoder, field| {
            match field.number {
                1 => node.inputs.push(field.text()?),
                2 => node.outputs.push(field.text()?),
                3 => node.name = field.text()?,
                4 => node.operator = field.text()?,
                5 => node.attributes.push(decoder.attribute(field.bytes()?)?),
                7 => node.domain = field.text()?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(node)
    }

    fn attribute<'a>(&mut self, message: &'a [u8]) -> Result<Attribute<'a>, Error> {
        let mut attribute = Attribute::default();
        self.each(message, |decoder, field| {
            match field.number {
                1 => attribute.name = field.text()?,
                2 => {
                    let mut values = Vec::new();
                    field.floats(&mut values)?;
                    attribute.float = values.pop();
                }
                3 => attribute.int = Some(field.int()?),
                4 => attribute.text = Some(field.bytes()?),
                5 => attribute.tensor = Some(Box::new(Tensor::decode(decoder, field.bytes()?)?)),
                7 => field.floats(&mut attribute.floats)?,
                8 => decoder.ints(field, &mut attribute.ints)?,
                9 => attribute.texts.push(field.bytes()?),
                _ => {}
            }
            Ok(())
        })?;
        Ok(attribute)
    }

    /// Reads a `ValueInfoProto`, whose type sits three messages deep.
    fn input<'a>(&mut self, message: &'a [u8]) -> Result<Input<'a>, Error> {
        let mut input = Input::default();
        self.each(message, |decoder, field| match field.number {
            1 => field.text().map(|name| input.name = name),
            2 => decoder.each(field.bytes()?, |decoder, field| match field.number {
                1 => decoder.each(field.bytes()?, |decoder, field| match field.number {
                    1 => field.int().map(|element| input.element = element),
                    2 => decoder.shape(field.bytes()?).map(|shape| input.shape = Some(shape)),
                    _ => Ok(()),
                }),
                _ => Ok(()),
            }),
            _ => Ok(()),
        })?;
        Ok(input)
    }

    fn shape(&mut self, message: &[u8]) -> Result<Vec<Option<i64>>, Error> {
        let mut shape = Vec::new();
        self.each(message, |decoder, field| {
            let mut length = None;
            if field.number == 1 {
                decoder.each(field.bytes()?, |_, field| {
                    if field.number == 1 {
                        length = Some(field.int()?);
                    }
                    Ok(())
                })?;
                shape.push(length);
            }
            Ok(())
        })?;
        Ok(shape)
    }
}

impl<'a> Node<'a> {
    pub(super) fn float(&self, name: &str) -> Option<f32> {
        self.attribute(name).and_then(|attribute| attribute.float)
    }

    pub(super) fn int(&self, name: &str) -> Option<i64> {
        self.attribute(name).and_then(|attribute| attribute.int)
    }

    /// Returns a text; empty without the attribute.
    pub(super) fn text(&self, name: &str) -> &'a [u8] {
        self.attribute(name).and_then(|attribute| attribute.text).unwrap_or_default()
    }

    pub(super) fn tensor(&self, name: &str) -> Option<&Tensor<'a>> {
        self.attribute(name).and_then(|attribute| attribute.tensor.as_deref())
    }

    /// Returns a list of numbers, each exact as a double; empty without the attribute.
    pub(super) fn floats(&self, name: &str) -> Vec<f64> {
        let floats = self.attribute(name).map_or(&[][..], |attribute| &attribute.floats);
        floats.iter().copied().map(f64::from).collect()
    }

    pub(super) fn ints(&self, name: &str) -> &[i64] {
        self.attribute(name).map_or(&[], |attribute| &attribute.ints)
    }

    pub(super) fn texts(&self, name: &str) -> &[&'a [u8]] {
        self.attribute(name).map_or(&[], |attribute| &attribute.texts)
    }

    fn attribute(&self, name: &str) -> Option<&Attribute<'a>> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }
}
