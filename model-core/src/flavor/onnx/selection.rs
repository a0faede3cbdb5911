//! The operators that pick: columns of a row, the highest score, the class that belongs to it.

use super::decode::Node;
use super::import::{Importer, unsupported};
use super::operators::{last_axis, misfit, wholes};
use super::tensor::Values;
use super::value::{Row, Value};
use super::wire::text;
use crate::Error;
use crate::engine::Classes;

impl<'a> Importer<'a> {
    pub(super) fn arg_max(&mut self, node: &Node<'a>) -> Result<Value, Error> {
        last_axis(node.int("axis").unwrap_or(0))?;
        match node.int("select_last_index").unwrap_or(0) {
            0 => Ok(Value::Winner(self.row(node)?)),
            _ => Err(unsupported("of equal scores it takes the last one")),
        }
    }

    pub(super) fn gather(&mut self, node: &Node<'a>) -> Result<Value, Error> {
        let axis = node.int("axis").unwrap_or(0);
        if axis == 0 {
            return self.label(node);
        }
        last_axis(axis)?;
        let row = self.row(node)?;
        part(row, &wholes(self.constant(node, 1)?)?)
    }

    pub(super) fn slice(&mut self, node: &Node<'a>) -> Result<Value, Error> {
        let row = self.row(node)?;
        let [starts, ends, axes] = [1, 2, 3].map(|input| self.constant(node, input).and_then(wholes));
        let (starts, ends, axes) = (starts?, ends?, axes?);
        let one = matches!((&*starts, &*ends), ([start], [end]) if start.checked_add(1) == Some(*end));
        match (axes.as_slice(), node.inputs.len()) {
            (&[axis], 4) if one => last_axis(axis).and_then(|()| part(row, &starts)),
            _ => Err(unsupported("it takes more than one column")),
        }
    }

    /// Takes each column apart.
    pub(super) fn split(&mut self, node: &Node<'a>) -> Result<Vec<Value>, Error> {
        let row = self.row(node)?;
        last_axis(node.int("axis").unwrap_or(0))?;
        match (node.inputs.len(), node.outputs.len() == row.width) {
            (1, true) => Ok((0..row.width).map(|position| Value::Part(row, position)).collect()),
            _ => Err(unsupported("it does not take each column apart")),
        }
    }

    /// Looks up the class of a position.
    pub(super) fn label(&mut self, node: &Node<'a>) -> Result<Value, Error> {
        let Value::Winner(row) = *self.value(node, 1)? else {
            return Err(unsupported("it does not look up the class with the highest score"));
        };
        let classes = match self.constant(node, 0)?.values {
            Values::Whole(labels) => Classes::from(labels),
            Values::Texts(labels) => Classes::from(labels),
            Values::Single(_) | Values::Double(_) => {
                return Err(unsupported("classes that are fractions are not read"));
            }
        };
        self.labelled(row, classes)
    }

    pub(super) fn labelled(&mut self, scores: Row, classes: Classes) -> Result<Value, Error> {
        self.check_classes(classes.len())?;
        classes.check()?;
        match classes.len() == scores.width {
            true => Ok(Value::Label(scores, classes)),
            false => Err(misfit(format!("it has {} classes and {} scores", classes.len(), scores.width))),
        }
    }

    /// Names the columns by classes.
    pub(super) fn zip_map(&self, node: &Node<'a>) -> Result<Value, Error> {
        let row = self.row(node)?;
        let classes = match node.texts("classlabels_strings") {
            [] => Classes::from(node.ints("classlabels_int64s").to_vec()),
            labels => Classes::from(texts(labels)?),
        };
        self.check_classes(classes.len())?;
        Ok(Value::Named(row, classes))
    }
}

pub(super) fn texts<'a>(values: &[&'a [u8]]) -> Result<Vec<&'a str>, Error> {
    values.iter().map(|value| text(value)).collect()
}

fn part(row: Row, positions: &[i64]) -> Result<Value, Error> {
    let [position] = *positions else { return Err(unsupported("it takes more than one column")) };
    let position = usize::try_from(position).ok().filter(|&position| position < row.width);
    let position = position.ok_or_else(|| unsupported("it takes a column that the row does not have"))?;
    Ok(Value::Part(row, position))
}
