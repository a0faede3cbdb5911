//! `martello train`: fit, log, register, promote.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use martello_trainer::{CsvOptions, ErrorKind, TrainingJob, WhenPresent};

use crate::connection::RegistryArgs;
use crate::output;
use crate::runtime::shutdown_requested;

/// Fits a model, logs the run, registers a version and moves it to Production.
///
/// If Production has a version already, nothing is trained and the exit code is 0. A signal (Ctrl-C, SIGTERM) ends the run as KILLED,
/// and nothing is registered; a second one ends the process at once.
#[derive(Debug, Args)]
pub(crate) struct Train {
    /// What to train, unless --data names a file.
    #[arg(long, env = "MARTELLO_JOB", value_enum, default_value_t = Job::LinearRegression)]
    job: Job,
    /// A CSV file with a header row to train on instead; needs --target.
    #[arg(long, env = "MARTELLO_TRAIN_DATA", value_name = "FILE", requires = "target")]
    data: Option<PathBuf>,
    /// The column to predict: numbers make it a regression, texts a classification.
    #[arg(long, env = "MARTELLO_TRAIN_TARGET", value_name = "COLUMN", requires = "data")]
    target: Option<String>,
    /// A column to leave out. Repeatable.
    #[arg(
        long,
        env = "MARTELLO_TRAIN_IGNORE",
        value_name = "COLUMN",
        value_delimiter = ',',
        requires = "data"
    )]
    ignore: Vec<String>,
    /// Name to register under, if not the job's own.
    #[arg(long, env = "REGISTERED_MODEL_NAME", value_name = "NAME")]
    model_name: Option<String>,
    /// Train even if Production has a version already.
    #[arg(long, env = "MARTELLO_RETRAIN")]
    retrain: bool,
    #[command(flatten)]
    registry: RegistryArgs,
}

/// The jobs that need no data from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Job {
    /// linear_regression_model: least squares on 100 synthetic rows.
    LinearRegression,
    /// penguin_species: which of three species a penguin is, from the 344 Palmer penguins.
    PenguinSpecies,
}

impl Train {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let job = self.job()?;
        let registry = self.registry.open().await?;
        let mut shutdown = shutdown_requested()?;
        match job.run_until(&registry, &mut shutdown).await {
            Ok(outcome) => {
                output::line(&outcome.to_string())?;
                Ok(ExitCode::SUCCESS)
            }
            Err(error) if error.kind() == ErrorKind::Stopped => {
                output::note(error);
                Ok(shutdown.exit_code())
            }
            Err(error) => Err(error).context("training failed"),
        }
    }

    fn job(&self) -> anyhow::Result<TrainingJob> {
        let job = match (&self.data, &self.target) {
            (Some(file), target) => {
                let target = target.as_deref().context("--data needs --target, the column to predict")?;
                let options = self.ignore.iter().fold(CsvOptions::new(target), CsvOptions::ignore);
                TrainingJob::from_csv_with(file, options)
            }
            (None, _) => match self.job {
                Job::LinearRegression => TrainingJob::linear_regression(),
                Job::PenguinSpecies => TrainingJob::penguin_species(),
            },
        };
        let job = match &self.model_name {
            Some(name) => job.model(name),
            None => job,
        };
        Ok(if self.retrain { job.when_present(WhenPresent::Retrain) } else { job })
    }
}
