//! What brings an ejected endpoint back.

use crate::FailureKind;

/// Which ejected endpoints a prober looks after. The others come back by a request on trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recheck {
    /// There is no prober.
    Trial,
    /// It connects: good evidence where connections failed, none where answers did.
    Connecting,
    /// It asks for a path, and so sees whatever a request would see.
    Asking,
}

impl Recheck {
    /// Returns whether the prober asks newcomers, so that they can wait until they have answered.
    pub(crate) fn asks_newcomers(self) -> bool {
        self != Self::Trial
    }

    /// Returns whether the prober can tell that this kind of failure is over.
    pub(crate) fn covers(self, kind: FailureKind) -> bool {
        match self {
            Self::Trial => false,
            Self::Connecting => kind.is_certain(),
            Self::Asking => true,
        }
    }
}
