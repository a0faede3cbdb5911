//! Models are swapped while requests of every dialect run: none fails, none is answered by two models.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod fixture;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fixture::{Running, Sum, post};
use martello_model_core::{Batch, Column, Error, Model, Predictions, Signature};
use martello_serving::{Replica, ServedModel, Slot};
use serde_json::{Value, json};

const SWAPS: u32 = 100;
const CLIENTS: usize = 8;
const ROWS: usize = 5;

/// Takes the columns of [`Sum`] in another order, and answers text: rows that were read for one model and given to the other
/// would show.
#[derive(Debug)]
struct Label(Arc<Signature>);

impl Label {
    fn new() -> Arc<Self> {
        let columns = ["feature3", "feature1", "feature2"].map(Column::double).to_vec();
        Arc::new(Self(Arc::new(Signature::new(columns, vec![Column::string("label")]).unwrap())))
    }
}

impl Model for Label {
    fn signature(&self) -> &Arc<Signature> {
        &self.0
    }

    fn predict(&self, batch: &Batch) -> Result<Predictions, Error> {
        let label = |row: &[f64]| format!("{} {} {}", row[0], row[1], row[2]).into();
        Ok(Predictions::Labels(batch.numbers().chunks_exact(3).map(label).collect()))
    }
}

/// Where a dialect's answer has the predictions.
type FindPredictions = fn(&Value) -> Vec<Value>;

/// A request in each dialect, and where its answer has the predictions.
fn dialects() -> [(String, FindPredictions); 4] {
    let row = |x| json!({ "feature1": x, "feature2": 10, "feature3": 100 });
    let rows: Vec<_> = (0..ROWS).map(row).collect();
    let column = |name: &str| {
        let cells: Vec<_> = rows.iter().map(|row| row[name].clone()).collect();
        json!({ "name": name, "datatype": "FP64", "shape": [ROWS], "data": cells })
    };
    let tensors = ["feature1", "feature2", "feature3"].map(column);
    let inputs = json!({ "inputs": tensors });
    [
        (post("/predict", &json!(rows).to_string()), |answer| {
            answer.as_array().unwrap().iter().map(|row| row["prediction"].clone()).collect()
        }),
        (post("/invocations", &json!({ "dataframe_records": rows }).to_string()), list),
        (post("/v1/models/m:predict", &json!({ "instances": rows }).to_string()), list),
        (post("/v2/models/m/infer", &inputs.to_string()), |answer| {
            answer["outputs"][0]["data"].as_array().unwrap().clone()
        }),
    ]
}

fn list(answer: &Value) -> Vec<Value> {
    answer["predictions"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_swaps_under_load_fail_no_request_and_mix_no_answer() {
    let slot = Slot::holding(ServedModel::new("m", Sum::of_three()));
    let replica = Running::start(Replica::builder().slot(slot.clone())).await;
    let sums: Vec<_> = (0..ROWS).map(|x| json!((x + 110) as f64)).collect();
    let labels: Vec<_> = (0..ROWS).map(|x| json!(format!("100 {x} 10"))).collect();
    let expected = Arc::new([sums, labels]);
    let stop = Arc::new(AtomicBool::new(false));
    let seen = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);

    let mut clients = Vec::new();
    for (request, predictions) in dialects().into_iter().cycle().take(CLIENTS) {
        let (mut client, stop, seen) = (replica.connect().await, Arc::clone(&stop), Arc::clone(&seen));
        let expected = Arc::clone(&expected);
        clients.push(tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                client.send(request.clone()).await;
                let answer = client.answer().await.expect("every request is answered");
                assert_eq!(answer.status, 200, "{}", answer.text());
                let got = predictions(&serde_json::from_str(answer.text()).unwrap());
                let model = expected.iter().position(|expected| *expected == got);
                let model = model.unwrap_or_else(|| panic!("a mixed answer: {}", answer.text()));
                seen[model].fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    for swap in 0..SWAPS {
        // Each model answers at least once before it is swapped out, so that every swap happens under load.
        let before = seen[swap as usize % 2].load(Ordering::Relaxed);
        let answered = async {
            while seen[swap as usize % 2].load(Ordering::Relaxed) == before {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(fixture::PATIENCE, answered).await.expect("the model in service answers");
        let model: Arc<dyn Model> = if swap % 2 == 0 { Label::new() } else { Sum::of_three() };
        slot.put(ServedModel::new("m", model).with_version(swap));
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    assert!(seen.iter().all(|count| count.load(Ordering::Relaxed) >= u64::from(SWAPS) / 2));
}
