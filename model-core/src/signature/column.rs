//! One named, typed column, in MLflow's vocabulary.

use std::fmt;

/// The type of a column, by MLflow's names.
///
/// | type | a cell holds |
/// | --- | --- |
/// | `boolean` | 0 or 1 |
/// | `integer` | a whole number of 32 bits with sign |
/// | `long` | a whole number between −(2⁵³−1) and 2⁵³−1: beyond that a JSON number no longer says which one it is |
/// | `float` | any finite number, rounded to single precision as MLflow's scoring server does |
/// | `double` | any finite number |
/// | `string` | text; the empty text is a value like any other |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DataType {
    /// 0 or 1.
    Boolean,
    /// A whole number of 32 bits with sign.
    Integer,
    /// A whole number that a double holds without rounding.
    Long,
    /// A number in single precision.
    Float,
    /// A number in double precision.
    Double,
    /// Text.
    String,
}

impl DataType {
    /// Every type, in the order of the table above.
    pub const ALL: [Self; 6] =
        [Self::Boolean, Self::Integer, Self::Long, Self::Float, Self::Double, Self::String];

    /// Returns MLflow's name, for example `double`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Long => "long",
            Self::Float => "float",
            Self::Double => "double",
            Self::String => "string",
        }
    }

    /// Returns the type of that MLflow name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|data_type| data_type.name() == name)
    }

    /// Returns true for everything but text.
    #[must_use]
    pub const fn is_numeric(self) -> bool {
        !matches!(self, Self::String)
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A named, typed column of a [`Signature`](crate::Signature).
///
/// ```
/// use martello_model_core::{Column, DataType};
///
/// let mass = Column::double("body_mass_g").optional();
/// assert_eq!(mass.data_type, DataType::Double);
/// assert!(!mass.required);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Column {
    /// The name that rows use; unique within a signature. Only an output column may have none (the empty text).
    pub name: String,
    /// What its cells hold.
    pub data_type: DataType,
    /// Whether every row must have a value; an optional column may be missing, null or NaN.
    pub required: bool,
}

impl Column {
    /// Creates a required column.
    #[must_use]
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self { name: name.into(), data_type, required: true }
    }

    /// Creates a required column of numbers in double precision.
    #[must_use]
    pub fn double(name: impl Into<String>) -> Self {
        Self::new(name, DataType::Double)
    }

    /// Creates a required column of whole numbers.
    #[must_use]
    pub fn long(name: impl Into<String>) -> Self {
        Self::new(name, DataType::Long)
    }

    /// Creates a required column of text.
    #[must_use]
    pub fn string(name: impl Into<String>) -> Self {
        Self::new(name, DataType::String)
    }

    /// Creates a column without a name, which MLflow writes for a model that answers one unnamed value per row.
    #[must_use]
    pub fn unnamed(data_type: DataType) -> Self {
        Self::new("", data_type)
    }

    /// Lets rows go without a value.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.required = false;
        self
    }
}
