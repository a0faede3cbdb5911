//! `martello healthcheck`: exit code 0 if a server says that it is healthy.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

/// The most of an answer that is looked at: a status line and a health document are far shorter.
const MAX_ANSWER: u64 = 16 * 1024;

/// Asks a server whether it is healthy: exit code 0 for a 2xx answer, 1 for anything else.
#[derive(Debug, Args)]
pub(crate) struct Healthcheck {
    /// Host and port to ask.
    #[arg(long, env = "MARTELLO_HEALTHCHECK_ADDRESS", default_value = "127.0.0.1:8000")]
    address: String,
    /// Path to ask for.
    #[arg(long, env = "MARTELLO_HEALTHCHECK_PATH", default_value = "/health")]
    path: String,
    /// Seconds to wait for the connection, and again for the answer.
    #[arg(long, env = "MARTELLO_HEALTHCHECK_TIMEOUT", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

impl Healthcheck {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        // On a thread that may block, so that a signal ends the check while it waits.
        tokio::task::spawn_blocking(|| self.check()).await.context("the check panicked")?
    }

    fn check(self) -> anyhow::Result<ExitCode> {
        let answer = self.ask().with_context(|| format!("no health answer from {}", self.address))?;
        let status =
            status_of(&answer).with_context(|| format!("{} did not answer in HTTP", self.address))?;
        if (200..300).contains(&status) {
            return Ok(ExitCode::SUCCESS);
        }
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body.trim());
        bail!("{} answered {status} to {}: {body}", self.address, self.path)
    }

    fn ask(&self) -> anyhow::Result<String> {
        let timeout = Duration::from_secs(self.timeout);
        let address = self.address.to_socket_addrs()?.next().context("the name has no address")?;
        let mut stream = TcpStream::connect_timeout(&address, timeout)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        let (path, host) = (&self.path, &self.address);
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

/// The status code of an HTTP/1 answer.
fn status_of(answer: &str) -> Option<u16> {
    let (version, rest) = answer.split_once(' ')?;
    version.starts_with("HTTP/1.").then(|| rest.get(..3)?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::status_of;

    #[test]
    fn the_status_is_read_from_the_first_line() {
        let cases = [
            ("HTTP/1.1 200 OK\r\n\r\n", Some(200)),
            ("HTTP/1.0 503 Service Unavailable\r\n", Some(503)),
            ("SSH-2.0-OpenSSH", None),
            ("HTTP/1.1 2", None),
            ("", None),
        ];
        for (answer, expected) in cases {
            assert_eq!(status_of(answer), expected, "{answer:?}");
        }
    }
}
