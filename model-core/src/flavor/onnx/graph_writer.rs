//! An ONNX file that is being written; field numbers are those of `onnx.proto`.

use std::sync::Arc;

use super::tensor::element;
use super::wire::Message;

/// What ONNX 1.8 defines (2020): the oldest versions that have every operator for doubles, so that old runtimes load the file.
const IR_VERSION: i64 = 7;
const OPERATORS: i64 = 13;
const ML_OPERATORS: i64 = 2;

const ML_DOMAIN: &str = "ai.onnx.ml";

/// A graph that grows node by node.
#[derive(Debug, Default)]
pub(super) struct GraphWriter {
    graph: Message,
}

/// An attribute of a node.
#[derive(Debug, Clone, Copy)]
pub(super) enum Attribute<'a> {
    Int(&'a str, i64),
    Float(&'a str, f32),
    Floats(&'a str, &'a [f32]),
    Texts(&'a str, &'a [&'a str]),
}

/// The length of one axis: a number, or any number of rows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Axis {
    Rows,
    Length(usize),
}

impl GraphWriter {
    /// Adds a node of ONNX's own operators.
    pub(super) fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[Attribute<'_>],
    ) {
        self.add_node("", operator, inputs, outputs, attributes);
    }

    /// Adds a node of the operators for machine learning.
    pub(super) fn ml_node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[Attribute<'_>],
    ) {
        self.add_node(ML_DOMAIN, operator, inputs, outputs, attributes);
    }

    fn add_node(
        &mut self,
        domain: &str,
        operator: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[Attribute<'_>],
    ) {
        let mut node = Message::default();
        inputs.iter().for_each(|input| node.text(1, input));
        outputs.iter().for_each(|output| node.text(2, output));
        // Runtimes name the node at fault; the first value that it makes is as good a name as any.
        outputs.iter().take(1).for_each(|name| node.text(3, name));
        node.text(4, operator);
        attributes.iter().for_each(|attribute| node.message(5, &attribute.write()));
        node.text(7, domain);
        self.graph.message(1, &node);
    }

    pub(super) fn doubles(&mut self, name: &str, dims: &[usize], values: impl IntoIterator<Item = f64>) {
        let raw: Vec<u8> = values.into_iter().flat_map(f64::to_le_bytes).collect();
        self.constant(name, element::DOUBLE, dims, |tensor| tensor.bytes(9, &raw));
    }

    pub(super) fn wholes(&mut self, name: &str, dims: &[usize], values: &[i64]) {
        let raw: Vec<u8> = values.iter().copied().flat_map(i64::to_le_bytes).collect();
        self.constant(name, element::INT64, dims, |tensor| tensor.bytes(9, &raw));
    }

    pub(super) fn texts(&mut self, name: &str, values: &[Arc<str>]) {
        self.constant(name, element::STRING, &[values.len()], |tensor| {
            values.iter().for_each(|value| tensor.text(6, value));
        });
    }

    fn constant(&mut self, name: &str, element: i64, dims: &[usize], values: impl FnOnce(&mut Message)) {
        let mut tensor = Message::default();
        dims.iter().for_each(|dim| tensor.int(1, *dim as i64));
        tensor.int(2, element);
        values(&mut tensor);
        tensor.text(8, name);
        self.graph.message(5, &tensor);
    }

    pub(super) fn input(&mut self, name: &str, element: i64, axes: &[Axis]) {
        self.graph.message(11, &value_info(name, element, axes));
    }

    pub(super) fn output(&mut self, name: &str, element: i64, axes: &[Axis]) {
        self.graph.message(12, &value_info(name, element, axes));
    }

    /// Returns the bytes of the file.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.graph.text(2, "martello");
        let mut model = Message::default();
        model.int(1, IR_VERSION);
        model.text(2, env!("CARGO_PKG_NAME"));
        model.text(3, env!("CARGO_PKG_VERSION"));
        for (domain, version) in [("", OPERATORS), (ML_DOMAIN, ML_OPERATORS)] {
            let mut operators = Message::default();
            operators.text(1, domain);
            operators.int(2, version);
            model.message(8, &operators);
        }
        model.message(7, &self.graph);
        model.into_bytes()
    }
}

impl Attribute<'_> {
    /// The last field says which of the others is in use.
    fn write(&self) -> Message {
        let mut attribute = Message::default();
        let (name, kind) = match *self {
            Self::Float(name, value) => {
                attribute.float(2, value);
                (name, 1)
            }
            Self::Int(name, value) => {
                attribute.int(3, value);
                (name, 2)
            }
            Self::Floats(name, values) => {
                values.iter().for_each(|value| attribute.float(7, *value));
                (name, 6)
            }
            Self::Texts(name, values) => {
                values.iter().for_each(|value| attribute.text(9, value));
                (name, 8)
            }
        };
        attribute.text(1, name);
        attribute.int(20, kind);
        attribute
    }
}

fn value_info(name: &str, element: i64, axes: &[Axis]) -> Message {
    let mut shape = Message::default();
    for axis in axes {
        let mut dimension = Message::default();
        match axis {
            Axis::Rows => dimension.text(2, "rows"),
            Axis::Length(length) => dimension.int(1, *length as i64),
        }
        shape.message(1, &dimension);
    }
    let mut tensor = Message::default();
    tensor.int(1, element);
    tensor.message(2, &shape);
    let mut kind = Message::default();
    kind.message(1, &tensor);
    let mut value = Message::default();
    value.text(1, name);
    value.message(2, &kind);
    value
}
