//! What brings an ejected endpoint back.

use crate::FailureKind;

/// Which ejected endpoints a prober looks after. The others come back by a request on trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recheck {
    /// There is no prober.
    ByTrial,
    /// It connects: good evidence where connections failed, none where answers did.
    ByConnecting,
    /// It asks for a path, and so sees whatever a request would see.
    ByAsking,
}

impl Recheck {
    /// Returns whether the prober can tell that this kind of failure is over.
    pub(crate) fn covers(self, kind: FailureKind) -> bool {
        match self {
            Self::ByTrial => false,
            Self::ByConnecting => kind.is_certain(),
            Self::ByAsking => true,
        }
    }
}
