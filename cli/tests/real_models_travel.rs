//! Models travel both ways over a real MLflow server: what Python logs is served here, what is trained here is loaded by Python, with
//! the same answers.
//!
//! `.ci/real-servers` starts the server and sets `MARTELLO_TEST_MLFLOW` to its address and `MARTELLO_TEST_PYTHON` to a Python with
//! mlflow, onnxruntime and skl2onnx; without them, each test says that it was skipped.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

#[allow(dead_code, reason = "each test file uses its part")]
mod process;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use process::{Server, succeed};
use serde_json::{Value, json};

struct Python {
    program: String,
    server: String,
}

impl Python {
    fn there() -> Option<Self> {
        match (std::env::var("MARTELLO_TEST_PYTHON"), std::env::var("MARTELLO_TEST_MLFLOW")) {
            (Ok(program), Ok(server)) => Some(Self { program, server }),
            _ => {
                eprintln!("SKIPPED: MARTELLO_TEST_MLFLOW names no server; .ci/real-servers starts one");
                None
            }
        }
    }

    fn run(&self, arguments: &[&str]) -> Value {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real_models_travel.py");
        let output =
            Command::new(&self.program).arg(script).arg(&self.server).args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_str(text.lines().last().unwrap()).unwrap()
    }
}

/// Serves the model and returns what it answers for a table.
fn served(data: &Path, server: &str, uri: &str, table: &Value) -> Vec<Value> {
    let replica =
        Server::start(data, &["serve", "--listen", "127.0.0.1:0", "--tracking-uri", server, "--model", uri]);
    let body = json!({ "dataframe_split": table }).to_string();
    loop {
        let (status, answer) = post(&replica.address, "/invocations", &body);
        // Until the model is there.
        if status == 503 || status == 404 {
            std::thread::sleep(std::time::Duration::from_millis(50));
            continue;
        }
        assert_eq!(status, 200, "{uri}: {answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        return answer["predictions"].as_array().unwrap().iter().map(first).collect();
    }
}

/// A prediction is a value, or an object of named ones of which the first is the answer.
fn first(prediction: &Value) -> Value {
    match prediction {
        Value::Object(named) => {
            let answer = ["label", "variable", "output_label"].iter().find_map(|name| named.get(*name));
            answer.or_else(|| named.values().next()).unwrap().clone()
        }
        value => value.clone(),
    }
}

fn post(address: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split_whitespace().nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[track_caller]
fn assert_alike(ours: &[Value], theirs: &Value, what: &str) {
    let theirs = theirs.as_array().unwrap();
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (ours, theirs) in ours.iter().zip(theirs) {
        let alike = match (ours.as_f64(), theirs.as_f64()) {
            // The graph's own arithmetic is in 32 bits where its author chose so.
            (Some(ours), Some(theirs)) => (ours - theirs).abs() <= 1e-5 * theirs.abs().max(1.0),
            _ => ours == theirs,
        };
        assert!(alike, "{what}: {ours} and {theirs}");
    }
}

#[test]
fn what_python_logs_is_served_by_its_alias_with_the_same_answers() {
    let Some(python) = Python::there() else { return };
    let data = tempfile::tempdir().unwrap();
    let prefix = format!("travel-{}", std::process::id());
    let logged = python.run(&["log", &prefix]);
    for kind in ["linear", "logistic"] {
        let uri = format!("models:/{prefix}-{kind}@champion");
        let ours = served(data.path(), &python.server, &uri, &logged[kind]["table"]);
        assert_alike(&ours, &logged[kind]["answers"], kind);
    }
}

#[test]
fn what_is_trained_here_is_loaded_by_python_with_the_same_answers() {
    let Some(python) = Python::there() else { return };
    let data = tempfile::tempdir().unwrap();
    let linear = json!({
        "columns": ["feature1", "feature2", "feature3"],
        "data": [[5.3, 2.1, 0.8], [0.0, 0.0, 0.0], [-1.0, 1e3, 0.25]],
    });
    let penguins = json!({
        "columns": ["island", "bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "sex"],
        "data": [["Torgersen", 39.1, 18.7, 181.0, 3750.0, "male"], ["Biscoe", 46.1, 13.2, 211.0, 4500.0, "female"],
                 ["Dream", 46.5, 17.9, 192.0, 3500.0, "female"]],
    });
    for (job, table) in [("linear-regression", linear), ("penguin-species", penguins)] {
        let name = format!("trained-{job}-{}", std::process::id());
        succeed(
            data.path(),
            &["train", "--job", job, "--model-name", &name, "--tracking-uri", &python.server],
        );
        let uri = format!("models:/{name}@champion");
        let ours = served(data.path(), &python.server, &uri, &table);
        let theirs = python.run(&["predict", &uri, &table.to_string()]);
        assert_alike(&ours, &theirs, job);
    }
}
