//! What is asked for, of whom, and how often, as arguments.

use std::path::PathBuf;

use clap::Args;
use martello_load_test::{Plan, PlanBuilder, RequestTemplate, Result, Scenario, ThinkTime};

use super::limits::LimitArguments;

/// The body that the users of the replaced system post.
const DEFAULT_BODY: &str = r#"{"feature1":5.3,"feature2":2.1,"feature3":0.8}"#;

#[derive(Debug, Args)]
pub(crate) struct RequestArguments {
    /// Address of the server under test; several, with commas between, share the users evenly.
    #[arg(
        short = 'H',
        long,
        env = "LOCUST_HOST",
        value_name = "URL",
        value_delimiter = ',',
        default_value = "http://127.0.0.1:8000"
    )]
    host: Vec<String>,
    /// Wait of a user between an answer and the next request, in seconds: "1,2.5" (evenly between), "2", "exponential 1.75".
    #[arg(long, env = "MARTELLO_LOAD_WAIT", value_name = "WAIT", value_parser = wait, default_value = "1,2.5")]
    wait: ThinkTime,
    /// Path that is asked for.
    #[arg(long, env = "MARTELLO_LOAD_PATH", default_value = "/predict")]
    path: String,
    /// JSON that is posted; an empty text makes it a GET.
    #[arg(long, env = "MARTELLO_LOAD_BODY", default_value = DEFAULT_BODY)]
    body: String,
    /// Read the requests from this JSON file instead: weights, headers, random bodies, checks.
    #[arg(long, env = "MARTELLO_LOAD_SCENARIO", value_name = "FILE", conflicts_with_all = ["path", "body"])]
    scenario: Option<PathBuf>,
    /// Also measure CPU and memory of this process (the server's). Repeatable.
    #[arg(long, env = "MARTELLO_LOAD_WATCH", value_name = "PID", value_delimiter = ',')]
    watch: Vec<u32>,
    /// Seed of every random choice.
    #[arg(long, env = "MARTELLO_LOAD_SEED", default_value_t = 42)]
    seed: u64,
    #[command(flatten)]
    limits: LimitArguments,
}

impl RequestArguments {
    pub(crate) fn plan(&self) -> Result<PlanBuilder> {
        let mut hosts = self.host.iter();
        // No host at all is an empty text, which the plan refuses with the reason.
        let plan = Plan::builder(hosts.next().map_or("", String::as_str));
        let plan = hosts.fold(plan, |plan, host| plan.and_target(host));
        let plan = match &self.scenario {
            Some(file) => plan.scenario(Scenario::read(file)?),
            None => plan.request(request(&self.path, &self.body)),
        };
        let plan = self.watch.iter().copied().fold(plan, PlanBuilder::watch_process);
        Ok(self.limits.apply(plan).think_time(self.wait).seed(self.seed))
    }
}

/// A POST of `body` as JSON, or a GET where there is none.
fn request(path: &str, body: &str) -> RequestTemplate {
    match body {
        "" => RequestTemplate::get(path),
        body => RequestTemplate::post(path).json(body),
    }
}

/// Reads `1,2.5` as Locust's `between`, else the words of a think time.
fn wait(text: &str) -> std::result::Result<ThinkTime, String> {
    let between = text.split_once(',').map(|(least, most)| format!("{}..{}", least.trim(), most.trim()));
    let text = between.as_deref().unwrap_or(text);
    text.parse().map_err(|error: martello_load_test::Error| format!("{error}; 1,2.5 is a uniform one"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_read_as_locusts_users_write_them() {
        let cases = [
            ("1,2.5", ThinkTime::uniform(1.0, 2.5)),
            ("1, 2.5", ThinkTime::uniform(1.0, 2.5)),
            ("2", ThinkTime::constant(2.0)),
            ("exponential 1.75", ThinkTime::exponential(1.75)),
        ];
        for (text, expected) in cases {
            assert_eq!(wait(text).unwrap(), expected);
        }
        for text in ["", "soon", "2,1", "-1", "1,2,3"] {
            assert!(wait(text).is_err(), "{text}");
        }
    }
}
