//! The report as a person reads it.

use std::fmt::{self, Display, Formatter};

use crate::figures::{Count, Megabytes, Rate, Time};
use crate::record::Latencies;
use crate::report::Report;
use crate::usage::ProcessUsage;
use crate::verdict::Verdict;

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.write_requests(f)?;
        self.write_latency(f)?;
        self.write_at_work(f)?;
        self.write_templates(f)?;
        self.write_endpoints(f)?;
        self.write_failures(f)?;
        self.write_processes(f)?;
        self.write_steps(f)?;
        for warning in &self.warnings {
            line(f, "note", warning)?;
        }
        write!(f, "{:<14}{}", "verdict", self.sentence())
    }
}

fn line(f: &mut Formatter<'_>, label: &str, text: impl Display) -> fmt::Result {
    writeln!(f, "{label:<14}{text}")
}

impl Report {
    fn write_requests(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (requests, failures) = (Count(self.requests()), Count(self.failures()));
        let share = self.statistics().failed_share() * 100.0;
        let early = if self.stopped_early() { ", stopped early" } else { "" };
        let lasted = self.lasted().as_secs_f64();
        line(
            f,
            "requests",
            format_args!("{requests} in {lasted:.1} s{early}, {failures} failed ({share:.2} %)"),
        )?;
        let statistics = self.statistics();
        let (opened, again) = (Count(statistics.connections()), Count(statistics.reconnects()));
        let rate = Rate(self.requests_per_second());
        line(f, "throughput", format_args!("{rate} requests/s over {opened} connections ({again} reopened)"))
    }

    fn write_latency(&self, f: &mut Formatter<'_>) -> fmt::Result {
        line(f, "latency", Percentiles(&self.latency()))?;
        let successes = self.statistics().latency_of_successes();
        if self.failures() > 0 && successes.count() > 0 {
            line(f, "  successes", Percentiles(&successes))?;
        }
        if self.is_open_loop() {
            line(f, "", "measured from the intended start of each request")?;
        }
        Ok(())
    }

    /// One line a template where there are several.
    fn write_templates(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let requests = self.plan.requests();
        if requests.len() == 1 {
            return Ok(());
        }
        for (prepared, counts) in requests.iter().zip(self.statistics().by_request()) {
            let (sent, failed) = (Count(counts.requests()), Count(counts.failures()));
            let (method, name, latency) = (prepared.method(), &prepared.name, counts.latency());
            line(
                f,
                "",
                format_args!("{method} {name}: {sent} requests, {failed} failed, {}", Percentiles(&latency)),
            )?;
        }
        Ok(())
    }

    fn write_endpoints(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(spread) = self.spread() else { return Ok(()) };
        let width = spread.endpoints().iter().map(|one| one.name.chars().count()).max().unwrap_or(0);
        for (place, one) in spread.endpoints().iter().enumerate() {
            let label = if place == 0 { "replicas" } else { "" };
            let (name, requests, share) = (&one.name, Count(one.requests), one.share * 100.0);
            let failed =
                if one.failures > 0 { format!("   {} failed", Count(one.failures)) } else { String::new() };
            line(f, label, format_args!("{name:<width$} {requests:>10} requests {share:>6.2} %{failed}"))?;
        }
        Ok(())
    }

    fn write_failures(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (place, (kind, count)) in self.statistics().failures_by_kind().iter().enumerate() {
            let label = if place == 0 { "failures" } else { "" };
            line(f, label, format_args!("{:>10}  {kind}", Count(*count)))?;
        }
        Ok(())
    }

    fn write_processes(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let lateness = Time(self.statistics().lateness().percentile(99.0));
        let own = Usage(self.generator(), self.lasted().as_secs_f64());
        line(f, "this process", format_args!("{own}, p99 {lateness} behind its schedule"))?;
        for watched in self.watched_processes() {
            let usage = Usage(watched, self.lasted().as_secs_f64());
            line(f, "process", format_args!("{}: {usage}", watched.pid))?;
        }
        Ok(())
    }

    /// What was seen while all users were at work, as the laws of closed loops need it; several steps have a table.
    fn write_at_work(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let [step] = &self.steps[..] else { return Ok(()) };
        if self.is_open_loop() {
            return Ok(());
        }
        let (users, rate) = (Count(step.users() as u64), Rate(step.requests_per_second()));
        let (held, law) = (step.held().as_secs_f64(), Rate(step.users_by_littles_law()));
        let p99 = Time(step.statistics().latency().percentile(99.0));
        line(
            f,
            "at work",
            format_args!(
                "{users} users for {held:.1} s: {rate} requests/s, p99 {p99}; by Little's law {law} users"
            ),
        )
    }

    /// One line a step where there are several.
    fn write_steps(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (place, step) in self.steps.iter().enumerate().filter(|_| self.steps.len() > 1) {
            let label = if place == 0 { "steps" } else { "" };
            let (users, rate) = (Count(step.users() as u64), Rate(step.requests_per_second()));
            let failures = Count(step.statistics().failures());
            let p99 = Time(step.statistics().latency().percentile(99.0));
            let doubt = step.doubt().map(|doubt| format!("   invalid: {doubt}")).unwrap_or_default();
            line(
                f,
                label,
                format_args!(
                    "{users:>7} users {rate:>8} requests/s {failures:>7} failed   p99 {p99:>8}{doubt}"
                ),
            )?;
        }
        Ok(())
    }

    /// What the verdict is and why, as one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let reasons = self.reasons.join("; ");
        match self.verdict {
            Verdict::Fail => format!("fail: {reasons}"),
            Verdict::Invalid => format!("invalid, says nothing about the server: {reasons}"),
            Verdict::Pass => {
                let thresholds: Vec<String> = self.plan.thresholds.iter().map(ToString::to_string).collect();
                let none = if self.failures() == 0 { "no request failed" } else { "within the thresholds" };
                let spread = self.spread().map(|spread| format!("; {spread}")).unwrap_or_default();
                format!("pass: {none} (would fail on {}){spread}", thresholds.join(", "))
            }
        }
    }
}

struct Percentiles<'a>(&'a Latencies);

impl Display for Percentiles<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let at = |percent| Time(self.0.percentile(percent));
        write!(f, "p50 {}   p95 {}   p99 {}   max {}", at(50.0), at(95.0), at(99.0), Time(self.0.max()))
    }
}

/// What a process used over so many seconds.
struct Usage<'a>(&'a ProcessUsage, f64);

impl Display for Usage<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let cpu = self.0.cpu.as_secs_f64();
        let cores = cpu / self.1.max(f64::MIN_POSITIVE);
        write!(f, "{cpu:.2} CPU seconds ({cores:.2} cores), peak memory {}", Megabytes(self.0.peak_memory))
    }
}
