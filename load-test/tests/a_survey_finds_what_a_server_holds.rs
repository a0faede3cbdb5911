//! A survey against a server of known capacity says what it holds, in sentences made from the numbers.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::num::NonZeroUsize;
use std::time::Duration;

use martello_load_test::capacity::{Findings, Survey};
use martello_load_test::{ErrorKind, Plan, PlanBuilder, ThinkTime};
use server::{Reply, Seen, Server};

mod server;

fn plan(url: &str) -> PlanBuilder {
    Plan::builder(url).spawn_rate(2_000.0).think_time(ThinkTime::constant(0.05))
}

async fn survey(server: &Server, target: usize) -> Findings {
    let survey = Survey::new(plan(&server.url).watch_process(std::process::id()), target)
        .step(20)
        .hold(Duration::from_millis(500))
        .repeats(NonZeroUsize::MIN);
    survey.run(|_| ()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_holds_the_target_gets_resources_recommended() {
    let server = Server::start(|_| Reply::ok("{}")).await;
    let findings = survey(&server, 50).await;
    assert_eq!(findings.held_users, Some(50), "{findings}");
    assert_eq!((findings.saturation(), findings.knee_users()), (None, None));
    let resources = findings.resources().unwrap();
    assert!(resources.cpus >= 0.05 && resources.memory_mib > 1);
    let text = findings.to_string();
    assert!(
        text.contains("It holds 50 users at ") && text.contains("that is all that were asked for"),
        "{text}"
    );
    assert!(text.contains(&format!("cpus: \"{:.2}\"", resources.cpus)), "{text}");
    let json = serde_json::to_value(&findings).unwrap();
    assert_eq!(json["schema"], "martello-load-test/capacity/1");
    assert_eq!(json["held_users"], 50);
    assert_eq!(json["resources"]["memory_mib"], resources.memory_mib);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_breaks_is_held_to_the_users_below() {
    // Refuses everybody while more than 50 are connected: 40 users hold, 60 do not.
    let (tell, told) = std::sync::mpsc::channel::<Seen>();
    let seen = std::sync::Mutex::new((told, None));
    let server = Server::start(move |_| {
        let mut seen = seen.lock().unwrap();
        let (told, known) = &mut *seen;
        let open = known.get_or_insert_with(|| told.recv().unwrap()).open_connections();
        if open > 50 { Reply::status("503 Busy", "") } else { Reply::ok("{}") }
    })
    .await;
    tell.send(server.seen.clone()).unwrap();
    let findings = survey(&server, 100).await;
    assert_eq!(findings.held_users, Some(40), "{findings}");
    let text = findings.to_string();
    assert!(text.contains("It holds 40 users") && text.contains("one step more and it broke"), "{text}");
    assert!(text.contains("errors>0 (measured"), "{text}");
    assert!(findings.saturation().is_some() && findings.knee_users().is_some());
}

#[tokio::test]
async fn steps_that_lead_nowhere_are_refused() {
    for step in [0, 11] {
        let error = Survey::new(plan("http://127.0.0.1:1"), 10).step(step).run(|_| ()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidPlan, "{error}");
    }
}
