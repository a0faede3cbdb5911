//! Environment variables that are set to nothing.

use clap::builder::{OsStr, Resettable};
use clap::{Arg, Command};

/// Makes an empty variable mean what a missing one means: compose files and scripts pass `NAME=` for what nobody chose.
pub(crate) fn without_empty(command: Command) -> Command {
    command
        .mut_args(
            |argument| if is_empty(&argument) { argument.env(Resettable::<OsStr>::Reset) } else { argument },
        )
        .mut_subcommands(without_empty)
}

fn is_empty(argument: &Arg) -> bool {
    argument.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty())
}
