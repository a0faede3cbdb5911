//! A survey against a server of known capacity says what it holds, in sentences made from the numbers.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::num::NonZeroUsize;
use std::time::Duration;

use martello_load_test::capacity::{Baseline, Findings, Hook, Place, Scale, Share, Survey};
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
    assert_eq!(json["schema"], "martello-load-test/capacity/2");
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_are_searched_where_they_can_be_set_and_put_back_afterwards() {
    let server = Server::start(|_| Reply::ok("{}")).await;
    // As the kernel names and fills them; this process is the server. No limit that is written there breaks it.
    let group = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(group.path().join(name), text).unwrap();
    write("cgroup.procs", &format!("{}\n", std::process::id()));
    write("cpu.max", "max 100000\n");
    write("cpu.stat", "nr_periods 100\nnr_throttled 7\n");
    write("memory.max", "max\n");
    write("memory.events", "oom_kill 0\n");
    let started = group.path().join("started");
    let place = Place {
        cpu_group: Some(group.path().into()),
        memory_group: Some(group.path().into()),
        restart: Some(Hook::shell(format!("echo again >> {}", started.display()))),
        container: None,
    };
    let survey = Survey::new(plan(&server.url), 20).step(20).hold(Duration::from_millis(200));
    let findings = survey.repeats(NonZeroUsize::MIN).place(place).run(|_| ()).await.unwrap();
    assert_eq!(findings.held_users, Some(20), "{findings}");
    assert_eq!(findings.least_cores, Some(0.05), "{findings}");
    let least = findings.least_memory_bytes.unwrap();
    let probes = findings.memory_limits.len();
    assert!(probes > 1 && findings.memory_limits.iter().any(|one| one.limit_memory_bytes == Some(least)));
    // Once for each probe, and once more without a limit.
    assert_eq!(std::fs::read_to_string(started).unwrap().lines().count(), probes + 1);
    let text = findings.to_string();
    assert!(text.contains("20 users hold under a real memory limit of"), "{text}");
    let read = |name: &str| std::fs::read_to_string(group.path().join(name)).unwrap();
    assert_eq!((read("cpu.max").trim(), read("memory.max").trim()), ("max 100000", "max"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_loop_confirms_replicas_are_swept_twice_and_a_page_shows_it() {
    let server = Server::start(|_| Reply::ok("{}")).await;
    let folder = tempfile::tempdir().unwrap();
    let called = folder.path().join("called");
    let hook = Hook::shell(format!("echo $MARTELLO_REPLICAS $MARTELLO_CPUS >> {}", called.display()));
    let survey = Survey::new(plan(&server.url).watch_process(std::process::id()), 20).step(20);
    let survey = survey.hold(Duration::from_millis(200)).repeats(NonZeroUsize::MIN);
    let findings = survey.scale(Scale::new(hook, [1, 2, 3, 4], 1.0).unwrap()).run(|_| ()).await.unwrap();
    let offered = findings.held_level().unwrap().requests_per_second;
    let rates: Vec<f64> =
        findings.confirmations.iter().map(|level| level.arrivals_per_second.unwrap() / offered).collect();
    assert_eq!(rates, [1.0, 1.2]);
    let shares: Vec<Share> = findings.sweeps.iter().map(|sweep| sweep.share).collect();
    assert_eq!(shares, [Share::Split, Share::Each]);
    assert!(findings.sweeps.iter().all(|sweep| sweep.levels.len() == 4 && sweep.law.is_some()));
    let called = std::fs::read_to_string(called).unwrap();
    let expected = "1 1.0000\n2 0.5000\n3 0.3333\n4 0.2500\n1 0.2500\n2 0.2500\n3 0.2500\n4 0.2500\n";
    assert_eq!(called, expected);

    let page = findings.to_html();
    for part in ["Throughput against users", "Latency against users", "Universal Scalability Law", "Residual"]
    {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("http-equiv") && !page.contains("<script") && !page.contains("src="));

    let file = folder.path().join("findings.json");
    findings.write_json(&file).unwrap();
    let changes = findings.changes_since(&Baseline::read(&file).unwrap());
    assert!(changes.iter().all(|change| change.contains("the same within 5 %")), "{changes:?}");
    std::fs::write(
        &file,
        std::fs::read_to_string(&file).unwrap().replace("\"held_users\": 20", "\"held_users\": 5"),
    )
    .unwrap();
    let changes = findings.changes_since(&Baseline::read(&file).unwrap()).join("\n");
    assert!(changes.contains("users held: 5 then, 20 now (+300 %)"), "{changes}");
    std::fs::write(&file, "{}").unwrap();
    assert!(Baseline::read(&file).unwrap_err().is_usage());
}

#[tokio::test]
async fn steps_that_lead_nowhere_are_refused() {
    for step in [0, 11] {
        let error = Survey::new(plan("http://127.0.0.1:1"), 10).step(step).run(|_| ()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidPlan, "{error}");
    }
}
