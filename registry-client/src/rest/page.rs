//! What answers have in common: the token of the next page, and what is absent.

use crate::{PageToken, Result};

/// Returns `None` for what does not exist.
pub(super) fn absent<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn next(token: Option<String>) -> Option<PageToken> {
    token.filter(|token| !token.is_empty()).map(PageToken::new)
}
