//! The files that a test leaves behind.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use martello_load_test::Report;

use crate::output;

#[derive(Debug, Args)]
#[command(next_help_heading = "Files")]
pub(crate) struct FileArguments {
    /// Write Locust's CSV files under this prefix.
    #[arg(long, env = "LOCUST_CSV", value_name = "PREFIX")]
    csv: Option<PathBuf>,
    /// Write the report as JSON (schema: load-test/schema/report-1.json).
    #[arg(long, env = "MARTELLO_LOAD_JSON", value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as one HTML page: pictures over time, tables, verdict.
    #[arg(long, env = "LOCUST_HTML", value_name = "FILE")]
    html: Option<PathBuf>,
}

impl FileArguments {
    /// Prints the report, then writes every file that was asked for: one that cannot be written does not keep the others
    /// from being written.
    ///
    /// # Errors
    /// The first file that could not be written.
    pub(crate) fn deliver(&self, report: &Report) -> anyhow::Result<()> {
        let written = [self.write_csv(report), self.write_json(report), self.write_html(report)];
        output::line(&report.to_string())?;
        written.into_iter().collect()
    }

    fn write_csv(&self, report: &Report) -> anyhow::Result<()> {
        let Some(prefix) = &self.csv else { return Ok(()) };
        report.write_csv(prefix).map(drop).context("the test is over, but a file is missing")
    }

    fn write_json(&self, report: &Report) -> anyhow::Result<()> {
        let Some(file) = &self.json else { return Ok(()) };
        report.write_json(file).context("the test is over, but a file is missing")
    }

    fn write_html(&self, report: &Report) -> anyhow::Result<()> {
        let Some(file) = &self.html else { return Ok(()) };
        report.write_html(file).context("the test is over, but a file is missing")
    }
}
