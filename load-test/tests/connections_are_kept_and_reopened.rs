//! Each user keeps one connection; what the server closes between requests is reopened without a failure.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::time::Duration;

use martello_load_test::{Arrivals, Method, Plan, Report, RequestTemplate, ThinkTime};
use server::{Reply, Server, response};

mod server;

async fn run(reply: Reply) -> (Report, Server) {
    let server = Server::start(move |_| reply.clone()).await;
    let plan = Plan::builder(&server.url).users(10).run_time(Duration::from_millis(400));
    let report = plan.think_time(ThinkTime::constant(0.02)).build().unwrap().run(|_| ()).await.unwrap();
    assert_eq!((report.requests(), report.failures()), (server.seen.requests(), 0), "{report}");
    (report, server)
}

#[tokio::test]
async fn a_connection_that_stays_open_is_used_again() {
    let (report, _) = run(Reply::ok("{}")).await;
    assert_eq!((report.statistics().connections(), report.statistics().reconnects()), (10, 0), "{report}");
}

#[tokio::test]
async fn answers_in_every_framing_leave_the_connection_open() {
    let chunked =
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;x\r\n{\r\n1\r\n}\r\n0\r\nx: y\r\n\r\n";
    let early =
        [b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", &response("200 OK", "", "{}")[..]].concat();
    let old = b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\n{}";
    let empty = b"HTTP/1.1 204 No Content\r\n\r\n";
    for bytes in [chunked.to_vec(), early, old.to_vec(), empty.to_vec()] {
        let (report, _) = run(Reply::Answer { after: Duration::ZERO, bytes }).await;
        assert_eq!(report.statistics().connections(), 10, "{report}");
    }
}

#[tokio::test]
async fn an_answer_to_head_has_no_body() {
    let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n".to_vec();
    let server = Server::start(move |_| Reply::Answer { after: Duration::ZERO, bytes: bytes.clone() }).await;
    let plan = Plan::builder(&server.url).users(10).run_time(Duration::from_millis(300));
    let plan = plan.request(RequestTemplate::new(Method::HEAD, "/")).think_time(ThinkTime::constant(0.02));
    let report = plan.build().unwrap().run(|_| ()).await.unwrap();
    assert_eq!((report.failures(), report.statistics().connections()), (0, 10), "{report}");
}

#[tokio::test]
async fn a_connection_on_which_more_came_than_one_answer_is_not_used_again() {
    let answer = response("200 OK", "", "{}");
    for bytes in [[&answer[..], &answer[..]].concat(), [&answer[..], b"\r\n"].concat()] {
        let (report, _) = run(Reply::Answer { after: Duration::ZERO, bytes }).await;
        assert_eq!(report.statistics().connections(), report.requests(), "{report}");
    }
}

#[tokio::test]
async fn a_connection_that_is_closed_with_or_without_notice_is_reopened() {
    let until_close = b"HTTP/1.1 200 OK\r\n\r\n{}".to_vec();
    for bytes in
        [response("200 OK", "connection: close\r\n", "{}"), response("200 OK", "", "{}"), until_close]
    {
        let (report, _) = run(Reply::Last { bytes }).await;
        assert_eq!(report.statistics().connections(), report.requests(), "{report}");
        assert_eq!(report.statistics().reconnects(), report.requests() - 10, "{report}");
    }
}

#[tokio::test]
async fn templates_are_sent_by_weight_and_counted_apart() {
    let server = Server::start(|request| {
        if request.text.starts_with("GET /rare ") {
            Reply::status("404 Not Found", "")
        } else {
            Reply::ok("{}")
        }
    })
    .await;
    let plan = Plan::builder(&server.url)
        .users(20)
        .run_time(Duration::from_millis(500))
        .think_time(ThinkTime::constant(0.0))
        .request(RequestTemplate::post("/often").json("1").json("2").weight(9))
        .request(RequestTemplate::get("/rare").weight(1));
    let report = plan.build().unwrap().run(|_| ()).await.unwrap();
    let [often, rare] = report.statistics().by_request() else { panic!("two templates") };
    assert_eq!((often.failures(), rare.failures()), (0, rare.requests()));
    assert_eq!(often.requests() + rare.requests(), server.seen.requests());
    let share = rare.requests() as f64 / report.requests() as f64;
    assert!(report.requests() > 100 && (0.05..0.15).contains(&share), "{share}\n{report}");
}

#[tokio::test]
async fn several_targets_get_the_same_load_whether_users_or_the_clock_ask() {
    let servers = [Server::start(|_| Reply::ok("{}")).await, Server::start(|_| Reply::ok("{}")).await];
    let plan = || {
        let plan = Plan::builder(&servers[0].url).and_target(&servers[1].url);
        plan.run_time(Duration::from_secs(1)).think_time(ThinkTime::constant(0.02))
    };
    let closed = plan().users(10).spawn_rate(1_000.0).build().unwrap().run(|_| ()).await.unwrap();
    assert_eq!(closed.failures(), 0, "{closed}");
    let [one, two] = [0, 1].map(|place: usize| servers[place].seen.requests());
    assert!(one.min(two) * 10 > closed.requests() * 3, "{one} and {two}");
    let open = plan().arrivals(Arrivals::constant(100.0)).build().unwrap().run(|_| ()).await.unwrap();
    let [first, second] =
        [(0, one), (1, two)].map(|(place, before): (usize, u64)| servers[place].seen.requests() - before);
    assert_eq!((first, second, open.requests()), (50, 50, 100), "{open}");
}
