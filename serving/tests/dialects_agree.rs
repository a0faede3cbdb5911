//! The same rows get the same answers in every dialect, to the bit.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod fixture;

use std::sync::Arc;

use fixture::Sum;
use http_body_util::{BodyExt as _, Full};
use martello_model_core::{Batch, Column, DataType, Error, Model, Predictions, Signature};
use martello_serving::bytes::Bytes;
use martello_serving::http::Request;
use martello_serving::{Api, Limits, ServedModel, Slot};
use proptest::prelude::*;
use serde_json::{Value, json};
use tower::ServiceExt as _;

type Row = [f64; 3];
const NAMES: [&str; 3] = ["feature1", "feature2", "feature3"];

fn api(model: Arc<dyn Model>) -> Api {
    Api::new(Slot::holding(ServedModel::new("m", model).with_version(7)), Limits::default())
}

/// Asks and returns the head of the answer that matters, and its body.
async fn ask(
    api: &Api,
    path: &str,
    content_type: &str,
    json_length: Option<usize>,
    body: Vec<u8>,
) -> (u16, Option<usize>, Vec<u8>) {
    let mut request = Request::post(path).header("content-type", content_type);
    if let Some(length) = json_length {
        request = request.header("inference-header-content-length", length);
    }
    let answer = api.clone().oneshot(request.body(Full::<Bytes>::from(body)).unwrap()).await.unwrap();
    let length = answer.headers().get("inference-header-content-length");
    let length = length.map(|length| length.to_str().unwrap().parse().unwrap());
    (answer.status().as_u16(), length, answer.into_body().collect().await.unwrap().to_bytes().to_vec())
}

async fn predictions(api: &Api, path: &str, content_type: &str, body: Vec<u8>) -> Vec<u64> {
    let (status, _, body) = ask(api, path, content_type, None, body).await;
    let text = String::from_utf8(body).unwrap();
    assert_eq!(status, 200, "{path}: {text}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    let list = match &answer {
        Value::Array(list) => list.iter().map(|row| &row["prediction"]).collect::<Vec<_>>(),
        answer => {
            let data = answer.get("predictions").unwrap_or_else(|| &answer["outputs"][0]["data"]);
            data.as_array().unwrap().iter().collect()
        }
    };
    list.into_iter().map(|number| number.as_f64().unwrap().to_bits()).collect()
}

fn records(rows: &[Row]) -> Value {
    let record = |row: &Row| json!({ "feature1": row[0], "feature2": row[1], "feature3": row[2] });
    rows.iter().map(record).collect()
}

fn columns(rows: &[Row]) -> Value {
    let column = |at: usize| rows.iter().map(|row| row[at]).collect::<Vec<_>>();
    json!({ "feature1": column(0), "feature2": column(1), "feature3": column(2) })
}

fn csv(rows: &[Row]) -> String {
    let lines = rows.iter().map(|row| format!("{:e},{},{}\n", row[0], row[1], row[2]));
    std::iter::once("feature1,feature2,feature3\n".to_owned()).chain(lines).collect()
}

/// One tensor per column, or one for all, in JSON.
fn tensors(rows: &[Row]) -> [Value; 3] {
    let tensor = |name: &str, shape: &[usize], data: Value| json!({ "name": name, "shape": shape, "datatype": "FP64", "data": data });
    let column = |at: usize| rows.iter().map(|row| row[at]).collect::<Vec<_>>();
    let single: Vec<_> = [2, 0, 1].map(|at| tensor(NAMES[at], &[rows.len()], column(at).into())).to_vec();
    let flat = tensor("rows", &[rows.len(), 3], rows.concat().into());
    let nested = tensor("rows", &[rows.len(), 3], json!(rows));
    [json!({ "inputs": single }), json!({ "inputs": [flat] }), json!({ "inputs": [nested] })]
}

/// One tensor per column as bytes, asking for bytes.
async fn binary(api: &Api, rows: &[Row]) -> Vec<u64> {
    let mut bytes = Vec::new();
    let mut inputs = Vec::new();
    for (at, name) in NAMES.iter().enumerate() {
        bytes.extend(rows.iter().flat_map(|row| row[at].to_le_bytes()));
        let size = json!({ "binary_data_size": 8 * rows.len() });
        inputs
            .push(json!({ "name": name, "shape": [rows.len(), 1], "datatype": "FP64", "parameters": size }));
    }
    let head =
        json!({ "id": "x\"y", "inputs": inputs, "parameters": { "binary_data_output": true } }).to_string();
    let (length, body) = (head.len(), [head.into_bytes(), bytes].concat());
    let (status, json_length, answer) =
        ask(api, "/v2/models/m/versions/7/infer", "", Some(length), body).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
    let (head, data) = answer.split_at(json_length.unwrap());
    let head: Value = serde_json::from_slice(head).unwrap();
    let output = json!({
        "name": "target", "shape": [rows.len()], "datatype": "FP64", "parameters": { "binary_data_size": data.len() },
    });
    assert_eq!(head, json!({ "model_name": "m", "model_version": "7", "id": "x\"y", "outputs": [output] }));
    data.chunks_exact(8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap())).collect()
}

async fn all_agree(rows: Vec<Row>) {
    // Adding the negative zero changes no number, not even a zero.
    let api = api(Sum::of_three_plus(-0.0));
    let expected: Vec<u64> = rows.iter().map(|row| (row[0] + row[1] + row[2]).to_bits()).collect();
    let json_type = "application/json";
    let data: Vec<_> = rows.iter().map(|row| vec![row[2], row[0], row[1]]).collect();
    let split = json!({ "columns": ["feature3", "feature1", "feature2"], "data": data });
    let [single, flat, nested] = tensors(&rows);
    let infer = "/v2/models/m/infer";
    let asked = [
        ("/predict", records(&rows)),
        ("/invocations", json!({ "dataframe_records": records(&rows) })),
        ("/invocations", json!({ "dataframe_split": split })),
        ("/invocations", json!({ "instances": records(&rows) })),
        ("/invocations", json!({ "inputs": columns(&rows) })),
        ("/v1/models/m:predict", json!({ "instances": records(&rows) })),
        ("/v1/models/m/versions/7:predict", json!({ "instances": rows })),
        ("/v1/models/m:predict", json!({ "inputs": columns(&rows) })),
        (infer, single),
        (infer, flat),
        (infer, nested),
    ];
    for (path, body) in asked {
        let answers = predictions(&api, path, json_type, body.to_string().into_bytes()).await;
        assert_eq!(answers, expected, "{path} {body}");
    }
    assert_eq!(predictions(&api, "/invocations", "text/csv", csv(&rows).into_bytes()).await, expected);
    assert_eq!(binary(&api, &rows).await, expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_same_rows_get_the_same_answers_in_every_dialect(
        // Within a range whose sums are finite; zeros of both signs and subnormals included.
        rows in prop::collection::vec(prop::array::uniform3(prop_oneof![
            4 => any::<f64>().prop_filter("a sum must be finite", |x| x.is_finite() && x.abs() < 1e300),
            1 => Just(-0.0), 1 => Just(5e-324), 1 => (-1000..1000_i32).prop_map(f64::from),
        ]), 1..5)
    ) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(all_agree(rows));
    }

    #[test]
    fn any_bytes_get_an_answer_of_their_dialect(body in prop::collection::vec(any::<u8>(), 0..60), length in 0..80_usize) {
        let api = api(Sum::of_three());
        let run = async {
            for (path, field) in [("/invocations", "message"), ("/v1/models/m:predict", "error"), ("/v2/models/m/infer", "error")] {
                let (status, _, answer) = ask(&api, path, "application/json", Some(length), body.clone()).await;
                let answer: Value = serde_json::from_slice(&answer).unwrap();
                assert!(status == 400 && answer[field].is_string(), "{path}: {status} {answer}");
            }
        };
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run);
    }
}

/// Says what it was given.
#[derive(Debug)]
struct Echo(Arc<Signature>);

impl Model for Echo {
    fn signature(&self) -> &Arc<Signature> {
        &self.0
    }

    fn predict(&self, batch: &Batch) -> Result<Predictions, Error> {
        let row = |row| {
            let columns = 0..self.0.inputs().len();
            columns
                .map(|column| format!("{:?}", batch.cell(row, column)))
                .collect::<Vec<_>>()
                .join(" ")
                .into()
        };
        Ok(Predictions::Labels((0..batch.rows()).map(row).collect()))
    }
}

type Mixed = (String, i32, Option<f64>, bool);

fn mixed_api() -> Api {
    let columns = vec![
        Column::string("s"),
        Column::new("n", DataType::Integer),
        Column::double("x").optional(),
        Column::new("b", DataType::Boolean),
    ];
    api(Arc::new(Echo(Arc::new(Signature::new(columns, vec![]).unwrap()))))
}

async fn all_ways_see_the_same(rows: Vec<Mixed>) {
    let api = mixed_api();
    let records: Value = rows.iter().map(|(s, n, x, b)| json!({ "s": s, "n": n, "x": x, "b": b })).collect();
    let cells: Value = rows.iter().map(|(s, n, x, b)| json!([b, x, s, n])).collect();
    let in_order: Value = rows.iter().map(|(s, n, x, b)| json!([s, n, x, b])).collect();
    let column =
        |name: &str| records.as_array().unwrap().iter().map(|row| row[name].clone()).collect::<Value>();
    let columns = json!({ "b": column("b"), "n": column("n"), "s": column("s"), "x": column("x") });
    let tensor = |name: &str, datatype: &str| json!({ "name": name, "shape": [rows.len()], "datatype": datatype, "data": column(name) });
    let tensors =
        json!([tensor("x", "FP64"), tensor("s", "BYTES"), tensor("b", "BOOL"), tensor("n", "INT32")]);
    let line = |(s, n, x, b): &Mixed| {
        let (s, x) = (s.replace('"', "\"\""), x.map(|x| format!("{x:e}")).unwrap_or_default());
        format!("{x},\"{s}\",{n},{b}\n")
    };
    let csv: String = std::iter::once("x,s,n,b\n".to_owned()).chain(rows.iter().map(line)).collect();
    let split = json!({ "columns": ["b", "x", "s", "n"], "data": cells });
    let asked = [
        ("/predict", "application/json", records.to_string()),
        ("/invocations", "application/json", json!({ "dataframe_records": records }).to_string()),
        ("/invocations", "application/json", json!({ "dataframe_split": split }).to_string()),
        ("/invocations", "application/json", json!({ "inputs": columns }).to_string()),
        ("/invocations", "text/csv", csv),
        ("/v1/models/m:predict", "", json!({ "instances": records }).to_string()),
        ("/v1/models/m:predict", "", json!({ "instances": in_order }).to_string()),
        ("/v1/models/m:predict", "", json!({ "inputs": columns }).to_string()),
        ("/v2/models/m/infer", "", json!({ "inputs": tensors }).to_string()),
    ];
    let expected: Vec<_> = rows
        .iter()
        .map(|(s, n, x, b)| {
            let x = x.map_or("Missing".to_owned(), |x| format!("Number({x:?})"));
            format!("Text({s:?}) Number({:?}) {x} Number({:?})", f64::from(*n), f64::from(u8::from(*b)))
        })
        .collect();
    for (path, content_type, body) in asked {
        let (status, _, answer) = ask(&api, path, content_type, None, body.clone().into_bytes()).await;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(status, 200, "{path} {body}: {answer}");
        let answers: Vec<_> = match &answer {
            Value::Array(list) => list.iter().map(|row| &row["prediction"]).collect(),
            answer => {
                let list = answer.get("predictions").unwrap_or_else(|| &answer["outputs"][0]["data"]);
                list.as_array().unwrap().iter().collect()
            }
        };
        assert_eq!(
            answers,
            expected.iter().map(|text| json!(text)).collect::<Vec<_>>().iter().collect::<Vec<_>>(),
            "{path} {body}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn columns_of_every_type_are_read_alike_in_every_dialect(
        // A first letter, since an empty cell of CSV is a missing one and so are some words.
        rows in prop::collection::vec((
            "z\\PC{0,8}",
            any::<i32>(),
            prop::option::of(any::<f64>().prop_filter("JSON has no word for another", |x| x.is_finite())),
            any::<bool>(),
        ), 1..5)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(all_ways_see_the_same(rows));
    }
}

#[tokio::test]
async fn texts_whole_numbers_and_missing_values_agree_too() {
    let columns =
        vec![Column::string("s"), Column::new("n", DataType::Integer), Column::double("x").optional()];
    let api = api(Arc::new(Echo(Arc::new(Signature::new(columns, vec![]).unwrap()))));
    let rows = json!([{ "s": "é,\"", "n": 7, "x": null }, { "s": "NAN", "n": -1, "x": 0.5 }]);
    let expected = json!([r#"Text("é,\"") Number(7.0) Missing"#, r#"Text("NAN") Number(-1.0) Number(0.5)"#]);
    let tensor = |name: &str, datatype: &str, data: Value| json!({ "name": name, "shape": [2], "datatype": datatype, "data": data });
    let inputs = json!([
        tensor("n", "INT32", json!([7, -1])),
        tensor("x", "FP64", json!([null, 0.5])),
        tensor("s", "BYTES", json!(["é,\"", "NAN"])),
    ]);
    let asked = [
        (
            "/invocations",
            "application/json",
            json!({ "dataframe_records": rows }).to_string(),
            "/predictions",
        ),
        ("/invocations", "text/csv", "n,s,x\n7,\"é,\"\"\",\n-1,NAN,0.5\n".to_owned(), "/predictions"),
        ("/v1/models/m:predict", "", json!({ "instances": rows }).to_string(), "/predictions"),
        ("/v2/models/m/infer", "", json!({ "inputs": inputs }).to_string(), "/outputs/0/data"),
    ];
    for (path, content_type, body, pointer) in asked {
        let (status, _, answer) = ask(&api, path, content_type, None, body.into_bytes()).await;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!((status, answer.pointer(pointer)), (200, Some(&expected)), "{path}: {answer}");
    }
}
