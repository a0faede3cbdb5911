//! `/predict` answers what FastAPI answered, status and JSON, for every recorded body.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod fixture;

use std::fmt::Write as _;
use std::sync::Arc;

use fixture::{Running, Sum};
use martello_model_core::{Batch, Cell, Column, DataType, Error, Model, Predictions, Signature};
use martello_serving::Replica;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Recording {
    cases: Vec<Case>,
}

/// A body, what FastAPI answered, and what we answer instead where we mean to.
#[derive(Deserialize)]
struct Case {
    endpoint: String,
    content_type: Option<String>,
    body: Option<Vec<(String, usize)>>,
    bytes: Option<Vec<u8>>,
    fastapi: Expected,
    ours: Option<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    status: u16,
    answer: String,
}

impl Case {
    fn sent(&self) -> Vec<u8> {
        match (&self.body, &self.bytes) {
            (Some(pieces), _) => {
                pieces.iter().map(|(text, count)| text.repeat(*count)).collect::<String>().into_bytes()
            }
            (None, Some(bytes)) => bytes.clone(),
            (None, None) => panic!("a case has a body"),
        }
    }

    fn request(&self) -> Vec<u8> {
        let body = self.sent();
        let mut head = String::from("POST /predict HTTP/1.1\r\nhost: test\r\n");
        if let Some(content_type) = &self.content_type {
            write!(head, "content-type: {content_type}\r\n").unwrap();
        }
        write!(head, "content-length: {}\r\n\r\n", body.len()).unwrap();
        [head.into_bytes(), body].concat()
    }
}

/// Shows every cell that it was given.
#[derive(Debug)]
struct Show(Arc<Signature>);

impl Model for Show {
    fn signature(&self) -> &Arc<Signature> {
        &self.0
    }

    fn predict(&self, batch: &Batch) -> Result<Predictions, Error> {
        let show = |cell| match cell {
            (0 | 1, Cell::Number(number)) => format!("{number}"),
            (_, Cell::Number(number)) => format!("{number:?}"),
            (_, Cell::Text(text)) => text.to_owned(),
            (_, Cell::Missing) => "None".to_owned(),
        };
        let row = |row| {
            (0..4).map(|column| show((column, batch.cell(row, column)))).collect::<Vec<_>>().join("|").into()
        };
        Ok(Predictions::Labels((0..batch.rows()).map(row).collect()))
    }
}

fn typed() -> Arc<Show> {
    let columns = vec![
        Column::new("i", DataType::Integer),
        Column::new("b", DataType::Boolean),
        Column::string("t"),
        Column::double("o").optional(),
    ];
    Arc::new(Show(Arc::new(Signature::new(columns, vec![Column::string("shown")]).unwrap())))
}

/// Equal byte by byte, or as JSON: Python writes `1e+16` where we write `1e16`.
fn agree(ours: &str, expected: &str) -> bool {
    let json = |text| serde_json::from_str::<Value>(text).ok();
    ours == expected || (json(ours).is_some() && json(ours) == json(expected))
}

#[tokio::test]
async fn every_recorded_body_gets_its_recorded_answer() {
    let recording: Recording = serde_json::from_str(include_str!("fastapi_cases.json")).unwrap();
    let sum = Running::start(Replica::builder().model(Sum::of_three())).await;
    let show = Running::start(Replica::builder().model(typed())).await;
    let mut wrong = String::new();
    for case in &recording.cases {
        let replica = if case.endpoint == "/typed" { &show } else { &sum };
        let answer = replica.ask(case.request()).await;
        let expected = case.ours.as_ref().unwrap_or(&case.fastapi);
        if answer.status != expected.status || !agree(answer.text(), &expected.answer) {
            let sent = String::from_utf8_lossy(&case.sent()).chars().take(120).collect::<String>();
            writeln!(wrong, "{sent}\n  expected {} {}", expected.status, expected.answer).unwrap();
            writeln!(wrong, "  got      {} {}", answer.status, answer.text()).unwrap();
        }
    }
    assert!(recording.cases.len() >= 250, "the whole recording was compared");
    assert!(wrong.is_empty(), "{wrong}");
}
