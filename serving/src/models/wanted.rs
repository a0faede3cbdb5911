//! What a path says about the model that it means.

use std::borrow::Cow;

use super::ListedModel;
use crate::ServedModel;

/// A model by its name, or the first one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted<'a> {
    pub(crate) name: Option<Cow<'a, str>>,
    pub(crate) pick: Pick<'a>,
}

/// Which of the models of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pick<'a> {
    First,
    Version(Cow<'a, str>),
    Label(Cow<'a, str>),
}

/// Why there is no such model to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absent {
    Unknown,
    OtherVersion,
    NotLoaded,
}

impl Wanted<'_> {
    pub(crate) const FIRST: Self = Self { name: None, pick: Pick::First };
}

impl Pick<'_> {
    pub(super) fn fits(&self, listed: &ListedModel, served: &ServedModel) -> bool {
        match self {
            Self::First => true,
            Self::Version(version) => served.version().is_some_and(|own| own.to_string() == *version),
            Self::Label(label) => listed.label.as_deref() == Some(label),
        }
    }
}
