//! Work that nobody waits for any more is given up.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod fixture;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use fixture::{GOOD, Running, Sum};
use martello_model_core::{Batch, Error, Model, Predictions, Signature};
use martello_serving::{Limits, Replica};

/// Waits for a word before it answers, and counts how often it was asked.
#[derive(Debug)]
struct Waits {
    signature: Arc<Signature>,
    word: Mutex<Receiver<()>>,
    asked: Arc<AtomicUsize>,
}

fn waits() -> (Sender<()>, Arc<AtomicUsize>, Waits) {
    let ((sender, word), asked) = (channel(), Arc::new(AtomicUsize::new(0)));
    let signature = Arc::clone(Sum::of_three().signature());
    (sender, Arc::clone(&asked), Waits { signature, word: Mutex::new(word), asked })
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

fn ask(header: &str) -> String {
    let length = GOOD.len();
    format!("POST /predict HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n{header}\r\n{GOOD}")
}

/// One thread for blocking work, so that a second question has to wait for the first.
#[test]
fn rows_that_wait_when_the_time_is_over_are_never_asked_about() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let (word, asked, model) = waits();
        let limits = Limits { inline_rows: 0, ..Limits::default() };
        let replica = Running::start(Replica::builder().model(Arc::new(model)).limits(limits)).await;
        let mut first = replica.connect().await;
        first.send(ask("")).await;
        while asked.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        for header in ["martello-timeout-ms: 1\r\n", "x-envoy-expected-rq-timeout-ms: 1\r\n"] {
            let answer = replica.ask(ask(header)).await;
            assert_eq!(
                (answer.status, answer.text()),
                (504, r#"{"detail":"The answer was not ready in time"}"#)
            );
            assert_eq!(answer.header("martello-pure"), Some("?1"));
        }
        word.send(()).unwrap();
        assert_eq!(first.answer().await.unwrap().status, 200);
        // Whatever was queued would run before this.
        tokio::task::spawn_blocking(|| ()).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    });
}

#[tokio::test]
async fn the_default_bounds_what_a_caller_may_ask_for() {
    let (word, _, model) = waits();
    let limits = Limits { inline_rows: 0, answer: Duration::from_millis(1), ..Limits::default() };
    let replica = Running::start(Replica::builder().model(Arc::new(model)).limits(limits)).await;
    for header in ["", "martello-timeout-ms: 60000\r\n", "martello-timeout-ms: soon\r\n"] {
        assert_eq!(replica.ask(ask(header)).await.status, 504, "{header}");
    }
    drop(word);
}
