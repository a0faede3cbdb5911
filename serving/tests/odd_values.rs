//! Missing values, values out of the ordinary, and columns in another order, too many or too few: what the crate's
//! documentation says of them, in every dialect.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use martello_model_core::engine::LinearRegression;
use martello_model_core::preprocessing::{ColumnEncoding, Encoder};
use martello_model_core::{Batch, Column, DataType, Error, Model, NativeModel, Predictions, Signature};
use martello_serving::bytes::Bytes;
use martello_serving::http::Request;
use martello_serving::{Api, Limits, ServedModel, Slot};
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;

/// One way to ask: `/predict`, two of MLflow's, CSV, KServe V1 and the Open Inference Protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Predict,
    Records,
    Split,
    Csv,
    V1,
    V2,
}

const WAYS: [Way; 6] = [Way::Predict, Way::Records, Way::Split, Way::Csv, Way::V1, Way::V2];

type Row = Map<String, Value>;

/// What a model was given, or what the caller was told instead.
type Outcome = Result<Value, String>;

/// Answers each row with what it was given.
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

fn api(model: Arc<dyn Model>) -> Api {
    Api::new(Slot::holding(ServedModel::new("m", model)), Limits::default())
}

/// A model of one column, beside a required text, so that no row is empty.
fn echo(column: Column) -> (Api, Column) {
    let signature = Signature::new(vec![column.clone(), Column::string("key")], vec![]).unwrap();
    (api(Arc::new(Echo(Arc::new(signature)))), column)
}

fn csv_cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => format!("\"{}\"", text.replace('"', "\"\"")),
        other => other.to_string(),
    }
}

fn datatype(column: Option<&Column>) -> &'static str {
    match column.map(|column| column.data_type) {
        Some(DataType::Boolean) => "BOOL",
        Some(DataType::Integer) => "INT32",
        Some(DataType::Double) => "FP64",
        _ => "BYTES",
    }
}

fn body(way: Way, row: &Row, columns: &[Column]) -> (&'static str, &'static str, String) {
    let (names, cells): (Vec<_>, Vec<_>) = row.iter().unzip();
    match way {
        Way::Predict => ("/predict", "", json!([row]).to_string()),
        Way::Records => {
            ("/invocations", "application/json", json!({ "dataframe_records": [row] }).to_string())
        }
        Way::Split => {
            let split = json!({ "dataframe_split": { "columns": names, "data": [cells] } });
            ("/invocations", "application/json", split.to_string())
        }
        Way::Csv => {
            let names: Vec<_> = names.into_iter().map(String::as_str).collect();
            let cells: Vec<_> = cells.into_iter().map(csv_cell).collect();
            ("/invocations", "text/csv", format!("{}\n{}\n", names.join(","), cells.join(",")))
        }
        Way::V1 => ("/v1/models/m:predict", "", json!({ "instances": [row] }).to_string()),
        Way::V2 => {
            let tensor = |(name, cell): (&String, &Value)| {
                let column = columns.iter().find(|column| column.name == *name);
                json!({ "name": name, "shape": [1], "datatype": datatype(column), "data": [cell] })
            };
            let tensors: Vec<_> = row.iter().map(tensor).collect();
            ("/v2/models/m/infer", "", json!({ "inputs": tensors }).to_string())
        }
    }
}

/// Asks about one row; `edit` changes the text of the body, for what `serde_json` cannot say.
async fn ask(api: &Api, way: Way, row: &Row, columns: &[Column], edit: (&str, &str)) -> Outcome {
    let (path, content_type, body) = body(way, row, columns);
    let body = body.replace(edit.0, edit.1);
    let request = Request::post(path).header("content-type", content_type);
    let answer = api.clone().oneshot(request.body(Full::<Bytes>::from(body)).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    let answer: Value = serde_json::from_slice(&text).unwrap();
    let expected = if way == Way::Predict { 422 } else { 400 };
    match status {
        200 => {
            let pointers = ["/0/prediction", "/predictions/0", "/outputs/0/data/0"];
            Ok(pointers.iter().find_map(|at| answer.pointer(at)).unwrap().clone())
        }
        status => {
            assert_eq!(status, expected, "{way:?} {answer}");
            Err(answer.to_string())
        }
    }
}

/// Asks in every way about a row with this value in its one column, or without that column.
async fn check(column: Column, value: Option<&str>, expected: Result<&str, &str>) {
    let (api, column) = echo(column);
    let columns = [column.clone()];
    for way in WAYS {
        let mut row = Row::new();
        row.insert("key".to_owned(), json!("k"));
        if value.is_some() {
            row.insert(column.name.clone(), json!("VALUE"));
        }
        // Written as text of JSON, where NaN is Python's word and no JSON; an empty cell is CSV's null.
        let value = match value.unwrap_or_default() {
            "null" if way == Way::Csv => "",
            value => value,
        };
        // A tensor of whole numbers has no NaN; what is missing there is null.
        let is_no_nan = way == Way::V2 && value == "NaN" && column.data_type == DataType::Integer;
        let expected = if is_no_nan { Err("no number") } else { expected };
        let outcome = ask(&api, way, &row, &columns, ("\"VALUE\"", value)).await;
        match (&outcome, expected) {
            (Ok(given), Ok(cell)) => assert_eq!(given, &format!("{cell} Text(\"k\")"), "{way:?} {value}"),
            (Err(told), Err(_)) => {
                assert!(told.contains(&column.name), "{way:?} {value}: {told} does not name the column");
            }
            _ => panic!("{way:?} {column:?} {value}: {outcome:?}, expected {expected:?}"),
        }
    }
}

fn double() -> Column {
    Column::double("x")
}

fn integer() -> Column {
    Column::new("x", DataType::Integer)
}

#[tokio::test]
async fn null_and_an_absent_column_are_missing_where_that_is_allowed() {
    for column in [double(), integer(), Column::new("x", DataType::Boolean), Column::string("x")] {
        check(column.clone().optional(), Some("null"), Ok("Missing")).await;
        check(column.clone().optional(), None, Ok("Missing")).await;
        check(column.clone(), Some("null"), Err("required")).await;
        check(column, None, Err("required")).await;
    }
}

#[tokio::test]
async fn nan_is_missing_where_that_is_allowed_and_infinity_is_nothing() {
    for column in [double(), integer()] {
        check(column.clone().optional(), Some("NaN"), Ok("Missing")).await;
        check(column.clone(), Some("NaN"), Err("no number")).await;
        for infinity in ["Infinity", "-Infinity", "1e400"] {
            check(column.clone().optional(), Some(infinity), Err("not finite")).await;
            check(column.clone(), Some(infinity), Err("not finite")).await;
        }
    }
}

#[tokio::test]
async fn a_whole_number_may_be_written_as_pandas_writes_a_column_with_missing_values() {
    check(integer().optional(), Some("3.0"), Ok("Number(3.0)")).await;
    check(integer().optional(), Some("3.5"), Err("not whole")).await;
    check(integer(), Some("2147483648"), Err("beyond 32 bits")).await;
}

/// What an unseen category is answered like: a missing one.
#[tokio::test]
async fn a_category_that_the_model_has_not_seen_has_no_feature() {
    let columns = vec![Column::string("island").optional(), Column::double("x")];
    let signature = Signature::new(columns.clone(), vec![Column::double("y")]).unwrap();
    let islands = ColumnEncoding::one_hot(["Biscoe", "Dream"]).unwrap();
    let encoder = Encoder::new(&signature, vec![islands, ColumnEncoding::Number]).unwrap();
    let model =
        NativeModel::new(signature, encoder, LinearRegression::new(vec![10.0, 20.0, 1.0], 0.5).unwrap());
    let api = api(Arc::new(model.unwrap()));
    for way in WAYS {
        for (island, expected) in [("Biscoe", 13.5), ("Dream", 23.5), ("Torgersen", 3.5), ("biscoe", 3.5)] {
            let row = json!({ "island": island, "x": 3.0 });
            let answer = ask(&api, way, row.as_object().unwrap(), &columns, ("", "")).await;
            assert_eq!(answer, Ok(json!(expected)), "{way:?} {island}");
        }
        let row = json!({ "island": null, "x": 3.0 });
        assert_eq!(
            ask(&api, way, row.as_object().unwrap(), &columns, ("", "")).await,
            Ok(json!(3.5)),
            "{way:?}"
        );
    }
}

#[tokio::test]
async fn columns_come_in_any_order_and_further_ones_are_ignored_where_they_can_be() {
    let columns = ["b", "a", "c"].map(Column::double).to_vec();
    let api = api(Arc::new(Echo(Arc::new(Signature::new(columns.clone(), vec![]).unwrap()))));
    let expected = json!("Number(1.0) Number(2.0) Number(3.0)");
    // serde_json sorts members: none of these orders is the signature's.
    let row = json!({ "a": 2.0, "b": 1.0, "c": 3.0 });
    let further = json!({ "a": 2.0, "aa": "text", "b": 1.0, "c": 3.0, "z": 7 });
    for way in WAYS {
        assert_eq!(
            ask(&api, way, row.as_object().unwrap(), &columns, ("", "")).await,
            Ok(expected.clone()),
            "{way:?}"
        );
        let answer = ask(&api, way, further.as_object().unwrap(), &columns, ("", "")).await;
        if way == Way::V2 {
            // A tensor that nobody asked for is a mistake of the client, as in Triton.
            assert!(answer.unwrap_err().contains("unexpected inference input"));
        } else {
            assert_eq!(answer, Ok(expected.clone()), "{way:?}");
        }
    }
}

#[tokio::test]
async fn every_bad_cell_is_listed_with_row_column_expected_and_got() {
    let columns =
        vec![Column::double("x"), Column::new("n", DataType::Integer).optional(), Column::string("s")];
    let api = api(Arc::new(Echo(Arc::new(Signature::new(columns, vec![]).unwrap()))));
    let rows =
        json!([{ "x": "abc", "n": 1.5, "s": 3 }, { "x": 1, "n": 2, "s": "fine" }, { "n": [], "s": "t" }]);
    let request = Request::post("/predict").body(Full::<Bytes>::from(rows.to_string())).unwrap();
    let answer = api.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 422);
    let answer: Value =
        serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap();
    let told: Vec<_> = answer["detail"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| (problem["loc"].clone(), problem["type"].as_str().unwrap(), problem["input"].clone()))
        .collect();
    assert_eq!(
        told,
        [
            (json!(["body", 0, "x"]), "float_parsing", json!("abc")),
            (json!(["body", 0, "n"]), "int_from_float", json!(1.5)),
            (json!(["body", 0, "s"]), "string_type", json!(3)),
            (json!(["body", 2, "x"]), "missing", json!({ "n": [], "s": "t" })),
            (json!(["body", 2, "n"]), "int_type", json!([])),
        ]
    );
    for (path, body, message) in [
        ("/invocations", json!({ "dataframe_records": rows }), "/message"),
        ("/v1/models/m:predict", json!({ "instances": rows }), "/error"),
    ] {
        let request = Request::post(path).header("content-type", "application/json");
        let answer =
            api.clone().oneshot(request.body(Full::<Bytes>::from(body.to_string())).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 400);
        let answer: Value =
            serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap();
        let told = answer.pointer(message).unwrap().as_str().unwrap();
        for cell in [
            r#"row 0, column "x""#,
            r#"row 0, column "n""#,
            r#"row 0, column "s""#,
            r#"row 2, column "x""#,
            r#"row 2, column "n""#,
        ] {
            assert!(told.contains(cell), "{path}: {cell} in {told}");
        }
        assert!(told.contains(r#"got "abc""#) && !told.contains("row 1"), "{told}");
    }
}

/// A tensor's cells are told like a table's: the row is the element's place.
#[tokio::test]
async fn every_bad_element_of_every_tensor_is_listed() {
    let columns = vec![Column::double("x"), Column::double("y"), Column::string("s")];
    let api = api(Arc::new(Echo(Arc::new(Signature::new(columns, vec![]).unwrap()))));
    let tensor = |name, datatype, data: Value| json!({ "name": name, "datatype": datatype, "shape": [3], "data": data });
    let body = json!({ "inputs": [
        tensor("x", "FP64", json!([null, 1.0, null])),
        tensor("y", "FP64", json!([1.0, null, 2.0])),
        tensor("s", "BYTES", json!(["a", null, "b"])),
    ] });
    let request = Request::post("/v2/models/m/infer").body(Full::<Bytes>::from(body.to_string())).unwrap();
    let answer = api.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 400);
    let answer: Value =
        serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap();
    let told = answer["error"].as_str().unwrap();
    for cell in
        [r#"row 0, column "x""#, r#"row 2, column "x""#, r#"row 1, column "y""#, r#"row 1, column "s""#]
    {
        assert!(told.contains(cell), "{cell} in {told}");
    }
    assert!(!told.contains(r#"row 1, column "x""#) && !told.contains(r#"row 0, column "y""#), "{told}");
}
