//! Keeping a set of endpoints in step with its source.

use std::{collections::BTreeMap, fmt, net::SocketAddr, num::NonZeroU16};

use super::Discover;
use crate::{balance::Endpoints, policy::Policy};

/// A set of addresses that does not change.
#[derive(Debug, Clone)]
pub struct Fixed(Option<Vec<SocketAddr>>);

impl Fixed {
    /// Returns the source of these addresses.
    pub fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self(Some(addresses.into_iter().collect()))
    }
}

impl Discover for Fixed {
    type Endpoint = SocketAddr;

    async fn next(&mut self) -> Option<Vec<SocketAddr>> {
        self.0.take()
    }
}

/// Adds and drains endpoints as a source says, until it says that nothing changes any more.
///
/// `connect` makes the service of an endpoint when it joins. Only what this call added is ever drained, so
/// several sources, and changes by hand, may share one set.
pub async fn follow<D, E, P>(source: D, endpoints: Endpoints<E, P>, connect: impl Fn(&D::Endpoint) -> E)
where
    D: Discover,
    E: Send + Sync + 'static,
    P: Policy,
{
    follow_from(source, endpoints, connect, || {}).await;
}

/// The same, and tells when the first endpoints are in.
pub(crate) async fn follow_from<D, E, P>(
    mut source: D,
    endpoints: Endpoints<E, P>,
    connect: impl Fn(&D::Endpoint) -> E,
    started: impl FnOnce(),
) where
    D: Discover,
    E: Send + Sync + 'static,
    P: Policy,
{
    let (mut joined, mut started) = (BTreeMap::new(), Some(started));
    while let Some(found) = source.next().await {
        let found: BTreeMap<_, _> = found.into_iter().map(|one| (one.clone(), source.weight(&one))).collect();
        step(&mut joined, &found, &endpoints, &connect);
        if let Some(started) = started.take() {
            started();
        }
    }
}

/// Makes before it breaks: the newcomers are in before the leavers are out.
fn step<K, E, P>(
    joined: &mut BTreeMap<K, NonZeroU16>,
    found: &BTreeMap<K, NonZeroU16>,
    endpoints: &Endpoints<E, P>,
    connect: &impl Fn(&K) -> E,
) where
    K: Clone + Ord + fmt::Display,
    E: Send + Sync + 'static,
    P: Policy,
{
    for (one, weight) in found {
        match joined.get(one) {
            // Not said again, so that a weight that was set by hand in the meantime stays.
            Some(known) if known == weight => {}
            Some(_) => drop(endpoints.set_weight(&one.to_string(), *weight)),
            None if endpoints.add_weighted(one.to_string(), *weight, connect(one)) => {}
            None => continue,
        }
        joined.insert(one.clone(), *weight);
    }
    let leavers: Vec<K> = joined.keys().filter(|one| !found.contains_key(one)).cloned().collect();
    for leaver in leavers {
        joined.remove(&leaver);
        // It takes as long as the longest request that it has: nobody should wait for that.
        tokio::spawn(endpoints.drain(&leaver.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::{Balance, policy::RoundRobin};

    struct Script(VecDeque<Vec<u16>>);

    impl Discover for Script {
        type Endpoint = u16;

        async fn next(&mut self) -> Option<Vec<u16>> {
            tokio::task::yield_now().await;
            self.0.pop_front()
        }
    }

    async fn names_after(sets: &[&[u16]]) -> Vec<String> {
        let balance: Balance<u16, RoundRobin> = Balance::new(RoundRobin, [("by hand", 0)]);
        let source = Script(sets.iter().map(|set| set.to_vec()).collect());
        follow(source, balance.endpoints(), |port| *port).await;
        balance.endpoints().names()
    }

    #[tokio::test]
    async fn the_set_follows_its_source_and_leaves_others_alone() {
        assert_eq!(names_after(&[&[1, 2]]).await, ["by hand", "1", "2"]);
        assert_eq!(names_after(&[&[1, 2], &[2, 3]]).await, ["by hand", "2", "3"]);
        assert_eq!(names_after(&[&[1], &[]]).await, ["by hand"]);
        assert_eq!(names_after(&[&[1], &[2], &[1]]).await, ["by hand", "1"]);
    }
}
