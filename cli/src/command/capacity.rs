//! `martello capacity`: how many users a server holds, and what it needs for them.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use martello_load_test::capacity::{Findings, Survey};
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
    #[arg(long, env = "MARTELLO_CAPACITY_CGROUP", value_name = "FOLDER")]
    cgroup: Option<PathBuf>,
    /// The same service with so many replicas, at another address: 2=http://127.0.0.1:8002. Four or more give a law.
    #[arg(long, env = "MARTELLO_CAPACITY_REPLICAS", value_delimiter = ',', value_name = "REPLICAS=URL", value_parser = replicas)]
    replicas: Vec<(u32, String)>,
    /// Write the findings as JSON.
    #[arg(long, env = "MARTELLO_CAPACITY_JSON", value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Capacity {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let survey = match self.survey() {
            Ok(survey) => survey,
            Err(error) => return Ok(usage(error)),
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
        if let Some(file) = &self.json {
            let text = serde_json::to_string_pretty(&findings).context("the findings do not fit JSON")?;
            std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(exit_code(&findings))
    }

    fn survey(&self) -> martello_load_test::Result<Survey> {
        let plan = self.requests.plan()?.spawn_rate(self.spawn_rate);
        let plan = self.fail_if.iter().copied().fold(plan, PlanBuilder::fail_if);
        let hold = Duration::from_secs(self.hold);
        let mut survey = Survey::new(plan, self.users).step(self.step).hold(hold).repeats(self.repeats);
        if let Some(folder) = &self.cgroup {
            survey = survey.control_group(folder);
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
