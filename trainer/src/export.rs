//! From what linfa fitted to the engines of `martello-model-core`: the one place that knows both.

use std::sync::Arc;

use martello_model_core::Error;
use martello_model_core::engine::{Engine, LinearRegression, LogisticRegression};
use ndarray::{Axis, Slice};

use crate::fit::linear::LinearFit;
use crate::fit::logistic::LogisticFit;

/// Exports a least squares fit; columns that were left out of it get the coefficient zero.
pub(crate) fn linear(fit: &LinearFit) -> Result<Engine, Error> {
    let mut coefficients = vec![0.0; fit.width];
    for (&column, &coefficient) in fit.kept.iter().zip(fit.model.params()) {
        coefficients[column] = coefficient;
    }
    LinearRegression::new(coefficients, fit.model.intercept()).map(Engine::Linear)
}

/// Exports a logistic fit over class indices; `classes[i]` is the label of index `i`.
///
/// linfa's binary model gives the probability of its *positive* class, which is the more frequent one; the engine that of
/// the second class. Turning the sign of every parameter turns one into the other.
pub(crate) fn logistic(fit: &LogisticFit, classes: &[Arc<str>]) -> Result<Engine, Error> {
    let classes = classes.to_vec();
    let engine = match fit {
        LogisticFit::Binary(fit) => {
            let sign = if fit.labels().pos.class == 1 { 1.0 } else { -1.0 };
            let coefficients: Vec<f64> = fit.params().iter().map(|coefficient| sign * coefficient).collect();
            LogisticRegression::new(classes, coefficients, vec![sign * fit.intercept()])
        }
        LogisticFit::Multinomial(fit) => {
            // linfa: features × classes; the engine: classes × features.
            let coefficients: Vec<f64> = fit.params().t().iter().copied().collect();
            LogisticRegression::new(classes, coefficients, fit.intercept().to_vec())
        }
        LogisticFit::Continued(parameters) => {
            let features = parameters.nrows() - 1;
            let coefficients: Vec<f64> =
                parameters.slice_axis(Axis(0), Slice::from(..features)).t().iter().copied().collect();
            LogisticRegression::new(classes, coefficients, parameters.row(features).to_vec())
        }
    };
    engine.map(Engine::Logistic)
}

#[cfg(test)]
mod tests {
    use linfa::traits::Predict;
    use martello_model_core::preprocessing::Encoder;
    use martello_model_core::{Batch, Column, Model, NativeModel, Predictions, Probabilities, Signature};
    use ndarray::Array2;
    use proptest::prelude::*;

    use super::*;
    use crate::fit;
    use crate::parameters::Logistic;

    const LABELS: [&str; 3] = ["a", "b", "c"];

    fn labels(classes: usize) -> Vec<Arc<str>> {
        LABELS[..classes].iter().map(|label| Arc::from(*label)).collect()
    }

    fn model(engine: Engine) -> NativeModel {
        let inputs = (0..engine.features()).map(|i| Column::double(format!("x{i}"))).collect();
        let signature = Signature::new(inputs, vec![]).unwrap();
        let encoder = Encoder::identity(&signature).unwrap();
        NativeModel::new(signature, encoder, engine).unwrap()
    }

    fn batch(model: &NativeModel, x: &Array2<f64>) -> Batch {
        Batch::from_numbers(model.signature(), x.iter().copied().collect()).unwrap()
    }

    fn close(ours: f64, linfas: f64) -> bool {
        // Relative to the size of the terms of the sum: where they cancel, the order of the sum decides the last digits.
        (ours - linfas).abs() <= 1e-12 * linfas.abs().max(1.0)
    }

    /// Rows × columns of moderate numbers.
    fn features(rows: usize, columns: usize) -> impl Strategy<Value = Array2<f64>> {
        prop::collection::vec(-3.0_f64..3.0, rows * columns)
            .prop_map(move |values| Array2::from_shape_vec((rows, columns), values).unwrap())
    }

    /// The labels that linfa gives and how far they are from a tie.
    fn check_labels(ours: &Predictions, linfas: &[usize], margins: &[f64]) {
        let Predictions::Labels(ours) = ours else { panic!("a classifier answers labels") };
        for ((ours, linfas), margin) in ours.iter().zip(linfas).zip(margins) {
            assert!(&**ours == LABELS[*linfas] || *margin < 1e-12, "{ours} instead of {}", LABELS[*linfas]);
        }
    }

    fn check_column(ours: &Probabilities, class: usize, linfas: impl IntoIterator<Item = f64>) {
        for (row, linfas) in linfas.into_iter().enumerate() {
            let ours = ours.row(row)[class];
            assert!(close(ours, linfas), "row {row}, class {class}: {ours} instead of {linfas}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn an_exported_least_squares_fit_predicts_what_linfa_predicts(
            x in features(12, 4),
            y in prop::collection::vec(-100.0_f64..100.0, 12),
        ) {
            let fit = fit::linear::fit(&x, &y).unwrap();
            let model = model(linear(&fit).unwrap());
            let Predictions::Numbers(ours) = model.predict(&batch(&model, &x)).unwrap() else { panic!("numbers") };
            for (ours, linfas) in ours.iter().zip(fit.model.predict(&x.select(Axis(1), &fit.kept))) {
                // The parameters of a badly conditioned draw can be large, and with them the terms of the sum.
                let size = fit.model.params().iter().fold(1.0_f64, |size, value| size.max(value.abs()));
                prop_assert!((ours - linfas).abs() <= 1e-12 * size.max(linfas.abs()), "{} {}", ours, linfas);
            }
        }

        #[test]
        fn an_exported_binary_fit_predicts_what_linfa_predicts(
            x in features(16, 3),
            y in prop::collection::vec(0_usize..2, 16).prop_filter("both", |y| y.contains(&0) && y.contains(&1)),
        ) {
            let fit = fit::logistic::fit(&x, &y, 2, &Logistic::default()).unwrap();
            let model = model(logistic(&fit, &labels(2)).unwrap());
            let LogisticFit::Binary(linfas) = fit else { panic!("two classes are binary") };
            let probabilities = model.predict_probabilities(&batch(&model, &x)).unwrap();
            let positive = linfas.labels().pos.class;
            check_column(&probabilities, positive, linfas.predict_probabilities(&x));
            check_column(&probabilities, 1 - positive, linfas.predict_probabilities(&x).mapv(|p| 1.0 - p));
            let margins = linfas.predict_probabilities(&x).mapv(|p| (p - 0.5).abs()).to_vec();
            check_labels(&model.predict(&batch(&model, &x)).unwrap(), &linfas.predict(&x).to_vec(), &margins);
        }

        #[test]
        fn an_exported_multinomial_fit_predicts_what_linfa_predicts(
            x in features(18, 3),
            y in prop::collection::vec(0_usize..3, 18).prop_filter("all", |y| (0..3).all(|class| y.contains(&class))),
        ) {
            let fit = fit::logistic::fit(&x, &y, 3, &Logistic::default()).unwrap();
            let model = model(logistic(&fit, &labels(3)).unwrap());
            let LogisticFit::Multinomial(linfas) = fit else { panic!("three classes are multinomial") };
            let probabilities = model.predict_probabilities(&batch(&model, &x)).unwrap();
            let expected = linfas.predict_probabilities(&x);
            for class in 0..3 {
                check_column(&probabilities, class, expected.column(class).to_vec());
            }
            let margins: Vec<f64> = expected.rows().into_iter().map(|row| {
                let mut row = row.to_vec();
                row.sort_by(f64::total_cmp);
                row[2] - row[1]
            }).collect();
            check_labels(&model.predict(&batch(&model, &x)).unwrap(), &linfas.predict(&x).to_vec(), &margins);
        }
    }

    #[test]
    fn the_binary_model_is_turned_round_when_the_first_class_is_the_more_frequent_one() {
        let x = ndarray::array![[-2.0], [-1.0], [-0.5], [-3.0], [2.0], [3.0]];
        let model = |y: [usize; 6]| {
            let fit = fit::logistic::fit(&x, &y, 2, &Logistic::default()).unwrap();
            model(logistic(&fit, &labels(2)).unwrap())
        };
        let second_class_at_three = |model: &NativeModel| {
            let batch = Batch::from_numbers(model.signature(), vec![3.0]).unwrap();
            model.predict_probabilities(&batch).unwrap().row(0)[1]
        };
        assert!(second_class_at_three(&model([0, 0, 0, 0, 1, 1])) > 0.9, "b is rare and to the right");
        assert!(second_class_at_three(&model([1, 1, 1, 1, 0, 0])) < 0.1, "b is frequent and to the left");
    }
}
