//! What the values of a graph mean.

use super::pipeline::Precision;
use crate::engine::Classes;

/// The meaning of a value.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// A vector for each row of the batch.
    Row(Row),
    /// Which numbers of each such vector are missing.
    Missing(Row),
    /// A vector whose numbers are named by classes.
    Named(Row, Classes),
    /// The sum of each such vector.
    Sum(Row),
    /// The position of the highest number in each.
    Winner(Row),
    /// The class that stands at this position.
    Label(Row, Classes),
    /// One of the numbers.
    Part(Row, usize),
}

/// A vector that is computed for each row of the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) last_step: Option<usize>,
    pub(super) width: usize,
    pub(super) element: Element,
}

/// What the numbers of a row are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Whole,
    Real(Precision),
}
