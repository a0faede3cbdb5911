//! One report out of the logs of several generators.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use http::Method;

use crate::arrivals::Arrivals;
use crate::engine::{Holding, Ledger};
use crate::error::{Error, Result};
use crate::histogram_log::read::Log;
use crate::histogram_log::words::UsageWord;
use crate::plan::{Limits, Plan, PlanBuilder};
use crate::record::Statistics;
use crate::report::{Measured, Report};
use crate::request::RequestTemplate;
use crate::usage::ProcessUsage;
use crate::verdict::lateness_doubt;

/// Merges the logs of generators that ran the same requests at the same time into the report that one generator
/// would have written.
///
/// Counts and histograms add up exactly: percentiles are those of one recording. Seconds are laid over each other by
/// the clocks of the machines, so that those should agree to well below a second. Users add up; a second counts as
/// one with all users at work if it was one for every generator that ran then. The generator of the report is all of
/// them together. If one of them was late against its own schedule, the whole is invalid.
///
/// # Errors
/// [`ErrorKind::Io`](crate::ErrorKind::Io) for a file that cannot be read, and
/// [`ErrorKind::InvalidText`](crate::ErrorKind::InvalidText) with the line for one that is no such log, for no logs
/// at all, and for logs of different tests.
pub fn merge<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Report> {
    let logs = paths.into_iter().map(|path| Log::read(path.as_ref())).collect::<Result<Vec<_>>>()?;
    let [first, others @ ..] = &logs[..] else {
        return Err(Error::text("no histogram logs were named, so there is nothing to merge"));
    };
    others.iter().try_for_each(|other| agree(first, other))?;
    let started = logs.iter().map(|log| log.started).min().unwrap_or(SystemTime::UNIX_EPOCH);
    let plan = plan(&logs)?;
    let measured = measured(&logs, started);
    Ok(Report::merged(&plan.0, measured, warnings(&logs), doubts(&logs)))
}

fn agree(first: &Log, other: &Log) -> Result<()> {
    let (one, two) = (&first.plan, &other.plan);
    let kind = |log: &Log| log.plan.arrivals.is_some();
    let what = match () {
        () if one.requests != two.requests => "requests",
        () if one.think_time != two.think_time => "think times",
        () if kind(first) != kind(other) => "kinds of load (open and closed loop)",
        () => return Ok(()),
    };
    Err(Error::text(format!(
        "{} and {} are logs of different tests: their {what} differ",
        first.name, other.name
    )))
}

/// A plan that says of the whole what each of the plans said of its part.
fn plan(logs: &[Log]) -> Result<Plan> {
    let mut hosts: Vec<&str> = logs.iter().flat_map(|log| &log.plan.hosts).map(String::as_str).collect();
    let mut seen = std::collections::BTreeSet::new();
    hosts.retain(|host| seen.insert(*host));
    let (first_host, more) = hosts.split_first().ok_or_else(|| Error::text("the logs name no host"))?;
    let first = &logs[0].plan;
    let mut plan = Plan::builder(*first_host).until_stopped();
    plan = more.iter().fold(plan, |plan, host| plan.and_target(*host));
    for [method, name] in &first.requests {
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|error| Error::text(format!("{method:?} is no method")).caused_by(error))?;
        plan = plan.request(RequestTemplate::new(method, "/").named(name));
    }
    if let Some(think_time) = &first.think_time {
        plan = plan.think_time(think_time.parse()?);
    }
    plan = load(plan, logs)?;
    let mut thresholds: Vec<&String> = logs.iter().flat_map(|log| &log.plan.thresholds).collect();
    thresholds.sort_unstable();
    thresholds.dedup();
    for threshold in thresholds {
        plan = plan.fail_if(threshold.parse()?);
    }
    let lateness = logs.iter().map(|log| log.plan.max_lateness_seconds).fold(f64::INFINITY, f64::min);
    let max_lateness = Duration::try_from_secs_f64(lateness).unwrap_or(Limits::default().max_lateness);
    plan.limits(Limits { max_lateness, ..Limits::default() }).build()
}

fn load(plan: PlanBuilder, logs: &[Log]) -> Result<PlanBuilder> {
    let arrivals = logs.iter().filter_map(|log| log.plan.arrivals.as_deref()).map(str::parse);
    let arrivals = arrivals.collect::<Result<Vec<Arrivals>>>()?;
    if arrivals.is_empty() {
        let most = |log: &Log| log.seconds.iter().map(|second| second.users).max().unwrap_or(0);
        return Ok(plan.users(logs.iter().map(most).sum::<usize>().max(1)));
    }
    let rate = arrivals.iter().map(Arrivals::per_second).sum();
    let is_constant = arrivals.iter().all(|one| *one == Arrivals::constant(one.per_second()));
    // Several even streams are not one: only a single log keeps that word.
    let even = is_constant && arrivals.len() == 1;
    Ok(plan.arrivals(if even { Arrivals::constant(rate) } else { Arrivals::poisson(rate) }))
}

/// One second of all generators together.
struct Together {
    statistics: Statistics,
    lasted: Duration,
    users: usize,
    /// `None` as soon as one of them does not have all its users.
    held_users: Option<usize>,
}

fn measured(logs: &[Log], started: SystemTime) -> Measured {
    let requests = logs.first().map_or(0, |log| log.plan.requests.len());
    let mut seconds: BTreeMap<u64, Together> = BTreeMap::new();
    for log in logs {
        let behind = log.started.duration_since(started).unwrap_or_default();
        for second in &log.seconds {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "times are not negative"
            )]
            let place = (behind + second.elapsed).as_secs_f64().round() as u64;
            let empty = || Together {
                statistics: Statistics::new(requests),
                lasted: Duration::ZERO,
                users: 0,
                held_users: Some(0),
            };
            let together = seconds.entry(place).or_insert_with(empty);
            together.statistics.merge(&second.statistics);
            together.lasted = together.lasted.max(second.lasted);
            together.users += second.users;
            together.held_users = together.held_users.zip(second.held_users).map(|(sum, users)| sum + users);
        }
    }
    let mut ledger = Ledger::new(requests);
    let mut elapsed = Duration::ZERO;
    let (mut steps, mut before) = (0, None);
    for (place, together) in &seconds {
        elapsed = Duration::from_secs(*place).max(elapsed);
        let holding = together.held_users.map(|users| {
            // Other users are another step.
            steps += usize::from(before.is_some_and(|before| before != users));
            before = Some(users);
            Holding { place: steps, users }
        });
        ledger.take_over(&together.statistics, holding, elapsed, together.lasted);
        ledger.tick(elapsed, together.lasted, together.users);
        ledger.begin_second();
    }
    let (total, steps, history, failure_spans) = ledger.close();
    Measured {
        wall_clock: started,
        lasted: lasted(logs, started),
        stopped_early: logs.iter().any(|log| log.end.as_ref().is_none_or(|end| end.stopped_early)),
        total,
        steps,
        history,
        failure_spans,
        processes: processes(logs),
    }
}

/// From the first start to the last end.
fn lasted(logs: &[Log], started: SystemTime) -> Duration {
    let one = |log: &Log| {
        let behind = log.started.duration_since(started).unwrap_or_default();
        let known = log.end.as_ref().and_then(|end| Duration::try_from_secs_f64(end.lasted_seconds).ok());
        let seen = log.seconds.last().map_or(Duration::ZERO, |second| second.elapsed);
        behind + known.unwrap_or(seen)
    };
    logs.iter().map(one).max().unwrap_or_default()
}

/// All generators as one, then what each of them watched.
fn processes(logs: &[Log]) -> Vec<ProcessUsage> {
    let ends = || logs.iter().filter_map(|log| log.end.as_ref());
    let generators = ends().map(|end| &end.generator);
    let together = generators.fold(ProcessUsage::none(), |sum, one| {
        let one = usage(one);
        let pid = if sum.pid == 0 { one.pid } else { sum.pid };
        ProcessUsage { pid, cpu: sum.cpu + one.cpu, peak_memory: sum.peak_memory + one.peak_memory }
    });
    let watched = ends().flat_map(|end| &end.watched).map(usage);
    std::iter::once(together).chain(watched).collect()
}

fn usage(word: &UsageWord) -> ProcessUsage {
    let cpu = Duration::try_from_secs_f64(word.cpu_seconds).unwrap_or_default();
    ProcessUsage { pid: word.pid, cpu, peak_memory: word.peak_memory_bytes }
}

fn warnings(logs: &[Log]) -> Vec<String> {
    let names: Vec<&str> = logs.iter().map(|log| log.name.as_str()).collect();
    let mut warnings = vec![format!("merged from {} generators: {}", logs.len(), names.join(", "))];
    for log in logs {
        match &log.end {
            Some(end) => {
                warnings.extend(end.warnings.iter().map(|warning| format!("{}: {warning}", log.name)));
            }
            None => warnings.push(format!("{} ends in the middle of its test", log.name)),
        }
    }
    warnings
}

/// Many punctual generators must not hide one that was late.
fn doubts(logs: &[Log]) -> Vec<String> {
    let doubt = |log: &Log| {
        let mut total = Statistics::new(log.plan.requests.len());
        log.seconds.iter().for_each(|second| total.merge(&second.statistics));
        let max_lateness = Duration::try_from_secs_f64(log.plan.max_lateness_seconds).unwrap_or_default();
        let doubt = lateness_doubt(&Limits { max_lateness, ..Limits::default() }, &total)?;
        Some(format!("{}: {doubt}", log.name))
    };
    logs.iter().filter_map(doubt).collect()
}
