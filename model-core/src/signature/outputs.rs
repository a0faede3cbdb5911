//! What a model answers: columns, or MLflow's tensors.

use super::Column;

/// What a model says it answers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outputs {
    /// Typed columns; none at all means that the model does not say.
    Columns(Vec<Column>),
    /// Tensors, which MLflow infers where Python code answered with numpy arrays.
    Tensors(Vec<TensorSpec>),
}

impl Outputs {
    /// Returns the columns; empty for tensors.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        match self {
            Self::Columns(columns) => columns,
            Self::Tensors(_) => &[],
        }
    }
}

/// The shape and element type of a tensor in a signature.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TensorSpec {
    /// The name, if the tensor has one.
    pub name: Option<String>,
    /// The element type by numpy's name, for example `float64` or `str`.
    pub dtype: String,
    /// The length of each axis; −1 stands for "any", as the number of rows is.
    pub shape: Vec<i64>,
}
