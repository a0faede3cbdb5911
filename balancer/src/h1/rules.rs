//! What a head is read by.

use super::fields::Keep;
use super::limits::Limits;
use super::underscores::Underscores;

/// The rules of one side: a head that was read by others may say something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) limits: Limits,
    pub(crate) keep: Keep,
    /// Of requests; an answer's pass.
    pub(crate) underscores: Underscores,
}

impl Rules {
    /// The rules of answers.
    pub(crate) const fn for_responses(limits: Limits, keep: Keep) -> Self {
        Self { limits, keep, underscores: Underscores::Pass }
    }
}
