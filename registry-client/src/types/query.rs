//! Searches: typed conditions that a backend turns into SQL or into MLflow's filter language.
//!
//! Typed, because a filter put together from strings must be quoted right for each backend; a value here can hold anything.

use super::PageToken;

/// What to search for, and how many results a page holds. All conditions must hold; MLflow knows no `OR`.
///
/// ```
/// use martello_registry_client::{Query, VersionField};
///
/// let query = Query::new()
///     .equals(VersionField::Name, "fraud")
///     .equals(VersionField::Tag("data".into()), "2026-11")
///     .page_size(20);
/// assert_eq!(query.conditions.len(), 2);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Query<F> {
    /// All of them must hold.
    pub conditions: Vec<Condition<F>>,
    /// How many results at most; a backend may cap it.
    pub page_size: u32,
    /// Where to go on; the start, when absent.
    pub page: Option<PageToken>,
}

impl<F> Query<F> {
    /// How many results a page holds unless said otherwise: MLflow's own default for registered models.
    pub const DEFAULT_PAGE_SIZE: u32 = 100;

    /// Returns a search for everything.
    pub fn new() -> Self {
        Self { conditions: Vec::new(), page_size: Self::DEFAULT_PAGE_SIZE, page: None }
    }

    /// Adds a condition.
    #[must_use]
    pub fn and(mut self, field: F, comparison: Comparison, value: impl Into<Value>) -> Self {
        self.conditions.push(Condition { field, comparison, value: value.into() });
        self
    }

    /// Adds the condition that the field has exactly this value.
    #[must_use]
    pub fn equals(self, field: F, value: impl Into<Value>) -> Self {
        self.and(field, Comparison::Equal, value)
    }

    /// Limits how many results a page holds.
    #[must_use]
    pub fn page_size(mut self, results: u32) -> Self {
        self.page_size = results;
        self
    }

    /// Goes on where an earlier page ended.
    #[must_use]
    pub fn page(mut self, page: Option<PageToken>) -> Self {
        self.page = page;
        self
    }
}

impl<F> Default for Query<F> {
    fn default() -> Self {
        Self::new()
    }
}

/// One condition of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition<F> {
    /// What to look at.
    pub field: F,
    /// How to compare.
    pub comparison: Comparison,
    /// What to compare with.
    pub value: Value,
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// The same.
    Equal,
    /// Not the same; a record without the tag, parameter or metric does not match.
    NotEqual,
    /// Numbers only.
    Less,
    /// Numbers only.
    LessOrEqual,
    /// Numbers only.
    Greater,
    /// Numbers only.
    GreaterOrEqual,
    /// Texts only: `%` stands for anything, `_` for one character; letters of different case differ.
    Like,
    /// Texts only: as [`Like`](Self::Like), whatever the case of the letters.
    LikeAnyCase,
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(f64::from(number))
    }
}

/// What a search for registered models looks at; results come by name.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ModelField {
    /// The name.
    Name,
    /// The tag with this key.
    Tag(String),
}

/// What a search for versions looks at; results come by name, the newest version of each first.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum VersionField {
    /// The registered model's name.
    Name,
    /// The version's number.
    Number,
    /// The run that made it.
    RunId,
    /// The URI of the model folder.
    Source,
    /// The tag with this key.
    Tag(String),
}

/// What a search for runs looks at; results come with the latest start first.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RunField {
    /// The experiment's identifier.
    ExperimentId,
    /// The name that people read.
    Name,
    /// [`RunStatus::as_str`](crate::RunStatus::as_str).
    Status,
    /// When it started, in milliseconds since the epoch.
    StartTime,
    /// The parameter with this key.
    Param(String),
    /// The latest value of the metric with this key.
    Metric(String),
    /// The tag with this key.
    Tag(String),
}
