//! What an endpoint has declared to be a pure function.

use std::{
    fmt,
    hash::Hash,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::keyed_hash::keyed_hash;

/// A replica serves a handful of routes. A colliding one takes the slot, and the other's next answer
/// takes it back: forgetting costs a retry, never repeats wrongly.
const SLOTS: usize = 32;

/// The kinds of request (method and path) that an endpoint has declared to be pure functions, in a
/// bounded table that nobody locks.
///
/// Purity is remembered for each kind and not for the endpoint as a whole, since the same replica that
/// answers predictions also takes requests that change it.
#[derive(Default)]
pub(crate) struct Declared([AtomicU64; SLOTS]);

/// A kind of request, hashed with a key of this process so that no client can aim at a collision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestKind(u64);

impl RequestKind {
    /// Returns the kind that these values describe.
    pub fn of(value: impl Hash) -> Self {
        // Zero marks an empty slot.
        Self(keyed_hash(value) | 1)
    }

    fn slot(self) -> usize {
        (self.0 >> 32) as usize % SLOTS
    }
}

impl Declared {
    pub(crate) fn insert(&self, kind: RequestKind) {
        let slot = &self.0[kind.slot()];
        // Nearly always there already: do not take the cache line from the other threads.
        if slot.load(Ordering::Relaxed) != kind.0 {
            slot.store(kind.0, Ordering::Relaxed);
        }
    }

    /// Returns whether this kind was never inserted: certain, though it may have been forgotten whether it was.
    pub(crate) fn never_contained(&self, kind: RequestKind) -> bool {
        self.0[kind.slot()].load(Ordering::Relaxed) == 0
    }

    pub(crate) fn contains(&self, kind: RequestKind) -> bool {
        self.0[kind.slot()].load(Ordering::Relaxed) == kind.0
    }
}

impl fmt::Debug for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.0.iter().filter(|slot| slot.load(Ordering::Relaxed) != 0).count();
        write!(f, "Declared({known})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_declared_is_pure() {
        let declared = Declared::default();
        let predict = RequestKind::of(("POST", "/predict"));
        assert!(!declared.contains(predict));
        declared.insert(predict);
        assert!(declared.contains(RequestKind::of(("POST", "/predict"))));
        assert!(!declared.contains(RequestKind::of(("POST", "/v2/repository/models/a/load"))));
    }
}
