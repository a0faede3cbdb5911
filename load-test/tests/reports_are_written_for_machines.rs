//! JSON and Locust's CSV files say the same as the report.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::time::Duration;

use martello_load_test::{ErrorKind, Limits, Plan, Report, RequestTemplate, ThinkTime};
use server::{Reply, Server};

mod server;

/// The headers that Locust 2.47 writes with `--csv`.
const LOCUST: [(&str, &str); 4] = [
    (
        "_stats.csv",
        "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,\
         Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%",
    ),
    (
        "_stats_history.csv",
        "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%,\
         Total Request Count,Total Failure Count,Total Median Response Time,Total Average Response Time,\
         Total Min Response Time,Total Max Response Time,Total Average Content Size",
    ),
    ("_failures.csv", "Method,Name,Error,Occurrences,First Seen,Last Seen"),
    ("_exceptions.csv", "Count,Message,Traceback,Nodes"),
];

async fn report() -> Report {
    let server = Server::start(|request| {
        if request.text.starts_with("GET") { Reply::status("500 Oh", "") } else { Reply::ok("0123456789") }
    })
    .await;
    let plan = Plan::builder(&server.url)
        .users(10)
        .run_time(Duration::from_millis(1200))
        .think_time(ThinkTime::constant(0.01))
        .request(RequestTemplate::post("/predict").json("{}").named("predict, \"quoted\""))
        .request(RequestTemplate::get("/broken"))
        // A busy machine must not make a test of files a test of the machine.
        .limits(Limits { max_lateness: Duration::from_secs(60), ..Limits::default() })
        .watch_process(std::process::id());
    plan.build().unwrap().run(|_| ()).await.unwrap()
}

#[tokio::test]
async fn csv_files_have_the_names_and_columns_of_locust() {
    let report = report().await;
    let folder = tempfile::tempdir().unwrap();
    let paths = report.write_csv(folder.path().join("run")).unwrap();
    let text = |place: usize| std::fs::read_to_string(&paths[place]).unwrap();
    for (place, (suffix, header)) in LOCUST.iter().enumerate() {
        assert_eq!(paths[place], folder.path().join(format!("run{suffix}")));
        assert_eq!(text(place).lines().next(), Some(*header));
    }
    let stats = text(0);
    let rows: Vec<&str> = stats.lines().skip(1).collect();
    assert_eq!(rows.len(), 3, "{stats}");
    assert!(rows[0].starts_with("POST,\"predict, \"\"quoted\"\"\","), "{stats}");
    let total = format!(",Aggregated,{},{},", report.requests(), report.failures());
    assert!(rows[2].starts_with(&total), "{stats}");
    let history = text(1);
    let last: Vec<&str> = history.lines().last().unwrap().split(',').collect();
    assert_eq!(last[17], report.requests().to_string(), "{history}");
    assert_eq!(text(2).lines().count(), 2);
    assert!(text(2).contains(&format!("GET,/broken,status 500,{},20", report.failures())), "{}", text(2));
    assert_eq!(text(3).lines().count(), 1);
}

#[tokio::test]
async fn a_place_that_cannot_be_written_to_is_named() {
    let error = report().await.write_csv("/nowhere/at/all").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("/nowhere/at/all_stats.csv"), "{error}");
}

#[tokio::test]
async fn json_says_what_the_report_says() {
    let report = report().await;
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["schema"], "martello-load-test/report/1");
    assert_eq!(json["verdict"], "fail");
    assert_eq!(json["thresholds"], serde_json::json!(["errors>0"]));
    assert_eq!(json["total"]["requests"], report.requests());
    assert_eq!(json["total"]["failures_by_kind"]["status 500"], report.failures());
    assert_eq!(json["by_request"][1]["failures"], report.failures());
    assert_eq!(json["steps"][0]["users"], 10);
    assert_eq!(json["history"].as_array().unwrap().len(), report.history().len());
    assert_eq!(json["watched"][0]["pid"], std::process::id());
    assert!(json["generator"]["cpu_seconds"].as_f64().unwrap() > 0.0);
    assert!(json["total"]["latency"]["p99_ms"].as_f64().unwrap() > 0.0);
}

/// The published schema, and the same without room for fields that it does not name.
fn schemas() -> [serde_json::Value; 2] {
    let text = include_str!("../schema/report-1.json");
    let schema: serde_json::Value = serde_json::from_str(text).unwrap();
    let mut strict = schema.clone();
    forbid_others(&mut strict);
    [schema, strict]
}

fn forbid_others(schema: &mut serde_json::Value) {
    match schema {
        serde_json::Value::Object(fields) => {
            if fields.contains_key("properties") {
                fields.insert("additionalProperties".to_owned(), false.into());
            }
            fields.values_mut().for_each(forbid_others);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(forbid_others),
        _ => {}
    }
}

#[tokio::test]
async fn json_keeps_to_the_published_schema_and_the_schema_names_every_field() {
    let report = serde_json::to_value(report().await).unwrap();
    for schema in schemas() {
        let validator = jsonschema::validator_for(&schema).unwrap();
        let mistakes: Vec<String> = validator
            .iter_errors(&report)
            .map(|error| format!("{error} at {}", error.instance_path()))
            .collect();
        assert!(mistakes.is_empty(), "{mistakes:?}");
    }
    let [schema, _] = schemas();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for field in ["verdict", "total", "history"] {
        let mut broken = report.clone();
        broken[field] = serde_json::json!("?");
        assert!(!validator.is_valid(&broken), "{field} may be anything");
    }
}

#[tokio::test]
async fn a_full_disk_is_told_with_the_path() {
    let report = report().await;
    let full = std::path::Path::new("/dev/full");
    if !full.exists() {
        eprintln!("skipped: there is no /dev/full here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let prefix = folder.path().join("run");
    for suffix in ["_stats.csv", "_stats_history.csv", "_failures.csv", "_exceptions.csv"] {
        std::os::unix::fs::symlink(full, folder.path().join(format!("run{suffix}"))).unwrap();
    }
    let results = [report.write_csv(&prefix).map(drop), report.write_json(full), report.write_html(full)];
    for result in results {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("No space left"), "{error}: {cause}");
    }
}

#[tokio::test]
async fn a_process_that_cannot_be_watched_is_an_error_before_the_run() {
    let plan = Plan::builder("http://127.0.0.1:1").watch_process(u32::MAX).build().unwrap();
    assert_eq!(plan.run(|_| ()).await.unwrap_err().kind(), ErrorKind::TooFewResources);
}
