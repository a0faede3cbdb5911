//! Which replica answered how many requests, by the response header that names it.

use std::collections::HashMap;

use serde::Serialize;

/// The most replicas told apart: a server that invents a name per answer must not fill the memory.
const MOST_ENDPOINTS: usize = 1_024;

/// The name under which answers are counted once [`MOST_ENDPOINTS`] are known.
const OTHERS: &[u8] = b"(others)";

/// What one replica answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "histogram-log", derive(serde::Deserialize))]
pub struct EndpointCounts {
    /// Answers that named this replica.
    pub requests: u64,
    /// Those among them that failed their check.
    pub failures: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Endpoints(HashMap<Box<[u8]>, EndpointCounts>);

impl Endpoints {
    pub(crate) fn count(&mut self, name: &[u8], counts: EndpointCounts) {
        let name = if self.0.contains_key(name) || self.0.len() < MOST_ENDPOINTS { name } else { OTHERS };
        // Two look-ups, but a key is copied only the first time it is seen.
        if !self.0.contains_key(name) {
            self.0.insert(name.into(), EndpointCounts::default());
        }
        if let Some(known) = self.0.get_mut(name) {
            known.requests += counts.requests;
            known.failures += counts.failures;
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(name, counts)| self.count(name, *counts));
    }

    pub(crate) fn clear(&mut self) {
        self.0.values_mut().for_each(|counts| *counts = EndpointCounts::default());
    }

    /// Names (as text) and counts, in the order of the names.
    pub(crate) fn sorted(&self) -> Vec<(String, EndpointCounts)> {
        let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        let answered = self.0.iter().filter(|(_, counts)| counts.requests > 0);
        let mut all: Vec<_> = answered.map(|(name, counts)| (text(name), *counts)).collect();
        all.sort_by(|left, right| left.0.cmp(&right.0));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_invents_names_does_not_fill_the_memory() {
        let mut endpoints = Endpoints::default();
        let one = EndpointCounts { requests: 1, failures: 0 };
        (0..10_000).for_each(|number| endpoints.count(format!("replica-{number}").as_bytes(), one));
        let sorted = endpoints.sorted();
        assert_eq!(sorted.len(), MOST_ENDPOINTS + 1);
        assert_eq!(sorted.iter().map(|(_, counts)| counts.requests).sum::<u64>(), 10_000);
    }
}
