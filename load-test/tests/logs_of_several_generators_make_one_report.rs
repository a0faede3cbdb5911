//! Two generators at once are one test: their merged percentiles are those of one recording.

#![cfg(feature = "histogram-log")]
#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use martello_load_test::histogram_log::{HistogramLog, merge};
use martello_load_test::{
    Arrivals, ErrorKind, Latencies, Limits, Plan, PlanBuilder, Report, RequestTemplate, ThinkTime, Verdict,
};
use server::{Reply, Server};

mod server;

/// Waits of the server, by the number of the request; every tenth answer is an error.
fn scripted(number: u64) -> Reply {
    match number % 10 {
        0 => Reply::status("503 Busy", "martello-endpoint: b\r\n"),
        9 => Reply::after(Duration::from_millis(40), "{}"),
        _ => Reply::status("200 OK", "martello-endpoint: a\r\n"),
    }
}

fn plan(server: &Server) -> PlanBuilder {
    Plan::builder(&server.url)
        .users(10)
        .spawn_rate(1_000.0)
        .run_time(Duration::from_millis(2_500))
        .think_time(ThinkTime::constant(0.01))
        .request(RequestTemplate::post("/predict").json("{}").named("a, b!c"))
        .request(RequestTemplate::get("/health"))
        .limits(Limits { max_lateness: Duration::from_secs(60), ..Limits::default() })
        .fail_if("errors>50%".parse().unwrap())
}

async fn run(plan: PlanBuilder, log: &Path) -> Report {
    let plan = plan.build().unwrap();
    let mut log = HistogramLog::create(log, &plan).unwrap();
    let report = plan.run_watched(std::future::pending(), |second| log.append(second)).await.unwrap();
    log.finish(&report).unwrap();
    report
}

async fn run_two(server: &Server, folder: &Path) -> ([Report; 2], [PathBuf; 2]) {
    let paths = ["one.hlog", "two.hlog"].map(|name| folder.join(name));
    let second = plan(server).users(20).seed(7).fail_if("p99>10s".parse().unwrap());
    let (one, two) = tokio::join!(run(plan(server), &paths[0]), run(second, &paths[1]));
    ([one, two], paths)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merged_percentiles_are_those_of_one_recording() {
    let server = Server::start(|request| scripted(request.number)).await;
    let folder = tempfile::tempdir().unwrap();
    let (reports, paths) = run_two(&server, folder.path()).await;
    let merged = merge(&paths).unwrap();

    let mut one_recording = Latencies::new();
    reports.iter().for_each(|report| one_recording.merge(&report.latency()));
    assert_eq!(merged.latency(), one_recording, "{merged}");
    assert_eq!(merged.requests(), server.seen.requests());
    assert_eq!(merged.failures(), reports.iter().map(Report::failures).sum::<u64>());
    for place in 0..2 {
        let mut expected = Latencies::new();
        reports.iter().for_each(|one| expected.merge(&one.statistics().by_request()[place].latency()));
        assert_eq!(merged.statistics().by_request()[place].latency(), expected);
    }
    let text = merged.to_string();
    assert_eq!(merged.verdict(), Verdict::Pass, "{text}");
    assert!(text.contains("merged from 2 generators") && text.contains("status 503"), "{text}");
    assert!(text.contains("would fail on errors>50%, p99>10s"), "{text}");
    let names: Vec<String> =
        merged.spread().unwrap().endpoints().iter().map(|one| one.name.clone()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(merged.steps().first().map(|step| step.users()), Some(30), "{text}");
    let in_seconds: u64 = merged.history().map(|tick| tick.requests).sum();
    assert_eq!(in_seconds, merged.requests());
    let cpu: Duration = reports.iter().map(|report| report.generator().cpu).sum();
    assert!(merged.generator().cpu.abs_diff(cpu) < Duration::from_micros(10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_one_that_other_readers_of_the_format_understand() {
    use base64::Engine as _;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    let server = Server::start(|request| scripted(request.number)).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.hlog");
    let report = run(plan(&server), &path).await;
    let bytes = std::fs::read(path).unwrap();
    let (mut count, mut starts) = (0, 0);
    for entry in IntervalLogIterator::new(&bytes) {
        match entry.unwrap() {
            LogEntry::Interval(interval) => {
                let packed = base64::engine::general_purpose::STANDARD.decode(interval.encoded_histogram());
                let histogram: hdrhistogram::Histogram<u64> =
                    Deserializer::new().deserialize(&mut packed.unwrap().as_slice()).unwrap();
                let tag = interval.tag().unwrap().as_str();
                count += if tag == "lateness" { 0 } else { histogram.len() };
                assert!(interval.duration() <= Duration::from_millis(1_500), "{interval:?}");
            }
            LogEntry::StartTime(_) => starts += 1,
            LogEntry::BaseTime(_) => {}
        }
    }
    assert_eq!((count, starts), (report.requests(), 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generator_that_was_killed_leaves_a_log_that_can_be_merged() {
    let server = Server::start(|_| Reply::ok("{}")).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.hlog");
    let whole = run(plan(&server), &path).await;
    let text = std::fs::read_to_string(&path).unwrap();
    let middle = text.find("{\"second\"").unwrap();
    let end_of_first = middle + text[middle..].find('\n').unwrap();
    std::fs::write(&path, &text[..end_of_first + 30]).unwrap();
    let cut = merge([&path]).unwrap();
    assert!(cut.requests() > 0 && cut.requests() < whole.requests());
    assert!(cut.stopped_early() && cut.to_string().contains("ends in the middle of its test"), "{cut}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_generator_that_was_late_makes_the_whole_invalid() {
    let server = Server::start(|_| Reply::ok("{}")).await;
    let folder = tempfile::tempdir().unwrap();
    let paths = ["late.hlog", "punctual.hlog"].map(|name| folder.path().join(name));
    let late = plan(&server).limits(Limits { max_lateness: Duration::ZERO, ..Limits::default() });
    let (late, _) = tokio::join!(run(late, &paths[0]), run(plan(&server), &paths[1]));
    assert_eq!(late.verdict(), Verdict::Invalid);
    let merged = merge(&paths).unwrap();
    assert_eq!(merged.verdict(), Verdict::Invalid, "{merged}");
    assert!(merged.to_string().contains("late.hlog: the generator was late"), "{merged}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_loops_add_up_too_but_not_to_closed_ones() {
    let server = Server::start(|_| Reply::ok("{}")).await;
    let folder = tempfile::tempdir().unwrap();
    let paths = ["a.hlog", "b.hlog", "closed.hlog"].map(|name| folder.path().join(name));
    let open = |rate| plan(&server).arrivals(Arrivals::constant(rate));
    let (a, b) = tokio::join!(run(open(50.0), &paths[0]), run(open(100.0), &paths[1]));
    let merged = merge(&paths[..2]).unwrap();
    assert_eq!(merged.requests(), a.requests() + b.requests());
    run(plan(&server), &paths[2]).await;
    let error = merge(&paths).unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("different tests"), "{error}");
}

#[test]
fn what_is_no_log_is_refused_with_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.hlog");
    let start = "#[StartTime: 1700000000.5 (seconds since epoch)]\n";
    let plan = r#"#[martello] {"plan":{"schema":"martello-load-test/log/1","hosts":["http://a"],"requests":[["GET","/"]],"think_time":"constant 1","arrivals":null,"thresholds":[],"max_lateness_seconds":0.05}}"#;
    let head = format!("{start}{plan}\n");
    let other = plan.replace("log/1", "log/9");
    let cases = [
        (String::new(), "no start time"),
        (start.to_owned(), "no plan"),
        (format!("{start}{other}\n"), "line 2: expected schema"),
        (format!("{head}Tag=0:GET:/,0,1,2\n"), "line 3: expected a tag, three numbers and a histogram"),
        (format!("{head}Tag=0:GET:/,0,x,2,AAAA\n"), "line 3: expected a number"),
        (format!("{head}0,1,2,3,AAAA\n"), "line 3: expected a tag"),
        (format!("{head}Tag=0:GET:/,0,1,2,????\n"), "line 3: no base64"),
        (format!("{head}Tag=0:GET:/,0,1,2,AAAAAAAA\n"), "line 3: no histogram in V2 encoding"),
        (format!("{head}#[martello] {{}}\n"), "line 3: "),
        (format!("{head}#[martello] {{\"second\": 3}}\n"), "line 3: "),
    ];
    for (text, expected) in cases {
        std::fs::write(&path, &text).unwrap();
        let error = merge([&path]).unwrap_err();
        assert!(error.is_usage() && error.to_string().contains(expected), "{text}\n{error}");
        assert!(error.to_string().contains("run.hlog"), "{error}");
    }
    assert!(merge(Vec::<PathBuf>::new()).unwrap_err().is_usage());
    assert_eq!(merge([folder.path().join("none")]).unwrap_err().kind(), ErrorKind::Io);
}
