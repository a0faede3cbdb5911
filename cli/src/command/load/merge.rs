//! `martello load merge`: one report out of the histogram logs of several generators.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use martello_load_test::histogram_log;

use super::files::FileArguments;
use super::{exit_code, usage};

/// Merges the histogram logs (--hdr) of several generators into one report, as one generator would have written it.
///
/// Exit codes as of `martello load`.
#[derive(Debug, Args)]
pub(crate) struct Merge {
    /// The logs, written by `martello load --hdr FILE` at the same time.
    #[arg(required = true, value_name = "LOG")]
    logs: Vec<PathBuf>,
    #[command(flatten)]
    files: FileArguments,
}

impl Merge {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let report = match histogram_log::merge(&self.logs) {
            Err(error) if error.is_usage() => return Ok(usage(error)),
            report => report?,
        };
        self.files.deliver(&report)?;
        Ok(exit_code(report.verdict()))
    }
}
