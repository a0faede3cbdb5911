//! Long lists, page by page.

use serde::{Deserialize, Serialize};

/// One page of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What was found.
    pub items: Vec<T>,
    /// Where to go on, or `None` on the last page.
    pub next: Option<PageToken>,
}

/// Where a search goes on: opaque, and only good for the search that returned it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PageToken(String);

impl PageToken {
    /// Wraps the text that a backend gave out.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text to hand back to the backend.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
