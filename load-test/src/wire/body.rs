//! The body of an answer, by the way in which it ends (RFC 9112 section 6).

use crate::failure::FailureKind;
use crate::wire::chunked::Chunked;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// After so many more bytes.
    Length(u64),
    /// By its own coding.
    Chunked(Chunked),
    /// With the connection.
    UntilClose { closed: bool },
}

impl Body {
    pub(super) const fn length(length: u64) -> Self {
        Self::Length(length)
    }

    pub(super) fn chunked() -> Self {
        Self::Chunked(Chunked::new())
    }

    pub(super) const fn until_close() -> Self {
        Self::UntilClose { closed: false }
    }

    /// The next stretch of content at the front of `bytes`, which loses what was read; `None` when more is needed or
    /// the body is over.
    pub(super) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<&'a [u8]>, FailureKind> {
        let content = match self {
            Self::Chunked(chunked) => return chunked.next(bytes),
            Self::UntilClose { .. } => std::mem::take(bytes),
            Self::Length(left) => {
                let length = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= length as u64;
                let (content, rest) = bytes.split_at(length);
                *bytes = rest;
                content
            }
        };
        Ok((!content.is_empty()).then_some(content))
    }

    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunked) => chunked.is_over(),
            Self::UntilClose { closed } => *closed,
        }
    }

    /// Takes note that nothing more will come.
    pub(super) fn close(&mut self) -> Result<(), FailureKind> {
        if let Self::UntilClose { closed } = self {
            *closed = true;
        }
        if self.is_over() { Ok(()) } else { Err(FailureKind::Closed) }
    }

    pub(super) fn ends_with_the_connection(&self) -> bool {
        matches!(self, Self::UntilClose { .. })
    }
}
