//! Keeping a set of endpoints in step with its source.

use std::{collections::BTreeMap, fmt, net::SocketAddr, num::NonZeroU16, pin::pin, time::Duration};

use tokio::time::{sleep, timeout};

use super::Discover;
use crate::{balance::Endpoints, policy::Policy};

/// How often an endpoint tries to join that another source has.
const AGAIN: Duration = Duration::from_secs(1);

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
    let mut known = BTreeMap::new();
    loop {
        let found = until(source.next(), || step(&mut joined, &known, &endpoints, &connect)).await;
        let Some(found) = found else { break };
        known = found.into_iter().map(|one| (one.clone(), source.weight(&one))).collect();
        step(&mut joined, &known, &endpoints, &connect);
        if let Some(started) = started.take() {
            started();
        }
    }
    while !step(&mut joined, &known, &endpoints, &connect) {
        sleep(AGAIN).await;
    }
}

/// Waits for what is found next, and for as long as endpoints that are known could not join, lets them try again now and
/// then: another source may have had them, and have lost them since.
async fn until<T>(next: impl Future<Output = T>, mut all_have_joined: impl FnMut() -> bool) -> T {
    let mut next = pin!(next);
    loop {
        match timeout(AGAIN, &mut next).await {
            Ok(next) => return next,
            Err(_) if all_have_joined() => return next.await,
            Err(_) => {}
        }
    }
}

/// Makes before it breaks: the newcomers are in before the leavers are out. Returns whether all could join.
fn step<K, E, P>(
    joined: &mut BTreeMap<K, NonZeroU16>,
    found: &BTreeMap<K, NonZeroU16>,
    endpoints: &Endpoints<E, P>,
    connect: &impl Fn(&K) -> E,
) -> bool
where
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
    joined.len() == found.len()
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::{Balance, EndpointState, policy::RoundRobin};

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

    #[tokio::test(start_paused = true)]
    async fn what_one_source_loses_another_that_has_it_too_takes() {
        let balance: Balance<u16, RoundRobin> = Balance::new(RoundRobin, [("by hand", 0)]);
        let (one, other) = (Script([vec![1, 2], vec![2]].into()), Script([vec![1]].into()));
        tokio::join!(
            follow(one, balance.endpoints(), |port| *port),
            follow(other, balance.endpoints(), |port| port + 10),
        );
        let snapshot = balance.snapshot();
        let states = ["1", "2"].map(|name| snapshot.endpoint(name).map(|endpoint| endpoint.state));
        assert_eq!(states, [Some(EndpointState::Ready); 2]);
    }
}
