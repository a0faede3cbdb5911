//! A small model with every kind of column, and rows for it.

#![allow(dead_code, reason = "each test takes what it needs")]

use martello_model_core::engine::LogisticRegression;
use martello_model_core::preprocessing::{ColumnEncoding, Encoder};
use martello_model_core::{Batch, Cell, Column, DataType, Model, NativeModel, Signature};

/// A classifier of penguins with made-up weights.
pub(crate) fn model() -> NativeModel {
    let columns = vec![
        Column::string("island"),
        Column::double("bill_length_mm").optional(),
        Column::string("sex").optional(),
        Column::new("year", DataType::Integer),
    ];
    let signature = Signature::new(columns, vec![Column::unnamed(DataType::String)]).unwrap();
    let encodings = vec![
        ColumnEncoding::one_hot(["Biscoe", "Dream", "Torgersen"]).unwrap(),
        ColumnEncoding::standardise(43.9, 43.9, 5.5),
        ColumnEncoding::one_hot(["female", "male"]).unwrap(),
        ColumnEncoding::Standardise { impute: None, mean: 2008.0, scale: 0.8 },
    ];
    let encoder = Encoder::new(&signature, encodings).unwrap();
    let coefficients: Vec<f64> = (0..21).map(|at| (f64::from(at) * 1.7).sin()).collect();
    let engine =
        LogisticRegression::new(vec!["Adelie", "Chinstrap", "Gentoo"], coefficients, vec![0.1, -0.2, 0.3]);
    NativeModel::new(signature, encoder, engine.unwrap()).unwrap()
}

/// Three rows: complete, with missing cells, and from an island that the model never saw.
pub(crate) fn rows(model: &dyn Model) -> Batch {
    let mut builder = Batch::builder(model.signature());
    for (island, bill, sex) in [
        ("Dream", Cell::Number(46.5), Cell::Text("female")),
        ("Biscoe", Cell::Missing, Cell::Missing),
        ("Atlantis", Cell::Number(39.1), Cell::Text("male")),
    ] {
        builder.push_row(&[Cell::Text(island), bill, sex, Cell::Number(2009.0)]).unwrap();
    }
    builder.build()
}
