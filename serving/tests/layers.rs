//! A replica takes layers of the user's own, and survives what they do.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod fixture;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fixture::{Client, GOOD, GOOD_ANSWER, Sum, get, post};
use http_body_util::{BodyExt as _, Full};
use martello_serving::bytes::Bytes;
use martello_serving::http::{HeaderValue, Request, Response};
use martello_serving::layers::edge::EdgeLayer;
use martello_serving::{Api, BoxError, Limits, Replica, ServedModel, Slot};
use tower::ServiceExt as _;
use tower::util::{MapResponseLayer, MapResultLayer};

fn tag<B>(value: &'static str) -> impl Fn(Response<B>) -> Response<B> + Clone {
    move |mut answer| {
        answer.headers_mut().append("x-layer", HeaderValue::from_static(value));
        answer
    }
}

#[tokio::test]
async fn a_users_layers_stand_around_every_answer_in_order() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let replica = Replica::builder()
        .model(Sum::of_three())
        .layer(MapResponseLayer::new(tag("inner")))
        .layer(MapResponseLayer::new(move |answer| {
            counted.fetch_add(1, Ordering::Relaxed);
            tag("outer")(answer)
        }))
        .listen("127.0.0.1:0")
        .bind()
        .await
        .unwrap();
    let address = replica.local_addr();
    let served = tokio::spawn(replica.serve(std::future::pending()));
    let mut client = Client::to(address).await;
    for request in [post("/predict", GOOD), get("/nope")] {
        client.send(request).await;
        let answer = client.answer().await.unwrap();
        let tags: Vec<_> = answer.head.lines().filter(|line| line.starts_with("x-layer")).collect();
        assert_eq!(tags, ["x-layer: inner", "x-layer: outer"]);
    }
    assert_eq!(count.load(Ordering::Relaxed), 2);
    served.abort();
}

#[tokio::test]
async fn an_error_of_a_layer_is_500_and_keeps_the_connection() {
    let fail = MapResultLayer::new(|_: Result<Response<Full<Bytes>>, Infallible>| {
        Err::<Response<Full<Bytes>>, BoxError>("broken".into())
    });
    let replica =
        Replica::builder().model(Sum::of_three()).layer(fail).listen("127.0.0.1:0").bind().await.unwrap();
    let address = replica.local_addr();
    let served = tokio::spawn(replica.serve(std::future::pending()));
    let mut client = Client::to(address).await;
    for _ in 0..2 {
        client.send(get("/health")).await;
        let answer = client.answer().await.unwrap();
        assert_eq!((answer.status, answer.text()), (500, r#"{"detail":"Internal Server Error"}"#));
    }
    served.abort();
}

#[tokio::test]
async fn the_api_answers_without_a_server() {
    let api = Api::new(Slot::holding(ServedModel::new("sum", Sum::of_three())), Limits::default());
    let request = Request::post("/predict").body(Full::<Bytes>::from(GOOD)).unwrap();
    let answer = api.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), GOOD_ANSWER);
}

#[tokio::test]
async fn a_request_keeps_its_id_or_gets_one() {
    let replica = Replica::builder().model(Sum::of_three()).layer(EdgeLayer::new());
    let replica = replica.listen("127.0.0.1:0").bind().await.unwrap();
    let address = replica.local_addr();
    let served = tokio::spawn(replica.serve(std::future::pending()));
    let mut client = Client::to(address).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        client.send(post("/predict", GOOD)).await;
        let answer = client.answer().await.unwrap();
        assert_eq!((answer.status, answer.text()), (200, GOOD_ANSWER));
        ids.push(answer.header("x-request-id").unwrap().to_owned());
    }
    assert_ne!(ids[0], ids[1]);
    client.send("GET /health HTTP/1.1\r\nhost: test\r\nx-request-id: mine\r\n\r\n").await;
    assert_eq!(client.answer().await.unwrap().header("x-request-id"), Some("mine"));
    served.abort();
}

#[tokio::test]
async fn a_panic_outside_of_the_model_is_500_and_keeps_the_connection() {
    let panics = MapResponseLayer::new(|answer: Response<Full<Bytes>>| {
        assert_ne!(answer.status(), 404, "a bug in a layer");
        answer
    });
    let replica = Replica::builder().model(Sum::of_three()).layer(panics).layer(EdgeLayer::new());
    let replica = replica.listen("127.0.0.1:0").bind().await.unwrap();
    let address = replica.local_addr();
    let served = tokio::spawn(replica.serve(std::future::pending()));
    let mut client = Client::to(address).await;
    client.send(get("/nope")).await;
    let answer = client.answer().await.unwrap();
    assert_eq!((answer.status, answer.text()), (500, r#"{"detail":"Internal Server Error"}"#));
    client.send(post("/predict", GOOD)).await;
    assert_eq!(client.answer().await.unwrap().status, 200);
    served.abort();
}
