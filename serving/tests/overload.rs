//! More is asked for than can be answered: the excess is shed unread, everything else goes on, and given-up work stops.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod fixture;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fixture::{Client, GOOD, PATIENCE, Running, Sum, get, post};
use martello_model_core::{Batch, Error, Model, Predictions, Signature};
use martello_serving::{Limits, Replica};

/// What the model takes for a row while it is got to know.
const TAKES: Duration = Duration::from_millis(30);

/// Waits for a word for each question, and counts the questions.
#[derive(Debug)]
struct Waits {
    signature: Arc<Signature>,
    word: Mutex<Receiver<()>>,
    asked: Arc<AtomicUsize>,
}

impl Model for Waits {
    fn signature(&self) -> &Arc<Signature> {
        &self.signature
    }

    fn predict(&self, batch: &Batch) -> Result<Predictions, Error> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.word.lock().unwrap().recv().unwrap_or_default();
        Ok(Predictions::Numbers(vec![1.0; batch.rows()]))
    }
}

/// A replica with one worker and a model whose cost it knows.
struct Busy {
    replica: Running,
    word: Sender<()>,
    asked: Arc<AtomicUsize>,
}

impl Busy {
    async fn start() -> Self {
        let ((word, receiver), asked) = (channel(), Arc::new(AtomicUsize::new(0)));
        let signature = Arc::clone(Sum::of_three().signature());
        let model = Waits { signature, word: Mutex::new(receiver), asked: Arc::clone(&asked) };
        let limits = Limits {
            inline_rows: 0,
            workers: 1,
            queue_delay: Duration::from_millis(1),
            // Reached by what waits for the model alone: a busy machine delays the event loop by some milliseconds.
            burst_delay: Duration::from_secs(1),
            ..Limits::default()
        };
        let replica = Running::start(Replica::builder().model(Arc::new(model)).limits(limits)).await;
        let speak = word.clone();
        let slow = std::thread::spawn(move || {
            std::thread::sleep(TAKES);
            speak.send(()).unwrap();
        });
        assert_eq!(replica.ask(post("/predict", GOOD)).await.status, 200);
        slow.join().unwrap();
        asked.store(0, Ordering::SeqCst);
        Self { replica, word, asked }
    }

    async fn send(&self, request: impl AsRef<[u8]>) -> Client {
        let mut client = self.replica.connect().await;
        client.send(request).await;
        client
    }

    async fn asked(&self, times: usize) {
        let asked = || async { self.asked.load(Ordering::SeqCst) == times };
        until(asked, "the model is asked").await;
    }

    async fn in_flight(&self, number: usize) {
        let (name, value) = ("martello_requests_in_flight{", format!(" {number}"));
        let is_told = |line: &str| line.starts_with(name) && line.ends_with(&value);
        let in_flight = || async { self.replica.ask(get("/metrics")).await.text().lines().any(is_told) };
        until(in_flight, &format!("{number} in flight")).await;
    }
}

async fn until<F: Future<Output = bool>>(mut holds: impl FnMut() -> F, what: &str) {
    let waited = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waited).await.unwrap_or_else(|_| panic!("{what}"));
}

#[tokio::test]
async fn what_would_wait_too_long_is_shed_unread_and_every_other_page_answers() {
    let busy = Busy::start().await;
    let mut clients = vec![busy.send(post("/predict", GOOD)).await];
    busy.asked(1).await;
    // Until there is no room, something that is no JSON is read and refused.
    let shed = loop {
        assert!(clients.len() < 50, "a queue without end");
        clients.push(busy.send(post("/predict", GOOD)).await);
        let answer = busy.replica.ask(post("/predict", "no JSON")).await;
        if answer.status != 422 {
            break answer;
        }
    };
    assert_eq!((shed.status, shed.header("martello-not-processed")), (503, Some("shed")));
    assert_eq!(shed.header("retry-after"), Some("1"));
    for path in ["/invocations", "/v1/models/model:predict", "/v2/models/model/infer"] {
        let answer = busy.replica.ask(post(path, "no JSON")).await;
        assert_eq!((answer.status, answer.header("martello-not-processed")), (503, Some("shed")), "{path}");
    }
    for path in ["/health", "/metrics", "/docs", "/openapi.json", "/ping", "/v2/health/ready", "/v1/models"] {
        assert_eq!(busy.replica.ask(get(path)).await.status, 200, "{path}");
    }
    drop(busy.word);
    let mut statuses = Vec::new();
    for mut client in clients {
        statuses.push(client.answer().await.unwrap().status);
    }
    assert!(statuses.iter().all(|status| [200, 503].contains(status)), "{statuses:?}");
    assert!(statuses.iter().filter(|status| **status == 200).count() >= 3, "{statuses:?}");
}

#[tokio::test]
async fn work_that_waits_is_given_up_with_its_client() {
    let busy = Busy::start().await;
    let mut first = busy.send(post("/predict", GOOD)).await;
    busy.asked(1).await;
    let second = busy.send(post("/predict", GOOD)).await;
    busy.in_flight(2).await;
    drop(second);
    busy.in_flight(1).await;
    busy.word.send(()).unwrap();
    assert_eq!(first.answer().await.unwrap().status, 200);
    busy.word.send(()).unwrap();
    assert_eq!(busy.replica.ask(post("/predict", GOOD)).await.status, 200);
    busy.asked(2).await;
}

fn four_rows(header: &str) -> String {
    let body = format!("[{}]", [GOOD; 4].join(","));
    let length = body.len();
    format!("POST /predict HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n{header}\r\n{body}")
}

/// The one worker is free again only when the batch before has ended.
async fn stopped_after_the_part_at_which_it_was(busy: &Busy) {
    busy.word.send(()).unwrap();
    busy.word.send(()).unwrap();
    assert_eq!(busy.replica.ask(post("/predict", GOOD)).await.status, 200);
    busy.asked(2).await;
}

#[tokio::test]
async fn a_batch_in_the_middle_is_given_up_with_its_client() {
    let busy = Busy::start().await;
    let client = busy.send(four_rows("")).await;
    busy.asked(1).await;
    drop(client);
    busy.in_flight(0).await;
    stopped_after_the_part_at_which_it_was(&busy).await;
}

#[tokio::test]
async fn a_batch_in_the_middle_is_given_up_at_its_deadline() {
    let busy = Busy::start().await;
    let mut client = busy.send(four_rows("martello-timeout-ms: 1000\r\n")).await;
    busy.asked(1).await;
    assert_eq!(client.answer().await.unwrap().status, 504);
    stopped_after_the_part_at_which_it_was(&busy).await;
}

#[tokio::test]
async fn a_batch_that_is_asked_about_in_parts_is_answered_whole() {
    let busy = Busy::start().await;
    let mut client = busy.send(four_rows("")).await;
    (0..4).for_each(|_| busy.word.send(()).unwrap());
    let answer = client.answer().await.unwrap();
    let expected = format!("[{}]", [r#"{"prediction":1.0}"#; 4].join(","));
    assert_eq!((answer.status, answer.text()), (200, expected.as_str()));
    busy.asked(4).await;
}
