//! Arbitrary models and rows that fit them.

use martello_model_core::engine::{Classes, Engine, LinearRegression, LogisticRegression};
use martello_model_core::preprocessing::{ColumnEncoding, Encoder};
use martello_model_core::{Batch, Cell, Column, NativeModel, Signature};
use proptest::collection::vec;
use proptest::prelude::*;

/// A cell that owns its text.
#[derive(Debug, Clone)]
pub(crate) enum OwnedCell {
    Missing,
    Number(f64),
    Text(String),
}

impl OwnedCell {
    pub(crate) fn as_cell(&self) -> Cell<'_> {
        match self {
            Self::Missing => Cell::Missing,
            Self::Number(value) => Cell::Number(*value),
            Self::Text(text) => Cell::Text(text),
        }
    }
}

/// Any finite number: zeros of both signs, subnormal and huge ones included.
pub(crate) fn finite() -> impl Strategy<Value = f64> {
    prop_oneof![-1e3..1e3, any::<f64>().prop_filter("finite", |value| value.is_finite())]
}

/// A model with either engine and any mixture of encodings, and up to seven rows for it.
pub(crate) fn model_and_rows() -> impl Strategy<Value = (NativeModel, Vec<Vec<OwnedCell>>)> {
    vec(column(), 1..5).prop_flat_map(|columns| {
        let (columns, encodings): (Vec<Column>, Vec<ColumnEncoding>) =
            columns.into_iter().enumerate().map(|(at, column)| distinct(at, column)).unzip();
        let signature = Signature::new(columns.clone(), vec![]).unwrap();
        let encoder = Encoder::new(&signature, encodings).unwrap();
        let engine = engine(encoder.features());
        let model = engine
            .prop_map(move |engine| NativeModel::new(signature.clone(), encoder.clone(), engine).unwrap());
        (model, vec(columns.iter().map(cell).collect::<Vec<_>>(), 0..7))
    })
}

/// Puts rows into a batch of that model.
pub(crate) fn batch(model: &dyn martello_model_core::Model, rows: &[Vec<OwnedCell>]) -> Batch {
    let mut builder = Batch::builder(model.signature());
    for row in rows {
        builder.push_row(&row.iter().map(OwnedCell::as_cell).collect::<Vec<_>>()).unwrap();
    }
    builder.build()
}

fn column() -> impl Strategy<Value = (Column, ColumnEncoding)> {
    let scale = finite().prop_map(f64::abs).prop_filter("above zero", |scale| *scale > 0.0);
    let standardise = (".{0,5}", any::<bool>(), finite(), finite(), scale);
    let categories = proptest::collection::btree_set(".{0,4}", 1..4);
    prop_oneof![
        ".{0,5}".prop_map(|name| (Column::double(name), ColumnEncoding::Number)),
        standardise.prop_map(|(name, required, impute, mean, scale)| {
            let column = Column { required, ..Column::double(name) };
            (column, ColumnEncoding::standardise(impute, mean, scale))
        }),
        (".{0,5}", any::<bool>(), categories).prop_map(|(name, required, categories)| {
            let column = Column { required, ..Column::string(name) };
            (column, ColumnEncoding::one_hot(categories).unwrap())
        }),
    ]
}

fn distinct(at: usize, (column, encoding): (Column, ColumnEncoding)) -> (Column, ColumnEncoding) {
    (Column { name: format!("{}{at}", column.name), ..column }, encoding)
}

fn engine(features: usize) -> impl Strategy<Value = Engine> {
    let linear = (vec(finite(), features), finite())
        .prop_map(|(coefficients, intercept)| LinearRegression::new(coefficients, intercept).unwrap().into());
    let binary = (vec(finite(), features), vec(finite(), 1)).prop_map(|(coefficients, intercepts)| {
        LogisticRegression::new(vec![-7, i64::MAX], coefficients, intercepts).unwrap().into()
    });
    let multinomial =
        (vec(finite(), features * 3), vec(finite(), 3)).prop_map(|(coefficients, intercepts)| {
            let classes = Classes::from(vec!["", "b\"\n", "ç"]);
            LogisticRegression::new(classes, coefficients, intercepts).unwrap().into()
        });
    prop_oneof![linear, binary, multinomial]
}

fn cell(column: &Column) -> BoxedStrategy<OwnedCell> {
    let value = match column.data_type.is_numeric() {
        true => finite().prop_map(OwnedCell::Number).boxed(),
        false => ".{0,3}".prop_map(OwnedCell::Text).boxed(),
    };
    match column.required {
        true => value,
        false => prop_oneof![Just(OwnedCell::Missing), value].boxed(),
    }
}
