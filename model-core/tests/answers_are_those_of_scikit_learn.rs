//! The engines answer what scikit-learn answers for single rows: weights and answers below come from its version 1.9.1,
//! `LinearRegression` and `StandardScaler` with `LogisticRegression`, fitted to random data with three features.
//!
//! Linear answers are equal bit for bit. Six rows suffice to tell the order of the sum: adding the intercept first changes
//! five of these answers, and multiplying without fusing changes two.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use martello_model_core::engine::{Engine, LinearRegression, LogisticRegression};
use martello_model_core::preprocessing::{ColumnEncoding, Encoder};
use martello_model_core::{Batch, Column, Model, NativeModel, Prediction, Signature};

const ROWS: [[f64; 3]; 6] = [
    [-0.4601938127246543, 7.43197263443954, -8.247837201730517],
    [0.08105437041126562, -2.9071668060054137, 115.45697469862868],
    [-0.021472567043494796, -22.00415672482062, -69.20725504744905],
    [-1.968796607080243, -32.514384154965384, -53.011534977231214],
    [1.3335598501027237, 0.4711990613059292, -117.25457074049794],
    [-0.9406998682024224, 11.306132302500087, 15.762662339846479],
];

fn model(encodings: Vec<ColumnEncoding>, engine: impl Into<Engine>) -> NativeModel {
    let signature = Signature::new(["x", "y", "z"].map(Column::double).to_vec(), vec![]).unwrap();
    let encoder = Encoder::new(&signature, encodings).unwrap();
    NativeModel::new(signature, encoder, engine).unwrap()
}

fn rows(model: &NativeModel) -> Batch {
    Batch::from_numbers(model.signature(), ROWS.concat()).unwrap()
}

#[test]
fn linear_answers_are_equal_bit_for_bit() {
    let coefficients = vec![28.60898729479259, 76.90220355923655, 66.10010323661112];
    let engine = LinearRegression::new(coefficients, 0.08350804227904973).unwrap();
    let model = model(vec![ColumnEncoding::Number; 3], engine);
    let answers = model.predict(&rows(&model)).unwrap();
    let expected = [
        13.270010968093334,
        7410.552804965633,
        -6267.305643315812,
        -6060.7374926902785,
        -7676.067679931251,
        1884.551133206879,
    ];
    assert_eq!(answers.iter().collect::<Vec<_>>(), expected.map(Prediction::Number));
}

#[test]
fn multinomial_labels_are_equal_and_probabilities_to_the_last_digits() {
    let means = [-0.3534374940315627, -0.7381477588900199, -10.352901123774615];
    let scales = [0.8018917152514575, 9.291836259590555, 86.43927431618016];
    let encodings =
        means.into_iter().zip(scales).map(|(mean, scale)| ColumnEncoding::standardise(mean, mean, scale));
    let coefficients = [
        [-2.4316825422067434, 0.29106068237978056, 0.2124735527897278],
        [0.5287497355638117, -0.11872141672580971, -0.39002441790568937],
        [1.9029328066429316, -0.17233926565397076, 0.17755086511596208],
    ];
    let intercepts = vec![2.1044171485694823, 0.5853263183041999, -2.689743466873682];
    let classes = vec!["Adelie", "Chinstrap", "Gentoo"];
    let model = model(
        encodings.collect(),
        LogisticRegression::new(classes, coefficients.concat(), intercepts).unwrap(),
    );

    let labels = model.predict(&rows(&model)).unwrap();
    let expected = ["Adelie", "Adelie", "Chinstrap", "Adelie", "Chinstrap", "Adelie"];
    assert_eq!(labels.iter().collect::<Vec<_>>(), expected.map(Prediction::Label));

    let probabilities = model.predict_probabilities(&rows(&model)).unwrap();
    let expected = [
        [0.9053550967285373, 0.09184722970301187, 0.002797673568450722],
        [0.6288408702598464, 0.313433482439014, 0.05772564730113962],
        [0.24888276140391247, 0.7144602491215545, 0.03665698947453311],
        [0.9969263952370584, 0.0030669957172333455, 6.609045708247983e-06],
        [0.0033686833816773828, 0.7464261198669827, 0.25020519675133984],
        [0.9876924736924481, 0.012121979588364133, 0.00018554671918771687],
    ];
    for (found, expected) in probabilities.values().iter().zip(expected.as_flattened()) {
        assert!((found - expected).abs() < 1e-15, "{found} {expected}");
    }
}
