//! What `/predict` and its neighbours answer besides predictions: statuses, headers and bodies of the contract.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod fixture;

use std::sync::Arc;

use fixture::{GOOD, GOOD_ANSWER, Running, Sum, get, post};
use martello_model_core::{Batch, Column, Error, ErrorKind, Model, Predictions, Signature};
use martello_serving::{Replica, ServedModel, Slot};

async fn sum() -> Running {
    Running::start(Replica::builder().model(Sum::of_three())).await
}

/// From the number of rows to an answer of any kind.
type Behaviour = fn(usize) -> Result<Predictions, Error>;

/// Does with every batch what it was made for.
#[derive(Debug)]
struct Misbehaving {
    signature: Arc<Signature>,
    predict: Behaviour,
}

impl Model for Misbehaving {
    fn signature(&self) -> &Arc<Signature> {
        &self.signature
    }

    fn predict(&self, batch: &Batch) -> Result<Predictions, Error> {
        (self.predict)(batch.rows())
    }
}

async fn misbehaving(predict: Behaviour) -> Running {
    let signature = Arc::clone(Sum::of_three().signature());
    Running::start(Replica::builder().model(Arc::new(Misbehaving { signature, predict }))).await
}

#[tokio::test]
async fn a_row_gives_a_prediction_that_may_be_asked_again() {
    let answer = sum().await.ask(post("/predict", GOOD)).await;
    assert_eq!((answer.status, answer.text()), (200, GOOD_ANSWER));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("martello-pure"), Some("?1"));
    assert_eq!(answer.header("martello-not-processed"), None);
}

#[tokio::test]
async fn labels_are_text() {
    let replica = misbehaving(|rows| Ok(Predictions::Labels(vec!["Adelie".into(); rows]))).await;
    let answer = replica.ask(post("/predict", GOOD)).await;
    assert_eq!((answer.status, answer.text()), (200, r#"{"prediction":"Adelie"}"#));
}

#[tokio::test]
async fn without_a_model_a_request_is_not_processed() {
    let answer = Running::start(Replica::builder()).await.ask(post("/predict", GOOD)).await;
    assert_eq!((answer.status, answer.text()), (503, r#"{"detail":"Model unavailable"}"#));
    assert_eq!(answer.header("martello-not-processed"), Some("no-model"));
}

#[tokio::test]
async fn a_failing_model_gives_500_and_the_next_request_is_served() {
    let cases: [(Behaviour, &str); 5] = [
        (|_| Err(Error::new(ErrorKind::Prediction, "the accelerator is gone")), "the accelerator is gone"),
        (|_| panic!("index out of bounds"), "the model panicked: index out of bounds"),
        (|_| Ok(Predictions::Numbers(vec![f64::NAN])), "the prediction for row 0 is not a finite number"),
        (
            |_| Ok(Predictions::Numbers(vec![f64::INFINITY])),
            "the prediction for row 0 is not a finite number",
        ),
        (|_| Ok(Predictions::Numbers(vec![])), "the model gave 0 predictions for 1 rows"),
    ];
    for (predict, reason) in cases {
        let replica = misbehaving(predict).await;
        let mut client = replica.connect().await;
        for _ in 0..2 {
            client.send(post("/predict", GOOD)).await;
            let answer = client.answer().await.unwrap();
            assert_eq!(answer.status, 500);
            assert_eq!(answer.text(), format!(r#"{{"detail":"Prediction error: {reason}"}}"#));
            assert_eq!(answer.header("martello-pure"), Some("?1"));
        }
    }
}

#[tokio::test]
async fn a_large_batch_is_answered_in_order_by_a_thread_of_its_own() {
    let rows: Vec<_> =
        (0..5000).map(|x| format!(r#"{{"feature1":{x},"feature2":0,"feature3":0}}"#)).collect();
    let expected: Vec<_> = (0..5000).map(|x| format!(r#"{{"prediction":{x}.0}}"#)).collect();
    let answer = sum().await.ask(post("/predict", &format!("[{}]", rows.join(",")))).await;
    assert_eq!((answer.status, answer.text()), (200, format!("[{}]", expected.join(",")).as_str()));
}

#[tokio::test]
async fn a_wrong_method_names_the_right_ones() {
    let replica = sum().await;
    for (request, allow) in [
        ("GET /predict", "POST"),
        ("DELETE /predict", "POST"),
        ("POST /health", "GET, HEAD"),
        ("PUT /", "GET, HEAD"),
    ] {
        let answer = replica.ask(format!("{request} HTTP/1.1\r\nhost: test\r\n\r\n")).await;
        assert_eq!((answer.status, answer.text()), (405, r#"{"detail":"Method Not Allowed"}"#), "{request}");
        assert_eq!(answer.header("allow"), Some(allow), "{request}");
    }
}

#[tokio::test]
async fn an_unknown_path_is_404() {
    let answer = sum().await.ask(get("/nope?x=1")).await;
    assert_eq!((answer.status, answer.text()), (404, r#"{"detail":"Not Found"}"#));
}

#[tokio::test]
async fn the_front_page_says_what_this_is() {
    let slot = Slot::holding(ServedModel::new("prices", Sum::of_three()).with_version(7));
    let replica = Running::start(Replica::builder().slot(slot)).await;
    let page: serde_json::Value = serde_json::from_slice(&replica.ask(get("/")).await.body).unwrap();
    assert_eq!((&page["model"], &page["version"]), (&"prices".into(), &7.into()));
    for link in page["links"].as_object().unwrap().values() {
        let answer = replica.ask(get(link.as_str().unwrap())).await;
        assert_ne!(answer.status, 404, "{link}");
    }
}

#[tokio::test]
async fn the_description_has_the_columns_of_the_model() {
    let signature = vec![Column::double("mass_g").optional(), Column::string("island")];
    let signature = Arc::new(Signature::new(signature, vec![Column::string("species")]).unwrap());
    let model =
        Misbehaving { signature: Arc::clone(&signature), predict: |_| Ok(Predictions::Numbers(vec![])) };
    let mut example = Batch::builder(&signature);
    example
        .push_row(&[martello_model_core::Cell::Number(3750.0), martello_model_core::Cell::Text("Dream")])
        .unwrap();
    let served =
        ServedModel::new("penguins", Arc::new(model)).with_version(2).with_input_example(example.build());
    let replica = Running::start(Replica::builder().slot(Slot::holding(served))).await;

    let description: serde_json::Value =
        serde_json::from_slice(&replica.ask(get("/openapi.json")).await.body).unwrap();
    let row = &description["components"]["schemas"]["Row"];
    assert_eq!((&description["openapi"], &description["info"]["version"]), (&"3.1.0".into(), &"2".into()));
    assert_eq!(row["required"], serde_json::json!(["island"]));
    assert_eq!(row["examples"], serde_json::json!([{"mass_g": 3750.0, "island": "Dream"}]));
    assert_eq!(row["properties"]["island"]["type"], serde_json::json!(["string"]));

    let paths: Vec<_> = description["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    for path in
        ["/predict", "/invocations", "/v2/models/penguins/versions/2/infer", "/v1/models/penguins:predict"]
    {
        assert!(paths.contains(&path), "{path} in {paths:?}");
    }
    // Every path that is described for reading is there.
    for (path, operations) in description["paths"].as_object().unwrap() {
        if operations.get("get").is_some() {
            assert_eq!(replica.ask(get(path)).await.status, 200, "{path}");
        }
    }
}

#[tokio::test]
async fn the_pages_for_people_need_nothing_but_the_replica() {
    let replica = sum().await;
    for page in ["/docs", "/redoc"] {
        let answer = replica.ask(get(page)).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")));
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let text = answer.text().to_owned();
        assert!(!text.contains("://"), "{text}");
        let links = text.split("src=\"").chain(text.split("href=\"")).filter(|part| part.starts_with('/'));
        for link in links.filter_map(|link| link.split('"').next()) {
            assert_eq!(replica.ask(get(link)).await.status, 200, "{link}");
        }
    }
}

#[tokio::test]
async fn what_is_not_there_yet_is_described_all_the_same() {
    let replica = Running::start(Replica::builder().slot(Slot::empty())).await;
    let answer = replica.ask(get("/openapi.json")).await;
    let description: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        (answer.status, &description["paths"]["/predict"]["post"]["operationId"]),
        (200, &"predict".into())
    );
}

#[tokio::test]
async fn head_has_the_head_of_get_and_no_body() {
    let replica = sum().await;
    let mut client = replica.connect().await;
    client.send("HEAD /health HTTP/1.1\r\nhost: test\r\n\r\nGET /nope HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await;
    let all = client.rest().await;
    assert!(all.starts_with("HTTP/1.1 200 OK\r\n"), "{all}");
    assert!(all.contains("\r\n\r\nHTTP/1.1 404 Not Found\r\n"), "{all}");
}
