//! Commands of the reader's own, which start and scale what only the reader knows how to start.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};

/// How long a command may take: to start the containers of a stack takes some tens of seconds.
const PATIENCE: Duration = Duration::from_secs(180);

/// How often a command that runs is looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// A command of the shell that a survey calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook(String);

impl Hook {
    /// A line for `sh -c`. Servers that it starts must go on when it ends, as with `nohup … &`.
    pub fn shell(line: impl Into<String>) -> Self {
        Self(line.into())
    }

    /// Runs the command to its end, with these variables beside the environment.
    pub(super) async fn run(&self, variables: &[(&'static str, String)]) -> Result<()> {
        let mut command = Command::new("sh");
        // What it says goes where mistakes go: standard output is for results.
        command.arg("-c").arg(&self.0).stdin(Stdio::null()).stdout(Stdio::null());
        command.envs(variables.iter().map(|(name, value)| (*name, value)));
        let failed = |what: String| Error::new(ErrorKind::Command, format!("command {:?} {what}", self.0));
        let mut child =
            command.spawn().map_err(|error| failed("cannot be started".to_owned()).caused_by(error))?;
        let begun = Instant::now();
        loop {
            let ended =
                child.try_wait().map_err(|error| failed("cannot be watched".to_owned()).caused_by(error))?;
            match ended {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(failed(format!("failed with {status}"))),
                None if begun.elapsed() > PATIENCE => {
                    // It may have ended in this moment.
                    let _ = child.kill();
                    return Err(failed(format!("did not end within {} s", PATIENCE.as_secs())));
                }
                None => tokio::time::sleep(GLANCE).await,
            }
        }
    }
}

/// What a command says on standard output.
pub(super) async fn output(program: &'static str, arguments: Vec<String>) -> Result<String> {
    let written = format!("{program} {}", arguments.join(" "));
    let failed = |what: &str| Error::new(ErrorKind::Command, format!("`{written}` {what}"));
    let ran = tokio::task::spawn_blocking(move || Command::new(program).args(arguments).output()).await;
    let output = match ran {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(failed("cannot be started").caused_by(error)),
        Err(error) => return Err(failed("did not end").caused_by(error)),
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(failed(&format!("failed: {}", said.trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_command_gets_its_variables_and_its_failure_is_told() {
        let hook = Hook::shell("test \"$MARTELLO_REPLICAS\" = 3");
        hook.run(&[("MARTELLO_REPLICAS", "3".to_owned())]).await.unwrap();
        let error = hook.run(&[("MARTELLO_REPLICAS", "4".to_owned())]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Command);
        assert!(error.to_string().contains("failed with exit status: 1"), "{error}");
        assert_eq!(output("echo", vec!["a".to_owned()]).await.unwrap(), "a");
        assert!(
            output("no-such-program", Vec::new())
                .await
                .unwrap_err()
                .to_string()
                .contains("cannot be started")
        );
    }
}
