//! `martello capacity`: how many users a server holds, and what it needs for them.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use martello_load_test::capacity::{Baseline, Findings, Hook, Place, Scale, Survey};
use martello_load_test::{PlanBuilder, Threshold};

use super::load::{RequestArguments, usage};
use crate::output;
use crate::runtime::shutdown_requested;

/// Finds out how many users a server holds, and what it needs for them.
///
/// Measures the processor time of a request at low load, predicts, adds users until it breaks, and trusts what held
/// several times. Works against any HTTP server. Exit code 0: the target holds. 1: it does not. 2: the arguments make no
/// sense. 3: the probes could not tell.
#[derive(Debug, Args)]
pub(crate) struct Capacity {
    #[command(flatten)]
    requests: RequestArguments,
    /// Users that it should hold.
    #[arg(short, long, env = "LOCUST_USERS", default_value_t = martello_load_test::DEFAULT_USERS)]
    users: usize,
    /// Users that each step adds.
    #[arg(long, env = "MARTELLO_CAPACITY_STEP", default_value_t = 500)]
    step: usize,
    /// Users started a second.
    #[arg(short = 'r', long, env = "LOCUST_SPAWN_RATE", default_value_t = 1000.0)]
    spawn_rate: f64,
    /// Seconds that all users of a step are at work.
    #[arg(long, env = "MARTELLO_CAPACITY_HOLD", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    hold: u64,
    /// How often a step has to hold before it is believed.
    #[arg(long, env = "MARTELLO_CAPACITY_REPEATS", default_value = "3")]
    repeats: NonZeroUsize,
    /// What breaking means: "p99>100ms", "errors>0". Repeatable; without any, both of these.
    #[arg(long, env = "MARTELLO_LOAD_FAIL_IF", value_name = "CONDITION", value_delimiter = ';', default_values = ["p99>100ms", "errors>0"])]
    fail_if: Vec<Threshold>,
    /// Folder of the control group in which the server runs: searches the least processor limit by setting it.
    #[arg(
        long,
        env = "MARTELLO_CAPACITY_CGROUP",
        value_name = "FOLDER",
        help_heading = "Limits of the server"
    )]
    cgroup: Option<PathBuf>,
    /// Folder of the control group for memory (version 2: the same one): searches the least memory limit.
    #[arg(
        long,
        env = "MARTELLO_CAPACITY_MEMORY_CGROUP",
        value_name = "FOLDER",
        requires = "restart",
        help_heading = "Limits of the server"
    )]
    memory_cgroup: Option<PathBuf>,
    /// Command of the shell that starts the server anew in that group; called before each probe of memory.
    #[arg(
        long,
        env = "MARTELLO_CAPACITY_RESTART",
        value_name = "COMMAND",
        help_heading = "Limits of the server"
    )]
    restart: Option<String>,
    /// Docker container that serves, instead: its processor and memory limits are searched by `docker update`.
    #[arg(long, env = "MARTELLO_CAPACITY_CONTAINER", value_name = "NAME", conflicts_with_all = ["cgroup", "memory_cgroup", "restart"], help_heading = "Limits of the server")]
    container: Option<String>,
    /// The same service with so many replicas, at another address: 2=http://127.0.0.1:8002. Four or more give a law.
    #[arg(long, env = "MARTELLO_CAPACITY_REPLICAS", value_delimiter = ',', value_name = "REPLICAS=URL", value_parser = replicas, help_heading = "Replicas")]
    replicas: Vec<(u32, String)>,
    /// Command of the shell that brings the service to MARTELLO_REPLICAS replicas of MARTELLO_CPUS cores each.
    #[arg(long, env = "MARTELLO_CAPACITY_SCALE", value_name = "COMMAND", help_heading = "Replicas")]
    scale: Option<String>,
    /// Numbers of replicas that --scale is called for, twice: sharing --scale-cores, and with a part of them each.
    #[arg(
        long,
        env = "MARTELLO_CAPACITY_SCALE_REPLICAS",
        value_name = "NUMBERS",
        value_delimiter = ',',
        default_value = "1,2,3,4",
        help_heading = "Replicas"
    )]
    scale_replicas: Vec<u32>,
    /// Cores that all replicas together get.
    #[arg(
        long,
        env = "MARTELLO_CAPACITY_SCALE_CORES",
        value_name = "CORES",
        default_value_t = 1.0,
        help_heading = "Replicas"
    )]
    scale_cores: f64,
    /// Write the findings as JSON.
    #[arg(long, env = "MARTELLO_CAPACITY_JSON", value_name = "FILE", help_heading = "Files")]
    json: Option<PathBuf>,
    /// Write the findings as one HTML page: sentences, pictures, every probe.
    #[arg(long, env = "MARTELLO_CAPACITY_HTML", value_name = "FILE", help_heading = "Files")]
    html: Option<PathBuf>,
    /// Say what has changed since these findings (--json of an earlier run).
    #[arg(long, env = "MARTELLO_CAPACITY_BASELINE", value_name = "FILE", help_heading = "Files")]
    baseline: Option<PathBuf>,
}

impl Capacity {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let baseline = self.baseline.as_ref().map(Baseline::read).transpose();
        let (survey, baseline) = match self.survey().and_then(|survey| Ok((survey, baseline?))) {
            Err(error) if error.is_usage() => return Ok(usage(error)),
            both => both?,
        };
        let findings = tokio::select! {
            findings = survey.run(|level| output::note(level)) => findings,
            () = shutdown_requested()? => anyhow::bail!("stopped before anything was found out"),
        };
        let findings = match findings {
            Err(error) if error.is_usage() => return Ok(usage(error)),
            findings => findings?,
        };
        output::line(&findings.to_string())?;
        if let Some(baseline) = baseline {
            output::line("\nSince the baseline:")?;
            findings.changes_since(&baseline).iter().try_for_each(|change| output::line(change))?;
        }
        if let Some(file) = &self.json {
            findings.write_json(file)?;
        }
        if let Some(file) = &self.html {
            findings.write_html(file)?;
        }
        Ok(exit_code(&findings))
    }

    fn survey(&self) -> martello_load_test::Result<Survey> {
        let plan = self.requests.plan()?.spawn_rate(self.spawn_rate);
        let plan = self.fail_if.iter().copied().fold(plan, PlanBuilder::fail_if);
        let hold = Duration::from_secs(self.hold);
        let mut survey = Survey::new(plan, self.users).step(self.step).hold(hold).repeats(self.repeats);
        survey = survey.place(Place {
            cpu_group: self.cgroup.clone(),
            memory_group: self.memory_cgroup.clone(),
            restart: self.restart.as_deref().map(Hook::shell),
            container: self.container.clone(),
        });
        if let Some(command) = &self.scale {
            let scale = Scale::new(Hook::shell(command), &self.scale_replicas[..], self.scale_cores)?;
            survey = survey.scale(scale);
        }
        Ok(self.replicas.iter().fold(survey, |survey, (count, url)| survey.replicas(*count, url)))
    }
}

fn exit_code(findings: &Findings) -> ExitCode {
    match findings.held_users {
        Some(users) if users >= findings.target_users => ExitCode::SUCCESS,
        _ if findings.cut_short => ExitCode::from(3),
        _ => ExitCode::from(1),
    }
}

/// Reads `2=http://127.0.0.1:8002`.
fn replicas(text: &str) -> Result<(u32, String), String> {
    let mistake =
        || format!("{text:?} is not a number of replicas and their address, as 2=http://127.0.0.1:8002");
    let (count, url) = text.split_once('=').ok_or_else(mistake)?;
    Ok((count.parse().map_err(|_| mistake())?, url.to_owned()))
}
