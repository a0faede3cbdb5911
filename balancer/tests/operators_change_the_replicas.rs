//! The admin API: replicas come, weigh more or less, drain and go while requests run, and nobody else may do that.

mod replica;

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use martello_balancer::{AdminConfig, AdminToken, Balancer, EndpointState};
use replica::{Client, Replica, eventually};
use serde_json::{Value, json};

const TOKEN: &str = "correct-horse-battery";

fn anywhere() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

struct Api {
    address: SocketAddr,
    client: Client,
}

impl Api {
    async fn ask(&mut self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let response = self.send(Request::builder().method(method).uri(path), body).await;
        let told = serde_json::from_slice(response.body()).expect("every answer is JSON");
        (response.status().as_u16(), told)
    }

    async fn send(&mut self, request: http::request::Builder, body: Bytes) -> Response<Bytes> {
        let request = request.header("authorization", format!("Bearer {TOKEN}")).body(Full::new(body));
        self.client.send(request.expect("valid")).await.expect("an answer")
    }
}

async fn start(token: Option<&str>) -> (Api, SocketAddr, martello_balancer::Status) {
    let token = token.map(|token| AdminToken::new(token).expect("long enough"));
    let admin = AdminConfig::new(anywhere(), token).expect("on loopback");
    let balancer = Balancer::builder().listen("127.0.0.1:0").admin(admin).bind().await.expect("a free port");
    let (front, address) = (balancer.local_addr(), balancer.admin_addr().expect("it has one"));
    let status = balancer.status();
    tokio::spawn(balancer.serve(std::future::pending()));
    (Api { address, client: Client::new(address) }, front, status)
}

#[tokio::test]
async fn replicas_come_and_go_while_requests_run() {
    let (mut api, front, status) = start(Some(TOKEN)).await;
    let replicas = [Replica::start(), Replica::start()];
    let [one, two] = [&replicas[0], &replicas[1]].map(|replica| replica.address.to_string());
    assert_eq!(api.ask(Method::GET, "/endpoints", Value::Null).await, (200, json!([])));

    let (code, told) = api.ask(Method::POST, "/endpoints", json!({ "address": one })).await;
    assert_eq!((code, &told["name"], &told["weight"]), (201, &json!(one), &json!(1)));
    let (code, told) = api.ask(Method::POST, "/endpoints", json!({ "address": two, "weight": 3 })).await;
    assert_eq!((code, &told["weight"]), (201, &json!(3)));
    let (code, told) = api.ask(Method::POST, "/endpoints", json!({ "address": two })).await;
    assert_eq!((code, &told["reason"]), (409, &json!("known-endpoint")));
    let is_ready =
        |name: &str| status.snapshot().endpoint(name).map(|one| one.state) == Some(EndpointState::Ready);
    eventually("both are probed", || is_ready(&one) && is_ready(&two)).await;

    let mut client = Client::new(front);
    let mut ask = async |times: usize| {
        for number in 0..times {
            assert_eq!(client.post(number.to_string()).await.unwrap().status(), 200);
        }
    };
    ask(40).await;
    assert_eq!([replicas[0].reached(), replicas[1].reached()], [10, 30]);
    let path = format!("/endpoints/{two}/weight");
    let (code, told) = api.ask(Method::PUT, &path, json!({ "weight": 1 })).await;
    assert_eq!((code, &told["weight"]), (200, &json!(1)));
    ask(20).await;
    assert_eq!([replicas[0].reached(), replicas[1].reached()], [20, 40]);

    let (code, told) = api.ask(Method::POST, &format!("/endpoints/{one}/drain"), Value::Null).await;
    assert_eq!((code, &told["state"]), (202, &json!("draining")));
    eventually("it is drained and forgotten", || status.snapshot().endpoint(&one).is_none()).await;
    ask(10).await;
    assert_eq!([replicas[0].reached(), replicas[1].reached()], [20, 50]);
    let (code, told) = api.ask(Method::GET, &format!("/endpoints/{two}"), Value::Null).await;
    assert_eq!((code, &told["state"]), (200, &json!("ready")));
    assert_eq!(api.ask(Method::DELETE, &format!("/endpoints/{two}"), Value::Null).await.0, 200);
    assert_eq!(client.post("x".into()).await.unwrap().status(), 503);
    let (code, told) = api.ask(Method::GET, "/status", Value::Null).await;
    assert_eq!((code, &told["endpoints"]), (200, &json!([])));
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_with_the_reason() {
    let (mut api, _, _) = start(Some(TOKEN)).await;
    let cases = [
        (Method::POST, "/endpoints", json!({ "address": "replica:80" }), 422, "body"),
        (Method::POST, "/endpoints", json!({ "address": "127.0.0.1:0" }), 422, "body"),
        (Method::POST, "/endpoints", json!({ "address": "127.0.0.1:9", "weight": 0 }), 422, "body"),
        (Method::POST, "/endpoints", json!({ "address": "127.0.0.1:9", "weight": 65_536 }), 422, "body"),
        (Method::POST, "/endpoints", json!({ "address": "127.0.0.1:9", "wieght": 2 }), 422, "body"),
        (Method::POST, "/endpoints", Value::Null, 422, "body"),
        (Method::PUT, "/endpoints/127.0.0.1:9/weight", json!({ "weight": 2 }), 404, "unknown-endpoint"),
        (Method::POST, "/endpoints/127.0.0.1:9/drain", Value::Null, 404, "unknown-endpoint"),
        (Method::DELETE, "/endpoints/127.0.0.1:9", Value::Null, 404, "unknown-endpoint"),
        (Method::GET, "/endpoints/..%2f", Value::Null, 404, "unknown-endpoint"),
        (Method::PATCH, "/endpoints", Value::Null, 405, "method"),
        (Method::GET, "/", Value::Null, 404, "path"),
        (Method::GET, "/endpoints/127.0.0.1:9/weight/2", Value::Null, 404, "path"),
    ];
    for (method, path, body, code, reason) in cases {
        let (got, told) = api.ask(method.clone(), path, body.clone()).await;
        assert_eq!((got, told["reason"].as_str()), (code, Some(reason)), "{method} {path} {body}: {told}");
        assert!(told["detail"].is_string());
    }
    let too_long = Bytes::from(vec![b' '; 5_000]);
    let refused = api.send(Request::post("/endpoints"), too_long).await;
    assert_eq!(refused.status(), 413);
}

#[tokio::test]
async fn nobody_else_may() {
    let open = AdminConfig::new("0.0.0.0:9901".parse().unwrap(), None).unwrap_err();
    assert!(format!("{open:?}").contains("set a token"), "{open:?}");
    assert!(AdminConfig::new("0.0.0.0:9901".parse().unwrap(), AdminToken::new(TOKEN).ok()).is_ok());

    let (api, front, _) = start(Some(TOKEN)).await;
    let mut stranger = Client::new(api.address);
    let answer = stranger.get("/endpoints").await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["www-authenticate"]),
        (401, &"Bearer".parse().unwrap())
    );
    assert_eq!(
        Client::new(front).get("/endpoints").await.status(),
        503,
        "the traffic's port does not have it"
    );

    // Without a token: programs of this machine, but no page in a browser on it.
    let (mut api, ..) = start(None).await;
    assert_eq!(api.ask(Method::GET, "/endpoints", Value::Null).await.0, 200);
    let page = api.send(Request::get("/endpoints").header("origin", "http://a.example"), Bytes::new()).await;
    assert_eq!(page.status(), 403);
}
