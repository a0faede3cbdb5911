//! `martello load`: put load on a server and say how it held.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use martello_load_test::live::LivePage;
use martello_load_test::{
    Arrivals, Goal, Plan, PlanBuilder, Report, RequestTemplate, Scenario, ThinkTime, Threshold, Verdict,
};

use crate::output;
use crate::runtime::shutdown_requested;

/// The body that the users of the replaced system post.
pub(super) const DEFAULT_BODY: &str = r#"{"feature1":5.3,"feature2":2.1,"feature3":0.8}"#;

/// Puts load on a server: closed-loop users who wait between requests, or requests that start by the clock.
///
/// Exit code 0: held. 1: a threshold was crossed. 2: the arguments make no sense. 3: invalid, the generator could not
/// keep up and the figures say nothing about the server.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// Address of the server under test.
    #[arg(long, env = "LOCUST_HOST", value_name = "URL", default_value = "http://127.0.0.1:8000")]
    host: String,
    /// Users at the same time, each with a connection of its own.
    #[arg(short, long, env = "LOCUST_USERS", default_value_t = martello_load_test::DEFAULT_USERS)]
    users: usize,
    /// Users started a second.
    #[arg(short = 'r', long, env = "LOCUST_SPAWN_RATE", default_value_t = martello_load_test::DEFAULT_SPAWN_RATE)]
    spawn_rate: f64,
    /// How long to run, the starting of users included: 60s, 5m, 1h30m.
    #[arg(short = 't', long, env = "LOCUST_RUN_TIME", value_parser = run_time, default_value = "60s")]
    run_time: Duration,
    /// Shortest and longest wait of a user between an answer and the next request, in seconds.
    #[arg(long, env = "MARTELLO_LOAD_WAIT", value_name = "MIN,MAX", value_parser = wait, default_value = "1,2.5")]
    wait: ThinkTime,
    /// Open loop: this many requests a second by the clock (Poisson), whatever the server does; users are not used.
    #[arg(long, env = "MARTELLO_LOAD_RATE", value_name = "REQUESTS")]
    rate: Option<f64>,
    /// Path that is asked for.
    #[arg(long, env = "MARTELLO_LOAD_PATH", default_value = "/predict")]
    path: String,
    /// JSON that is posted; an empty text makes it a GET.
    #[arg(long, env = "MARTELLO_LOAD_BODY", default_value = DEFAULT_BODY)]
    body: String,
    /// Read the requests from this JSON file instead: weights, headers, random bodies, checks.
    #[arg(long, env = "MARTELLO_LOAD_SCENARIO", value_name = "FILE", conflicts_with_all = ["path", "body"])]
    scenario: Option<PathBuf>,
    /// Fail if a figure crosses a limit: "p99>250ms", "errors>0.1%". Repeatable; without any, one failed request fails.
    #[arg(long, env = "MARTELLO_LOAD_FAIL_IF", value_name = "CONDITION", value_delimiter = ';')]
    fail_if: Vec<Threshold>,
    /// Also measure CPU and memory of this process (the server's). Repeatable.
    #[arg(long, env = "MARTELLO_LOAD_WATCH", value_name = "PID", value_delimiter = ',')]
    watch: Vec<u32>,
    /// Write Locust's CSV files under this prefix.
    #[arg(long, env = "LOCUST_CSV", value_name = "PREFIX")]
    csv: Option<PathBuf>,
    /// Write the report as JSON.
    #[arg(long, env = "MARTELLO_LOAD_JSON", value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as one HTML page: pictures over time, tables, verdict.
    #[arg(long, env = "LOCUST_HTML", value_name = "FILE")]
    html: Option<PathBuf>,
    /// Serve a live page here (a port or an address) from which the test is started, changed and stopped.
    #[arg(long, env = "LOCUST_WEB_PORT", value_name = "PORT", value_parser = web_address, conflicts_with = "rate")]
    web: Option<SocketAddr>,
    /// Seed of every random choice.
    #[arg(long, env = "MARTELLO_LOAD_SEED", default_value_t = 42)]
    seed: u64,
}

impl Load {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        if let Some(address) = self.web {
            return self.serve_page(address).await;
        }
        let plan = match self.plan().and_then(PlanBuilder::build) {
            Ok(plan) => plan,
            Err(error) => {
                output::note(format!("error: {error}"));
                return Ok(ExitCode::from(2));
            }
        };
        for warning in plan.preflight()?.warnings() {
            output::note(format!("warning: {warning}"));
        }
        let report = plan.run_until(shutdown_requested()?, |tick| output::note(tick)).await?;
        say(&report)?;
        self.write(&report)?;
        Ok(exit_code(report.verdict()))
    }

    /// Ctrl-C ends the page; the last test is then reported as any other.
    async fn serve_page(&self, address: SocketAddr) -> anyhow::Result<ExitCode> {
        let goal = Goal::new(self.users, self.spawn_rate);
        let page = match self.plan().and_then(|plan| Ok((plan, goal?))) {
            Ok((plan, goal)) => LivePage::bind(plan, goal, address).await,
            Err(error) => Err(error),
        };
        let page = match page {
            Err(error) if error.is_usage() => {
                output::note(format!("error: {error}"));
                return Ok(ExitCode::from(2));
            }
            page => page?,
        };
        output::note(format!("live page: http://{} (Ctrl-C ends it)", page.local_addr()));
        let Some(report) = page.serve(shutdown_requested()?).await else { return Ok(ExitCode::SUCCESS) };
        say(&report)?;
        self.write(&report)?;
        Ok(exit_code(report.verdict()))
    }

    fn plan(&self) -> martello_load_test::Result<PlanBuilder> {
        let mut plan = Plan::builder(&self.host)
            .users(self.users)
            .spawn_rate(self.spawn_rate)
            .run_time(self.run_time)
            .think_time(self.wait)
            .seed(self.seed);
        plan = match &self.scenario {
            Some(file) => plan.scenario(Scenario::read(file)?),
            None => plan.request(request(&self.path, &self.body)),
        };
        if let Some(rate) = self.rate {
            plan = plan.arrivals(Arrivals::poisson(rate));
        }
        let plan = self.fail_if.iter().cloned().fold(plan, PlanBuilder::fail_if);
        Ok(self.watch.iter().copied().fold(plan, PlanBuilder::watch_process))
    }

    fn write(&self, report: &Report) -> anyhow::Result<()> {
        if let Some(prefix) = &self.csv {
            report
                .write_csv(prefix)
                .with_context(|| format!("cannot write the CSV files {}_*", prefix.display()))?;
        }
        if let Some(file) = &self.json {
            let text = serde_json::to_string_pretty(report).context("the report does not fit JSON")?;
            std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
        }
        if let Some(file) = &self.html {
            report.write_html(file).with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(())
    }
}

/// A POST of `body` as JSON, or a GET where there is none.
pub(super) fn request(path: &str, body: &str) -> RequestTemplate {
    match body {
        "" => RequestTemplate::get(path),
        body => RequestTemplate::post(path).json(body),
    }
}

/// Standard output gets the report and nothing else.
fn say(report: &Report) -> anyhow::Result<()> {
    use std::io::Write;
    writeln!(std::io::stdout().lock(), "{report}").context("cannot write the report")
}

fn exit_code(verdict: Verdict) -> ExitCode {
    match verdict {
        Verdict::Pass => ExitCode::SUCCESS,
        Verdict::Fail => ExitCode::from(1),
        Verdict::Invalid => ExitCode::from(3),
    }
}

/// Reads `60s`, `5m`, `1h30m` or plain seconds, as Locust does.
fn run_time(text: &str) -> Result<Duration, String> {
    let mistake = || format!("{text:?} is no time: write 60s, 5m or 1h30m");
    if let Ok(seconds) = text.parse::<u32>() {
        return Ok(Duration::from_secs(seconds.into()));
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(mistake)?;
        let (number, unit) = rest.split_at(digits);
        let number: u32 = number.parse().map_err(|_| mistake())?;
        let seconds = match unit.chars().next() {
            Some('h') => 3600,
            Some('m') => 60,
            Some('s') => 1,
            _ => return Err(mistake()),
        };
        total += Duration::from_secs(u64::from(number) * seconds);
        rest = &unit[1..];
    }
    if total.is_zero() { Err(mistake()) } else { Ok(total) }
}

/// Reads `8089` as a port of this machine alone, or a whole address.
fn web_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse() {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    text.parse().map_err(|_| format!("{text:?} is no port and no address: write 8089 or 0.0.0.0:8089"))
}

/// Reads `1,2.5` as a uniform wait, `2` as a constant one.
pub(super) fn wait(text: &str) -> Result<ThinkTime, String> {
    let seconds = |part: &str| {
        part.trim().parse::<f64>().map_err(|_| format!("{part:?} is no number of seconds: write 1,2.5 or 2"))
    };
    match text.split_once(',') {
        Some((least, most)) => Ok(ThinkTime::uniform(seconds(least)?, seconds(most)?)),
        None => Ok(ThinkTime::constant(seconds(text)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::run_time;
    use std::time::Duration;

    #[test]
    fn run_times_are_read_as_locust_reads_them() {
        let cases = [("60s", Some(60)), ("5m", Some(300)), ("1h30m", Some(5400)), ("90", Some(90))];
        let mistakes = [
            ("", None),
            ("s", None),
            ("5x", None),
            ("-1s", None),
            ("1.5h", None),
            ("0s", None),
            ("5é", None),
        ];
        for (text, seconds) in cases.into_iter().chain(mistakes) {
            assert_eq!(run_time(text).ok(), seconds.map(Duration::from_secs), "{text:?}");
        }
    }
}
