//! `martello load`: put load on a server and say how it held.

mod files;
mod limits;
mod merge;
mod requests;
mod terminal;

pub(crate) use requests::RequestArguments;

use std::io::IsTerminal;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use martello_load_test::histogram_log::HistogramLog;
use martello_load_test::live::LivePage;
use martello_load_test::{
    Arrivals, Error, Goal, Plan, PlanBuilder, Progress, Report, Shape, Threshold, Verdict, parse_run_time,
};

use self::files::FileArguments;
use self::merge::Merge;
use self::terminal::View;
use crate::output;
use crate::runtime::shutdown_requested;

/// Puts load on a server: closed-loop users who wait between requests, or requests that start by the clock.
///
/// Exit code 0: held. 1: a threshold was crossed. 2: the arguments make no sense. 3: invalid, the generator could not
/// keep up, could not start or could not write its report: nothing is said about the server.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Load {
    #[command(subcommand)]
    command: Option<LoadCommand>,
    #[command(flatten)]
    requests: RequestArguments,
    /// Users at the same time, each with a connection of its own.
    #[arg(short, long, env = "LOCUST_USERS", default_value_t = martello_load_test::DEFAULT_USERS)]
    users: usize,
    /// Users started a second.
    #[arg(short = 'r', long, env = "LOCUST_SPAWN_RATE", default_value_t = martello_load_test::DEFAULT_SPAWN_RATE)]
    spawn_rate: f64,
    /// How long to run, the starting of users included: 60s, 5m, 1h30m.
    #[arg(short = 't', long, env = "LOCUST_RUN_TIME", value_parser = parse_run_time, default_value = "60s")]
    run_time: Duration,
    /// The course of the users instead of --users and --run-time, for example "staircase 500..10000 by 500 every 10s",
    /// "spike 100..2000 after 30s for 10s", "ramp 0..500 over 30s, soak 500 for 2h".
    #[arg(long, env = "MARTELLO_LOAD_SHAPE", value_name = "WORDS", conflicts_with = "rate")]
    shape: Option<Shape>,
    /// Open loop: this many requests a second by the clock, whatever the server does: "500" (Poisson) or "constant 500".
    #[arg(long, env = "MARTELLO_LOAD_RATE", value_name = "REQUESTS", value_parser = arrivals)]
    rate: Option<Arrivals>,
    /// Fail if a figure crosses a limit: "p99>250ms", "errors>0.1%". Repeatable; without any, one failed request fails.
    #[arg(long, env = "MARTELLO_LOAD_FAIL_IF", value_name = "CONDITION", value_delimiter = ';')]
    fail_if: Vec<Threshold>,
    /// Serve a live page here (a port or an address) from which the test is started, changed and stopped.
    #[arg(long, alias = "web-port", env = "LOCUST_WEB_PORT", value_name = "PORT", value_parser = web_address, conflicts_with_all = ["rate", "shape"])]
    web: Option<SocketAddr>,
    /// Accepted for Locust's sake: without --web there is no page anyway.
    #[arg(long, env = "LOCUST_HEADLESS", conflicts_with = "web")]
    headless: bool,
    /// Print the report alone, nothing while the test runs.
    #[arg(long, env = "LOCUST_ONLY_SUMMARY")]
    only_summary: bool,
    /// Write every second's histograms as an HdrHistogram log, which `martello load merge` and other tools read.
    #[arg(
        long,
        env = "MARTELLO_LOAD_HDR",
        value_name = "FILE",
        help_heading = "Files",
        conflicts_with = "web"
    )]
    hdr: Option<PathBuf>,
    #[command(flatten)]
    files: FileArguments,
}

// Each variant's help is the documentation of its arguments.
#[derive(Debug, Subcommand)]
enum LoadCommand {
    Merge(Merge),
}

impl Load {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        // Code 1 is kept for thresholds: a test that could not take place, or left no report, says nothing.
        self.execute().await.or_else(|error| {
            output::note(format!("error: {error:#}"));
            Ok(ExitCode::from(3))
        })
    }

    async fn execute(mut self) -> anyhow::Result<ExitCode> {
        if let Some(LoadCommand::Merge(merge)) = self.command.take() {
            return merge.run();
        }
        if let Some(address) = self.web {
            return self.serve_page(address).await;
        }
        let plan = match self.plan().and_then(PlanBuilder::build) {
            Ok(plan) => plan,
            Err(error) => return Ok(usage(error)),
        };
        for warning in plan.preflight()?.warnings() {
            output::note(format!("warning: {warning}"));
        }
        let (report, log) = self.measure(&plan).await?;
        let delivered = self.files.deliver(&report);
        log?;
        delivered?;
        Ok(exit_code(report.verdict()))
    }

    /// The report, and whether the histogram log could be written.
    async fn measure(&self, plan: &Plan) -> anyhow::Result<(Report, martello_load_test::Result<()>)> {
        let mut log = self.hdr.as_ref().map(|file| HistogramLog::create(file, plan)).transpose()?;
        let mut live = self.live(plan);
        let report = plan
            .run_watched(shutdown_requested()?, |progress| {
                live.show(progress);
                if let Some(log) = &mut log {
                    log.append(progress);
                }
            })
            .await;
        live.close();
        let report = report?;
        let log = log.map_or(Ok(()), |log| log.finish(&report));
        Ok((report, log))
    }

    fn live(&self, plan: &Plan) -> Live {
        if self.only_summary {
            return Live::Nothing;
        }
        if !std::io::stdout().is_terminal() {
            return Live::Lines;
        }
        let lasting = self.shape.as_ref().map_or(self.run_time, Shape::lasting);
        Live::View(Box::new(View::new(plan, Some(lasting))))
    }

    /// Ctrl-C ends the page; the last test is then reported as any other.
    async fn serve_page(&self, address: SocketAddr) -> anyhow::Result<ExitCode> {
        let goal = Goal::new(self.users, self.spawn_rate);
        let page = match self.plan().and_then(|plan| Ok((plan, goal?))) {
            Ok((plan, goal)) => LivePage::bind(plan, goal, address).await,
            Err(error) => Err(error),
        };
        let page = match page {
            Err(error) if error.is_usage() => return Ok(usage(error)),
            page => page?,
        };
        output::note(format!("live page: http://{} (Ctrl-C ends it)", page.local_addr()));
        let Some(report) = page.serve(shutdown_requested()?).await else { return Ok(ExitCode::SUCCESS) };
        self.files.deliver(&report)?;
        Ok(exit_code(report.verdict()))
    }

    fn plan(&self) -> martello_load_test::Result<PlanBuilder> {
        let mut plan =
            self.requests.plan()?.users(self.users).spawn_rate(self.spawn_rate).run_time(self.run_time);
        if let Some(shape) = &self.shape {
            plan = plan.shape(shape);
        }
        if let Some(arrivals) = self.rate {
            plan = plan.arrivals(arrivals);
        }
        Ok(self.fail_if.iter().copied().fold(plan, PlanBuilder::fail_if))
    }
}

/// What is seen of a test while it runs.
enum Live {
    Nothing,
    /// One line a second on standard error, where standard output is a file or another program.
    Lines,
    View(Box<View>),
}

impl Live {
    fn show(&mut self, progress: &Progress<'_>) {
        match self {
            Self::Nothing => {}
            Self::Lines => output::note(progress.tick()),
            Self::View(view) => view.show(progress),
        }
    }

    fn close(self) {
        if let Self::View(view) = self {
            view.close();
        }
    }
}

/// Says what the caller has to write differently.
pub(super) fn usage(error: Error) -> ExitCode {
    output::note(format!("error: {:#}", anyhow::Error::from(error)));
    ExitCode::from(2)
}

fn exit_code(verdict: Verdict) -> ExitCode {
    match verdict {
        Verdict::Pass => ExitCode::SUCCESS,
        Verdict::Fail => ExitCode::from(1),
        Verdict::Invalid => ExitCode::from(3),
    }
}

/// Reads `500` as strangers, who come at random, else the words of arrivals.
fn arrivals(text: &str) -> martello_load_test::Result<Arrivals> {
    match text.trim().parse() {
        Ok(rate) => format!("poisson {}", Arrivals::poisson(rate).per_second()).parse(),
        Err(_) => text.parse(),
    }
}

/// Reads `8089` as a port of this machine alone, or a whole address.
fn web_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse() {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    text.parse().map_err(|_| format!("{text:?} is no port and no address: write 8089 or 0.0.0.0:8089"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_random_unless_they_say_otherwise() {
        assert_eq!(arrivals("500").unwrap(), Arrivals::poisson(500.0));
        assert_eq!(arrivals("constant 500").unwrap(), Arrivals::constant(500.0));
        for text in ["", "0", "-1", "nan", "inf", "often"] {
            assert!(arrivals(text).is_err(), "{text}");
        }
    }
}
