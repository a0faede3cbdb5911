//! The metrics of a snapshot in Prometheus' text format, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::fmt::{self, Display, Write};

use super::{EndpointSnapshot, Snapshot};
use crate::health::EndpointState;

/// Upper bounds of the latency buckets in seconds: a prediction takes milliseconds, a dashboard wants two
/// points per power of ten.
const BOUNDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// Returns the metrics of a snapshot.
pub fn prometheus(snapshot: &Snapshot) -> String {
    let mut text = String::with_capacity(4_096);
    write(&mut text, snapshot).expect("writing to a string does not fail");
    text
}

fn write(text: &mut String, snapshot: &Snapshot) -> fmt::Result {
    totals(text, snapshot)?;
    admission(text, snapshot)?;
    endpoint_counts(text, &snapshot.endpoints)?;
    states(text, &snapshot.endpoints)?;
    latencies(text, &snapshot.endpoints)
}

fn admission(text: &mut String, snapshot: &Snapshot) -> fmt::Result {
    let Some(counts) = &snapshot.admission else { return Ok(()) };
    single(text, "in_flight", "gauge", "Requests under way.", counts.in_flight)?;
    single(text, "waiting", "gauge", "Requests that wait to be.", counts.waiting)?;
    single(text, "refused_total", "counter", "Requests refused, as too many waited.", counts.refused)?;
    single(text, "expired_total", "counter", "Requests that waited in vain.", counts.expired)
}

fn totals(text: &mut String, snapshot: &Snapshot) -> fmt::Result {
    if let Some(counts) = &snapshot.connections {
        single(text, "connections_accepted_total", "counter", "Connections accepted.", counts.accepted)?;
        single(text, "connections_handled_total", "counter", "Connections served.", counts.handled)?;
        single(text, "requests_total", "counter", "Requests received from clients.", counts.requests)?;
        head(text, "connections", "gauge", "Connections by what they are doing.")?;
        for (state, count) in
            [("reading", counts.reading), ("writing", counts.writing), ("waiting", counts.waiting)]
        {
            writeln!(text, "martello_balancer_connections{{state=\"{state}\"}} {count}")?;
        }
    }
    single(
        text,
        "panic",
        "gauge",
        "Whether no endpoint is healthy, so that all are used.",
        u8::from(snapshot.panic),
    )?;
    single(text, "no_endpoint_total", "counter", "Requests that found no endpoint.", snapshot.no_endpoint)?;
    single(
        text,
        "retries_refused_total",
        "counter",
        "Retries that the budget refused.",
        snapshot.retries_refused,
    )?;
    single(
        text,
        "log_lines_lost_total",
        "counter",
        "Lines that the access log could not take.",
        snapshot.log_lines_lost,
    )?;
    single(text, "retry_budget", "gauge", "Retries that the budget would allow now.", snapshot.retries_left)
}

fn endpoint_counts(text: &mut String, endpoints: &[EndpointSnapshot]) -> fmt::Result {
    type Value = fn(&EndpointSnapshot) -> u64;
    let metrics: [(&str, &str, &str, Value); 5] = [
        ("endpoint_requests_total", "counter", "Attempts made at an endpoint.", |it| it.requests),
        ("endpoint_failures_total", "counter", "Attempts that failed.", |it| it.failures),
        ("endpoint_retries_total", "counter", "Attempts made because another endpoint failed.", |it| {
            it.retries
        }),
        ("endpoint_ejections_total", "counter", "Times an endpoint was ejected.", |it| it.ejections),
        ("endpoint_in_flight", "gauge", "Requests at an endpoint now.", |it| u64::from(it.in_flight)),
    ];
    for (name, kind, help, value) in metrics {
        head(text, name, kind, help)?;
        for endpoint in endpoints {
            let label = Label(&endpoint.name);
            writeln!(text, "martello_balancer_{name}{{endpoint=\"{label}\"}} {}", value(endpoint))?;
        }
    }
    Ok(())
}

fn states(text: &mut String, endpoints: &[EndpointSnapshot]) -> fmt::Result {
    head(text, "endpoint_state", "gauge", "1 for the state that an endpoint is in.")?;
    for endpoint in endpoints {
        for state in EndpointState::ALL {
            let (label, is) = (Label(&endpoint.name), u8::from(endpoint.state == state));
            writeln!(
                text,
                "martello_balancer_endpoint_state{{endpoint=\"{label}\",state=\"{state}\"}} {is}"
            )?;
        }
    }
    Ok(())
}

fn latencies(text: &mut String, endpoints: &[EndpointSnapshot]) -> fmt::Result {
    let name = "endpoint_latency_seconds";
    head(text, name, "histogram", "Time to the head of an endpoint's successful answers.")?;
    for endpoint in endpoints {
        let (label, latencies) = (Label(&endpoint.name), &endpoint.latencies);
        for bound in BOUNDS {
            let count = latencies.at_most(bound);
            writeln!(text, "martello_balancer_{name}_bucket{{endpoint=\"{label}\",le=\"{bound}\"}} {count}")?;
        }
        let count = latencies.count();
        writeln!(text, "martello_balancer_{name}_bucket{{endpoint=\"{label}\",le=\"+Inf\"}} {count}")?;
        writeln!(text, "martello_balancer_{name}_sum{{endpoint=\"{label}\"}} {}", latencies.sum_seconds())?;
        writeln!(text, "martello_balancer_{name}_count{{endpoint=\"{label}\"}} {count}")?;
    }
    Ok(())
}

fn single(text: &mut String, name: &str, kind: &str, help: &str, value: impl Display) -> fmt::Result {
    head(text, name, kind, help)?;
    writeln!(text, "martello_balancer_{name} {value}")
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(text, "# HELP martello_balancer_{name} {help}\n# TYPE martello_balancer_{name} {kind}")
}

/// A label's value with backslash, quote and line feed escaped.
struct Label<'a>(&'a str);

impl Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str("\\n"),
            c => f.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use tower::{ServiceExt, service_fn};

    use super::*;
    use crate::{Balance, policy::RoundRobin};

    #[tokio::test]
    async fn every_endpoint_has_its_series() {
        let echo = service_fn(|x: u8| async move { Ok::<_, std::convert::Infallible>(x) });
        let balance = Balance::new(RoundRobin, [("a\"b", echo), ("c", echo)]);
        for _ in 0..3 {
            balance.clone().oneshot(1).await.unwrap();
        }
        let text = prometheus(&balance.snapshot());
        for line in [
            "martello_balancer_endpoint_requests_total{endpoint=\"a\\\"b\"} 2",
            "martello_balancer_endpoint_requests_total{endpoint=\"c\"} 1",
            "martello_balancer_endpoint_state{endpoint=\"c\",state=\"ready\"} 1",
            "martello_balancer_endpoint_state{endpoint=\"c\",state=\"ejected\"} 0",
            "martello_balancer_endpoint_latency_seconds_bucket{endpoint=\"c\",le=\"+Inf\"} 1",
            "martello_balancer_panic 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        let helped = text.lines().filter(|line| line.starts_with("# HELP")).count();
        assert_eq!(helped, text.lines().filter(|line| line.starts_with("# TYPE")).count());
    }
}
