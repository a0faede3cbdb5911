//! The command `martello`: argument in, library call, exit code out.

mod command;
mod connection;
mod environment;
mod output;
mod runtime;
mod telemetry;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::command::{balance, capacity, healthcheck, load, registry, serve, train, up};
use crate::runtime::Threads;
use crate::telemetry::TelemetryArgs;

/// Train a model, register it, serve it from replicas, balance over them, and load-test until you know how many you
/// need.
///
/// Start with `martello up`: it does all of it in one process, with nothing else installed.
#[derive(Debug, Parser)]
#[command(name = "martello", version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    telemetry: TelemetryArgs,
    #[command(subcommand)]
    command: Command,
}

// Each variant's help is the documentation of its arguments.
#[derive(Debug, Subcommand)]
enum Command {
    Train(train::Train),
    Serve(serve::Serve),
    Balance(Box<balance::Balance>),
    Load(load::Load),
    Capacity(capacity::Capacity),
    Up(up::Up),
    Registry(registry::RegistryCommand),
    Healthcheck(healthcheck::Healthcheck),
}

impl Command {
    fn threads(&self) -> Threads {
        match self {
            // Its connections have threads of their own.
            Self::Balance(_) => Threads::One,
            _ => Threads::Processors,
        }
    }
}

fn main() -> ExitCode {
    let matches = environment::without_empty(Cli::command()).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match runtime::run(cli.command.threads(), run(cli)) {
        Ok(code) => code,
        Err(error) => {
            output::note(format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    // In the runtime, since exporting needs one.
    let otlp = cli.telemetry.install()?;
    runtime::raise_descriptor_limit();
    let result = execute(cli.command).await;
    if let Some(otlp) = otlp {
        otlp.shutdown().await;
    }
    result
}

async fn execute(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Train(train) => train.run().await,
        Command::Serve(serve) => serve.run().await,
        Command::Balance(balance) => balance.run().await,
        Command::Load(load) => load.run().await,
        Command::Capacity(capacity) => capacity.run().await,
        Command::Up(up) => up.run().await,
        Command::Registry(registry) => registry.run().await,
        Command::Healthcheck(healthcheck) => healthcheck.run().await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_fit_together() {
        super::Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_has_an_environment_variable_but_the_one_that_deletes() {
        let mut flags = Vec::new();
        without_variable(&super::Cli::command(), &mut flags);
        assert_eq!(flags, ["gc --delete"]);
    }

    fn without_variable(command: &clap::Command, found: &mut Vec<String>) {
        for argument in command.get_arguments() {
            let Some(long) = argument.get_long() else { continue };
            if argument.get_env().is_none() && !matches!(long, "help" | "version") {
                found.push(format!("{} --{long}", command.get_name()));
            }
        }
        command.get_subcommands().for_each(|command| without_variable(command, found));
    }
}
