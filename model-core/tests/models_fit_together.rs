//! A model whose parts do not fit cannot be made, and a batch of other columns is not predicted.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod penguins;

use martello_model_core::engine::{LinearRegression, LogisticRegression};
use martello_model_core::preprocessing::{ColumnEncoding, Encoder};
use martello_model_core::{
    Batch, Cell, Column, DataType, ErrorKind, Model, NativeModel, Prediction, Signature,
};

fn refused<T>(result: Result<T, martello_model_core::Error>, expected: &str) {
    let error = result.err().expect("the parts do not fit");
    assert_eq!(error.kind(), ErrorKind::InvalidModel);
    assert!(error.is_bad_model() && !error.is_bad_input());
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn an_encoding_must_suit_its_column() {
    let check = |column: Column, encoding: ColumnEncoding, expected: &str| {
        refused(Encoder::new(&Signature::new(vec![column], vec![]).unwrap(), vec![encoding]), expected);
    };
    let islands = || ColumnEncoding::one_hot(["Biscoe"]).unwrap();
    check(Column::double("x"), islands(), "\"x\" holds numbers");
    check(Column::string("x"), ColumnEncoding::Number, "\"x\" holds text");
    check(Column::double("x").optional(), ColumnEncoding::Number, "stands in for a missing value");
    let without = ColumnEncoding::Standardise { impute: None, mean: 0.0, scale: 1.0 };
    check(Column::double("x").optional(), without, "stands in for a missing value");
    for (impute, mean, scale) in
        [(f64::NAN, 0.0, 1.0), (0.0, f64::INFINITY, 1.0), (0.0, 0.0, 0.0), (0.0, 0.0, -1.0)]
    {
        check(Column::double("x"), ColumnEncoding::standardise(impute, mean, scale), "scale above zero");
    }
    refused(ColumnEncoding::one_hot(["a", "b", "a"]), "\"a\" occurs twice");
    refused(ColumnEncoding::one_hot(Vec::<String>::new()), "at least one category");
    let two = Signature::new(vec![Column::double("x"), Column::double("y")], vec![]).unwrap();
    refused(Encoder::new(&two, vec![ColumnEncoding::Number]), "1 columns and the signature has 2");
}

#[test]
fn an_engine_must_suit_encoder_and_outputs() {
    let signature = |output: Vec<Column>| Signature::new(vec![Column::double("x")], output).unwrap();
    let make = |signature: Signature, engine: LinearRegression| {
        let encoder = Encoder::identity(&signature).unwrap();
        NativeModel::new(signature, encoder, engine)
    };
    let engine = |features: usize| LinearRegression::new(vec![1.0; features], 0.0).unwrap();
    assert!(make(signature(vec![]), engine(1)).is_ok());
    refused(make(signature(vec![]), engine(2)), "needs 2 features and the encoder makes 1");
    refused(make(signature(vec![Column::string("y")]), engine(1)), "has the type string");
    refused(make(signature(vec![Column::double("y"), Column::double("z")]), engine(1)), "several columns");

    let other = Signature::new(vec![Column::string("s")], vec![]).unwrap();
    let encoder = Encoder::identity(&signature(vec![])).unwrap();
    refused(NativeModel::new(other, encoder, engine(1)), "\"s\" holds text");

    let labels = |data_type| {
        let signature = signature(vec![Column::new("y", data_type)]);
        let engine = LogisticRegression::new(vec![0, 1], vec![1.0], vec![0.0]).unwrap();
        NativeModel::new(signature.clone(), Encoder::identity(&signature).unwrap(), engine)
    };
    assert!(labels(DataType::Long).is_ok() && labels(DataType::Integer).is_ok());
    refused(labels(DataType::String), "has the type string");
}

#[test]
fn a_batch_of_other_columns_is_not_predicted() {
    let model = penguins::model();
    let other = std::sync::Arc::new(Signature::new(vec![Column::double("x")], vec![]).unwrap());
    let batch = Batch::from_numbers(&other, vec![1.0]).unwrap();
    assert_eq!(model.predict(&batch).unwrap_err().kind(), ErrorKind::SignatureMismatch);
    assert_eq!(model.predict_probabilities(&batch).unwrap_err().kind(), ErrorKind::SignatureMismatch);

    // Equal columns under another handle are the same contract.
    let twin = penguins::model();
    assert_eq!(
        model.predict(&penguins::rows(&twin)).unwrap(),
        model.predict(&penguins::rows(&model)).unwrap()
    );
}

#[test]
fn missing_and_unknown_categories_are_all_zeros() {
    let model = penguins::model();
    let features = model.encoder().encode(&penguins::rows(&model));
    let one_hot = |row: usize| (&features[row * 7..][..3], &features[row * 7 + 4..][..2]);
    assert_eq!(one_hot(0), (&[0.0, 1.0, 0.0][..], &[1.0, 0.0][..]));
    assert_eq!(one_hot(1), (&[1.0, 0.0, 0.0][..], &[0.0, 0.0][..]));
    assert_eq!(one_hot(2), (&[0.0, 0.0, 0.0][..], &[0.0, 1.0][..]));
    // The mean stands in for the missing bill length, so that it has no weight.
    assert_eq!(features[7 + 3], 0.0);
    let names = model.encoder().feature_names(model.signature());
    assert_eq!(names[1..5], ["island=Dream", "island=Torgersen", "bill_length_mm", "sex=female"]);
}

#[test]
fn probabilities_belong_to_the_labels() {
    let model = penguins::model();
    let batch = penguins::rows(&model);
    let (labels, probabilities) =
        (model.predict(&batch).unwrap(), model.predict_probabilities(&batch).unwrap());
    assert_eq!(probabilities.rows(), 3);
    for (row, label) in labels.iter().enumerate() {
        let likeliest =
            (0..3).max_by(|&a, &b| probabilities.row(row)[a].total_cmp(&probabilities.row(row)[b])).unwrap();
        assert_eq!(label, Prediction::Label(&probabilities.classes()[likeliest]));
    }
}

#[test]
fn scores_that_overflow_are_an_error_and_numbers_that_overflow_are_not() {
    let signature = || Signature::new(vec![Column::double("x")], vec![]).unwrap();
    let encoder = || Encoder::new(&signature(), vec![ColumnEncoding::standardise(0.0, 0.0, 1e-300)]).unwrap();
    let linear = LinearRegression::new(vec![0.0], 0.0).unwrap();
    let model = NativeModel::new(signature(), encoder(), linear).unwrap();
    let mut builder = Batch::builder(model.signature());
    builder.push_row(&[Cell::Number(0.0)]).unwrap();
    builder.push_row(&[Cell::Number(1e300)]).unwrap();
    let batch = builder.build();
    let answers = model.predict(&batch).unwrap();
    assert!(answers.get(0).is_finite() && !answers.get(1).is_finite());

    let logistic = LogisticRegression::new(vec!["a", "b"], vec![0.0], vec![0.0]).unwrap();
    let model = NativeModel::new(signature(), encoder(), logistic).unwrap();
    let error = model.predict(&batch).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Prediction);
    assert!(error.to_string().contains("row 1"), "{error}");
}
