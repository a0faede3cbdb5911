//! The parser of `/predict` against a slow and obvious one over `serde_json::Value`.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::sync::Arc;

use martello_model_core::{Batch, Column, Signature};
use martello_serving::Limits;
use martello_serving::dialect::predict::{self, Form};
use proptest::prelude::*;
use serde_json::Value;

const COLUMNS: [&str; 3] = ["a", "b", "long name é"];

fn signature() -> Arc<Signature> {
    let columns =
        vec![Column::double(COLUMNS[0]), Column::double(COLUMNS[1]).optional(), Column::double(COLUMNS[2])];
    Arc::new(Signature::new(columns, vec![]).unwrap())
}

/// Forgets the sign of zero: `-0` is an integer without one to Python, and `serde_json::Value` does not tell it from `-0.0`.
fn bits(number: f64) -> u64 {
    (number + 0.0).to_bits()
}

/// What a body says, or the type and place of everything wrong with it.
type Reading = Result<(Form, Vec<Option<u64>>), Vec<(String, Value)>>;

fn reference(body: &str) -> Reading {
    match serde_json::from_str::<Value>(body).expect("only well-formed bodies are compared") {
        Value::Array(rows) => {
            let read: Vec<_> =
                rows.iter().enumerate().map(|(row, value)| reference_row(value, vec![row.into()])).collect();
            let errors: Vec<_> =
                read.iter().filter_map(|row| row.as_ref().err()).flatten().cloned().collect();
            if errors.is_empty() {
                Ok((Form::List, read.into_iter().flatten().flatten().collect()))
            } else {
                Err(errors)
            }
        }
        other => reference_row(&other, vec![]).map(|cells| (Form::One, cells)),
    }
}

fn reference_row(row: &Value, place: Vec<Value>) -> Result<Vec<Option<u64>>, Vec<(String, Value)>> {
    let place = [vec![Value::from("body")], place].concat();
    let Value::Object(members) = row else {
        return Err(vec![("model_attributes_type".to_owned(), place.into())]);
    };
    let (mut cells, mut errors) = (Vec::new(), Vec::new());
    for column in COLUMNS {
        match reference_cell(members.get(column), column == COLUMNS[1]) {
            Ok(cell) => cells.push(cell.map(bits)),
            Err(kind) => errors.push((kind.to_owned(), [place.clone(), vec![column.into()]].concat().into())),
        }
    }
    if errors.is_empty() { Ok(cells) } else { Err(errors) }
}

fn reference_cell(value: Option<&Value>, optional: bool) -> Result<Option<f64>, &'static str> {
    match value {
        None => {
            if optional {
                Ok(None)
            } else {
                Err("missing")
            }
        }
        Some(Value::Null) => {
            if optional {
                Ok(None)
            } else {
                Err("float_type")
            }
        }
        Some(Value::Bool(flag)) => Ok(Some(if *flag { 1.0 } else { 0.0 })),
        Some(Value::Number(number)) => Ok(number.as_f64()),
        Some(Value::String(text)) => text.trim().parse().map(Some).map_err(|_| "float_parsing"),
        Some(Value::Array(_) | Value::Object(_)) => Err("float_type"),
    }
}

fn ours(body: &str) -> Reading {
    let cells = |batch: &Batch| batch.numbers().iter().map(|x| (!x.is_nan()).then_some(bits(*x))).collect();
    match predict::parse(body.as_bytes(), &signature(), &Limits::default()) {
        Ok(rows) => Ok((rows.form, cells(&rows.batch))),
        Err(refusal) => {
            let answer: Value = serde_json::from_slice(&refusal.body).unwrap();
            let problem =
                |problem: &Value| (problem["type"].as_str().unwrap().to_owned(), problem["loc"].clone());
            Err(answer["detail"].as_array().unwrap().iter().map(problem).collect())
        }
    }
}

fn number() -> impl Strategy<Value = String> {
    let any_double = any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(|x| format!("{x:?}"));
    prop_oneof![
        any_double,
        any::<i64>().prop_map(|x| x.to_string()),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?(e-?[0-9]{1,2})?"
    ]
}

fn value() -> impl Strategy<Value = String> {
    let texts = r#"("[a-z0-9 .é]{0,6}"|" [0-9]{1,3} "|"\\u003[0-9]\\n")"#;
    prop_oneof![
        6 => number(),
        1 => number().prop_map(|number| format!("\"{number}\"")),
        1 => texts,
        1 => "(true|false|null|\\[\\]|\\{\\}|\\[1,\\{\"a\":\\[\\]\\}\\])",
    ]
}

/// An object that usually has its columns, in any order, with strangers between them.
fn object() -> impl Strategy<Value = String> {
    let member = |name: &'static str| {
        (prop::bool::weighted(0.95), value(), "[ \t\r\n]{0,2}").prop_map(move |(there, value, space)| {
            there.then(|| format!("{space}\"{name}\"{space}:{space}{value}{space}"))
        })
    };
    let names = [COLUMNS[0], COLUMNS[1], r"long name \u00e9", COLUMNS[2], "stranger", COLUMNS[0]];
    names
        .map(member)
        .prop_map(|members| members.into_iter().flatten().collect::<Vec<_>>())
        .prop_shuffle()
        .prop_map(|members| format!("{{{}}}", members.join(",")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn an_object_is_read_as_the_reference_reads_it(body in object()) {
        prop_assert_eq!(ours(&body), reference(&body), "{}", body);
    }

    #[test]
    fn a_list_is_read_as_the_reference_reads_it(rows in prop::collection::vec(prop_oneof![9 => object(), 1 => value()], 0..5)) {
        let body = format!(" [{}] ", rows.join(" ,"));
        prop_assert_eq!(ours(&body), reference(&body), "{}", body);
    }
}
