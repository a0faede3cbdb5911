//! The HTML report needs no network, shows every part, and shows what a server says as text.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::time::Duration;

use martello_load_test::{ErrorKind, Plan, Report, RequestTemplate, ThinkTime};
use server::{Reply, Server, response};

mod server;

async fn report() -> Report {
    let server = Server::start(|request| {
        if request.text.starts_with("GET") {
            return Reply::status("500 Oh", "");
        }
        let headers = "martello-endpoint: <script>alert(1)</script>\r\n";
        Reply::Answer { after: Duration::ZERO, bytes: response("200 OK", headers, "{}") }
    })
    .await;
    let plan = Plan::builder(&server.url)
        .users(5)
        .run_time(Duration::from_millis(1200))
        .think_time(ThinkTime::constant(0.01))
        .request(RequestTemplate::post("/predict").json("{}").named("a <b> & c"))
        .request(RequestTemplate::get("/broken"));
    plan.build().unwrap().run(|_| ()).await.unwrap()
}

#[tokio::test]
async fn every_part_is_there_and_nothing_is_loaded() {
    let report = report().await;
    let html = report.to_html();
    for part in [
        "Requests a second",
        "Users at work",
        "Latency by second",
        "Latency heat map",
        "Replicas",
        "Failures",
        "Processes",
    ] {
        assert!(html.contains(part), "{part} is missing");
    }
    assert!(html.contains("<div class=\"verdict fail\">") && html.contains("errors&gt;0"));
    assert!(html.contains("status 500") && html.contains("class=\"heat h7\""));
    for loading in ["<script", "src=", "@import", "url(", "href=\"http"] {
        assert!(!html.contains(loading), "{loading}");
    }
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && html.contains("a &lt;b&gt; &amp; c"));
}

#[tokio::test]
async fn the_file_is_written_or_its_place_is_named() {
    let report = report().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    report.write_html(&file).unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), report.to_html());
    let error = report.write_html(folder.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains(&folder.path().display().to_string()), "{error}");
}
