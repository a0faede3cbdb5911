//! From a model of this crate to an ONNX graph in double precision.
//!
//! `mlflow.onnx` feeds a graph with one input the values of the whole data frame, so the graph has one: a table of all columns.
//! pandas makes a table of numbers out of numeric columns, and one of Python objects as soon as there is text; onnxruntime takes
//! such objects as text. Then the graph takes text, and reads the numbers in it: Python writes a number so that it reads back
//! exactly. (A graph with one input per column would not do: the text columns of pandas 3 are no numpy arrays, and `mlflow.onnx`
//! hands them to onnxruntime as they are.) Only a number between zero and the smallest normal double, 2.2e-308, is an error there.

use super::graph_writer::{Attribute, Axis, GraphWriter};
use super::tensor::element;
use crate::engine::{Classes, Engine, LinearRegression, LogisticRegression};
use crate::preprocessing::ColumnEncoding;
use crate::{Column, DataType, Model, NativeModel};

/// The texts that onnxruntime makes of the objects for a missing value in Python.
const MISSING_TEXTS: [&str; 4] = ["None", "nan", "<NA>", "NaT"];

const TABLE: &str = "columns";

/// Columns next to each other that are encoded together.
enum Run {
    Numbers(Vec<usize>),
    Booleans(Vec<usize>),
    Text(usize),
}

/// Returns the graph, or nothing if a missing value would look like a category: a graph that answers something else than the
/// model is worse than none.
pub(super) fn export(model: &NativeModel) -> Option<Vec<u8>> {
    let columns = model.signature().inputs();
    if columns.iter().zip(model.encoder().columns()).any(|(column, encoding)| is_ambiguous(column, encoding))
    {
        return None;
    }
    let mut graph = GraphWriter::default();
    let table = table_element(columns);
    graph.input(TABLE, table, &[Axis::Rows, Axis::Length(columns.len())]);
    let runs = runs(columns, table);
    let parts: Vec<String> =
        runs.iter().enumerate().map(|(at, run)| write_run(&mut graph, model, table, at, run)).collect();
    let features = match parts.as_slice() {
        [only] => only,
        parts => {
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            graph.node("Concat", &parts, &["features"], &[Attribute::Int("axis", 1)]);
            "features"
        }
    };
    match model.engine() {
        Engine::Linear(engine) => write_linear(&mut graph, features, engine),
        Engine::Logistic(engine) => write_logistic(&mut graph, features, engine),
    }
    Some(graph.finish())
}

fn is_ambiguous(column: &Column, encoding: &ColumnEncoding) -> bool {
    let ColumnEncoding::OneHot(categories) = encoding else { return false };
    !column.required && MISSING_TEXTS.iter().any(|text| categories.position(text).is_some())
}

/// Returns the element type of `DataFrame.values`.
fn table_element(columns: &[Column]) -> i64 {
    let any = |data_type| columns.iter().any(|column| column.data_type == data_type);
    let all = |data_type| columns.iter().all(|column| column.data_type == data_type);
    if all(DataType::Boolean) {
        element::BOOL
    } else if any(DataType::String) || any(DataType::Boolean) {
        element::STRING
    } else if all(DataType::Float) {
        element::FLOAT
    } else if any(DataType::Double) || any(DataType::Float) {
        element::DOUBLE
    } else if any(DataType::Long) {
        element::INT64
    } else {
        element::INT32
    }
}

fn runs(columns: &[Column], table: i64) -> Vec<Run> {
    let mut runs = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        match (column.data_type, runs.last_mut()) {
            (DataType::String, _) => runs.push(Run::Text(at)),
            (DataType::Boolean, Some(Run::Booleans(run))) => run.push(at),
            (DataType::Boolean, _) if table == element::STRING => runs.push(Run::Booleans(vec![at])),
            (_, Some(Run::Numbers(run))) => run.push(at),
            _ => runs.push(Run::Numbers(vec![at])),
        }
    }
    runs
}

/// Writes what makes features of a run, and returns their name.
fn write_run(graph: &mut GraphWriter, model: &NativeModel, table: i64, at: usize, run: &Run) -> String {
    let named = |what: &str| format!("{what}_{at}");
    let (positions, cells, numbers) = (named("positions"), named("cells"), named("numbers"));
    let select = |graph: &mut GraphWriter, dims: &[usize], columns: &[usize]| {
        let columns: Vec<i64> = columns.iter().map(|&column| column as i64).collect();
        graph.wholes(&positions, dims, &columns);
        graph.node("Gather", &[TABLE, &positions], &[&cells], &[Attribute::Int("axis", 1)]);
    };
    match run {
        Run::Numbers(columns) => {
            let source = match table {
                element::STRING => {
                    select(graph, &[columns.len()], columns);
                    &cells
                }
                _ => TABLE,
            };
            cast(graph, source, &numbers);
            write_scaling(graph, model, at, columns, numbers)
        }
        Run::Booleans(columns) => {
            select(graph, &[columns.len()], columns);
            let truth = named("truth");
            let attributes = [
                Attribute::Texts("keys_strings", &["True", "False"]),
                Attribute::Floats("values_floats", &[1.0, 0.0]),
                Attribute::Float("default_float", f32::NAN),
            ];
            graph.ml_node("LabelEncoder", &[&cells], &[&truth], &attributes);
            cast(graph, &truth, &numbers);
            write_scaling(graph, model, at, columns, numbers)
        }
        Run::Text(column) => {
            select(graph, &[], &[*column]);
            let categories: Vec<&str> = match &model.encoder().columns()[*column] {
                ColumnEncoding::OneHot(categories) => {
                    categories.values().iter().map(|value| &**value).collect()
                }
                _ => Vec::new(),
            };
            let one_hot = named("one_hot");
            let attributes = [Attribute::Texts("cats_strings", &categories), Attribute::Int("zeros", 1)];
            graph.ml_node("OneHotEncoder", &[&cells], &[&one_hot], &attributes);
            cast(graph, &one_hot, &numbers);
            numbers
        }
    }
}

fn cast(graph: &mut GraphWriter, from: &str, to: &str) {
    graph.node("Cast", &[from], &[to], &[Attribute::Int("to", element::DOUBLE)]);
}

/// Imputes and standardises all columns of a run at once: nothing changes where a column is only a number.
fn write_scaling(
    graph: &mut GraphWriter,
    model: &NativeModel,
    at: usize,
    columns: &[usize],
    mut numbers: String,
) -> String {
    let parameters = || {
        columns.iter().map(|&column| match model.encoder().columns()[column] {
            ColumnEncoding::Standardise { impute, mean, scale } => (impute, mean, scale),
            _ => (None, 0.0, 1.0),
        })
    };
    let named = |what: &str| format!("{what}_{at}");
    if parameters().any(|(impute, ..)| impute.is_some()) {
        let (stand_ins, missing, imputed) = (named("stand_ins"), named("missing"), named("imputed"));
        graph.doubles(
            &stand_ins,
            &[columns.len()],
            parameters().map(|(impute, ..)| impute.unwrap_or(f64::NAN)),
        );
        graph.node("IsNaN", &[&numbers], &[&missing], &[]);
        graph.node("Where", &[&missing, &stand_ins, &numbers], &[&imputed], &[]);
        numbers = imputed;
    }
    if parameters().any(|(_, mean, scale)| (mean, scale) != (0.0, 1.0)) {
        let (means, scales) = (named("means"), named("scales"));
        let (centred, standardised) = (named("centred"), named("standardised"));
        graph.doubles(&means, &[columns.len()], parameters().map(|(_, mean, _)| mean));
        graph.doubles(&scales, &[columns.len()], parameters().map(|(.., scale)| scale));
        graph.node("Sub", &[&numbers, &means], &[&centred], &[]);
        graph.node("Div", &[&centred, &scales], &[&standardised], &[]);
        numbers = standardised;
    }
    numbers
}

fn write_linear(graph: &mut GraphWriter, features: &str, engine: &LinearRegression) {
    write_sums(graph, features, engine.coefficients(), &[engine.intercept()], "variable");
    graph.output("variable", element::DOUBLE, &[Axis::Rows, Axis::Length(1)]);
}

fn write_logistic(graph: &mut GraphWriter, features: &str, engine: &LogisticRegression) {
    let (coefficients, intercepts) = (engine.coefficients(), engine.intercepts());
    let to_probability = if let &[intercept] = intercepts {
        // The first class has the opposite score, which is exact.
        let mirrored: Vec<f64> =
            coefficients.iter().map(|weight| -weight).chain(coefficients.iter().copied()).collect();
        write_sums(graph, features, &mirrored, &[-intercept, intercept], "scores");
        "Sigmoid"
    } else {
        write_sums(graph, features, coefficients, intercepts, "scores");
        "Softmax"
    };
    write_label(graph, engine.classes());
    graph.node(to_probability, &["scores"], &["probabilities"], &[]);
    // One output per class, since `mlflow.onnx` makes one column of a data frame out of each output.
    let names: Vec<String> =
        engine.classes().names().iter().map(|class| format!("probability_{class}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    graph.node("Split", &["probabilities"], &names, &[Attribute::Int("axis", 1)]);
    for name in names {
        graph.output(name, element::DOUBLE, &[Axis::Rows, Axis::Length(1)]);
    }
}

/// Of equal scores the first class wins, as in the engine.
fn write_label(graph: &mut GraphWriter, classes: &Classes) {
    let element = match classes {
        Classes::Text(labels) => {
            graph.texts("classes", labels);
            element::STRING
        }
        Classes::Integers(labels) => {
            graph.wholes("classes", &[labels.len()], labels);
            element::INT64
        }
    };
    graph.node(
        "ArgMax",
        &["scores"],
        &["winner"],
        &[Attribute::Int("axis", 1), Attribute::Int("keepdims", 1)],
    );
    graph.node("Gather", &["classes", "winner"], &["label"], &[Attribute::Int("axis", 0)]);
    graph.output("label", element, &[Axis::Rows, Axis::Length(1)]);
}

/// Writes one weighted sum per intercept; the coefficients come row by row and ONNX wants them column by column.
fn write_sums(graph: &mut GraphWriter, features: &str, coefficients: &[f64], intercepts: &[f64], sums: &str) {
    let width = coefficients.len() / intercepts.len();
    let turned = (0..width).flat_map(|at| coefficients.iter().skip(at).step_by(width).copied());
    graph.doubles("coefficients", &[width, intercepts.len()], turned);
    graph.doubles("intercepts", &[intercepts.len()], intercepts.iter().copied());
    graph.node("MatMul", &[features, "coefficients"], &["products"], &[]);
    graph.node("Add", &["products", "intercepts"], &[sums], &[]);
}
