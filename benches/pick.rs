//! What does a pick cost, by policy and number of endpoints?
//!
//! `cargo bench --bench pick`. The goal is at most 50 ns at 16 endpoints.

use std::{hint::black_box, num::NonZeroU16, sync::Arc};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use martello::balancer::{
    InFlight, Load, Tried,
    policy::{Candidates, Policy, PolicyKind},
};
use tokio::time::Instant;

/// Endpoints with 0 to 6 requests in flight each, unevenly.
fn endpoints(count: u64) -> (Vec<Arc<Load>>, Vec<InFlight>) {
    let loads: Vec<_> = (1..=count).map(|id| Arc::new(Load::new(id, NonZeroU16::MIN))).collect();
    let busy = loads.iter().zip((0..7).cycle().step_by(3));
    let in_flight = busy.flat_map(|(load, requests)| (0..requests).map(|_| InFlight::begin(load))).collect();
    (loads, in_flight)
}

fn pick(c: &mut Criterion) {
    let mut group = c.benchmark_group("balancer/pick");
    group.throughput(Throughput::Elements(1));
    for policy in PolicyKind::ALL {
        for count in [3, 16, 256] {
            let (ready, _in_flight) = endpoints(count);
            let (round, tried, now) = (policy.begin(&ready), Tried::default(), Instant::now());
            group.bench_function(BenchmarkId::new(policy.name(), count), |bencher| {
                let candidates = Candidates { ready: &ready, tried: &tried, most_failures: u32::MAX, now };
                bencher.iter(|| policy.pick(&round, black_box(&candidates)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, pick);
criterion_main!(benches);
