//! Which endpoints a request has tried.

/// The endpoints that one request has tried, by [`Load::id`](crate::Load::id).
#[derive(Debug, Clone, Copy, Default)]
pub struct Tried {
    ids: [u64; Self::CAPACITY],
    len: u8,
}

impl Tried {
    /// The most attempts that one request may make. It bounds the record to 64 bytes within the
    /// request's own future; more than a few attempts never helped a request that the first ones did
    /// not.
    pub const CAPACITY: usize = 8;

    /// Returns the record of a request that has tried nothing.
    pub(crate) const fn none() -> Self {
        Self { ids: [0; Self::CAPACITY], len: 0 }
    }

    /// Records one more endpoint; returns false, and records nothing, when the record is full.
    pub fn insert(&mut self, id: u64) -> bool {
        let Some(slot) = self.ids.get_mut(usize::from(self.len)) else { return false };
        *slot = id;
        self.len += 1;
        true
    }

    /// Returns whether an endpoint was tried.
    pub fn contains(&self, id: u64) -> bool {
        self.ids[..self.len()].contains(&id)
    }

    /// Returns how many endpoints were tried.
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Returns whether this is a first attempt.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}
