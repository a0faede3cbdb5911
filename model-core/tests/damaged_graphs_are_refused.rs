//! Whatever happened to an ONNX graph, reading it gives an error or a model, and never panics.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod onnx;

use std::sync::LazyLock;

use martello_model_core::flavor::{self, Limits, ModelFiles};
use martello_model_core::{Error, ErrorKind};
use proptest::collection::vec;
use proptest::prelude::*;

static CASES: LazyLock<Vec<onnx::Case>> =
    LazyLock::new(|| onnx::cases(&onnx::recorded()).into_values().collect());

/// Reads a changed graph and, where that works, asks it for answers, which may be any.
fn survive(case: &onnx::Case, graph: Vec<u8>) -> Result<(), Error> {
    let mut files: ModelFiles = case.files.clone();
    files.insert("model.onnx", graph);
    let model = flavor::load(&files)?.model;
    let complete = |row: &&serde_json::Value| row.as_array().unwrap().iter().all(|cell| !cell.is_null());
    let rows = case.expected["rows"].as_array().unwrap().iter().filter(complete).take(1).cloned();
    let rows = onnx::batch(&*model, &rows.collect());
    let _ = model.predict_probabilities(&rows);
    model.predict(&rows).map(|answers| assert_eq!(answers.len(), rows.rows()))
}

fn graph(case: &onnx::Case) -> Vec<u8> {
    case.files.get("model.onnx").unwrap().to_vec()
}

/// One case of each kind of graph; to try every byte of all of them takes long and tells no more.
fn kinds() -> impl Iterator<Item = &'static onnx::Case> {
    let kinds = ["linear_imputed", "linear_scaled_double", "logistic_binary_double", "logistic_text_columns"];
    CASES.iter().filter(move |case| kinds.contains(&case.name.as_str()))
}

#[test]
fn a_graph_cut_off_anywhere_is_refused() {
    for case in kinds() {
        let whole = graph(case);
        for length in 0..whole.len() {
            // Only what stands behind the graph can go without notice.
            if let Err(error) = survive(case, whole[..length].to_vec()) {
                assert!(error.is_bad_model() || error.kind() == ErrorKind::Unsupported, "{error}");
                assert!(error.to_string().contains("model.onnx"), "{error}");
            } else {
                assert!(length > whole.len() - 40, "{} {length}", case.name);
            }
        }
    }
}

#[test]
fn every_flipped_bit_is_survived() {
    for case in kinds() {
        let whole = graph(case);
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1 << (at % 8);
            if let Err(error) = survive(case, changed) {
                assert!(!error.is_bad_input(), "{error}");
            }
        }
    }
}

#[test]
fn constants_used_often_do_not_fill_the_memory() {
    // One large constant, and many nodes that each add it: what they hold together is limited.
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2];
        let mut length = content.len();
        while length >= 0x80 {
            bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend_from_slice(content);
        bytes
    }
    let case = CASES.iter().find(|case| case.name == "linear_double").unwrap();
    let square = 512_usize;
    let limits = Limits { max_file_bytes: 8 << 20, ..Limits::default() };
    let raw: Vec<u8> = vec![0; square * square * 8];
    let dims = [0x08, 0x80, 0x04, 0x08, 0x80, 0x04, 0x10, 11];
    let tensor = [&dims[..], &field(9, &raw), &field(8, b"W")].concat();
    let wide =
        [&[0x08, 4, 0x08, 0x80, 0x04, 0x10, 11][..], &field(9, &vec![0; 4 * square * 8]), &field(8, b"V")]
            .concat();
    let node = |from: &str, weights: &str, to: &str| {
        let inputs = [field(1, from.as_bytes()), field(1, weights.as_bytes())].concat();
        field(1, &[inputs, field(2, to.as_bytes()), field(4, b"MatMul")].concat())
    };
    let mut graph = [field(5, &tensor), field(5, &wide), node("X", "V", "y0")].concat();
    for at in 0..1000 {
        graph.extend(node(&format!("y{at}"), "W", &format!("y{}", at + 1)));
    }
    let input = field(11, &[field(1, b"X"), field(2, &field(1, &[0x08, 11]))].concat());
    graph.extend([input, field(12, &field(1, b"y1000"))].concat());
    let mut files = case.files.clone();
    files.insert("model.onnx", field(7, &graph));
    let error = flavor::load_within(&files, &limits).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
}

proptest! {
    #[test]
    fn random_bytes_are_refused(bytes in vec(any::<u8>(), 0..300)) {
        prop_assert!(survive(&CASES[0], bytes).is_err());
    }

    #[test]
    fn any_changes_are_survived(
        case in 0..CASES.len(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        removed in any::<prop::sample::Index>(),
        length in 0..6_usize,
    ) {
        let case = &CASES[case];
        let mut changed = graph(case);
        for (at, byte) in changes {
            let at = at.index(changed.len());
            changed[at] = byte;
        }
        let from = removed.index(changed.len());
        changed.drain(from..(from + length).min(changed.len()));
        let _ = survive(case, changed);
    }
}
