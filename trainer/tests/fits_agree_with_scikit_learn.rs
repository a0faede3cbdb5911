//! Fits agree with scikit-learn's on the same rows.
//!
//! Origin of every expected value: scikit-learn 1.9.1, numpy 2.4.6, x86-64; split by
//! `train_test_split(..., test_size=0.2, random_state=42)`.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use martello_model_core::engine::Engine;
use martello_model_core::preprocessing::ColumnEncoding;
use martello_trainer::{
    Algorithm, Dataset, Evaluation, Feature, Logistic, MakeRegression, Model, NativeModel, Split, Target,
    TargetValues, TrainTest, Values,
};

fn close(got: f64, expected: f64, relative: f64) {
    assert!((got - expected).abs() <= relative * expected.abs(), "{got} instead of {expected}");
}

fn split(data: &Dataset) -> TrainTest {
    Split::default().split(data).unwrap()
}

fn linear(model: &NativeModel) -> (&[f64], f64) {
    let Engine::Linear(engine) = model.engine() else { panic!("a linear regression") };
    (engine.coefficients(), engine.intercept())
}

#[test]
fn least_squares_on_the_training_rows() {
    let parts = split(&MakeRegression::default().generate().unwrap().dataset);
    let model = Algorithm::LinearRegression.fit(&parts.train).unwrap();
    // LinearRegression().fit(X_train, y_train)
    let (coefficients, intercept) = linear(&model);
    for (got, expected) in coefficients.iter().zip([28.206370198167, 75.05481390890577, 17.754328074335678]) {
        close(*got, expected, 1e-12);
    }
    close(intercept, 0.013037594527231633, 1e-11);
    let Evaluation::Regression { rows, mse, rmse, r2, .. } = Evaluation::of(&model, &parts.test).unwrap()
    else {
        panic!("a regression")
    };
    assert_eq!(rows, 20);
    close(mse, 0.01238468082479521, 1e-11);
    close(rmse, 0.1112864808716459, 1e-11);
    close(r2.unwrap(), 0.9999982803305351, 1e-13);
}

#[test]
fn the_fit_recovers_the_true_coefficients() {
    let synthetic = MakeRegression::default().generate().unwrap();
    let model = Algorithm::LinearRegression.fit(&split(&synthetic.dataset).train).unwrap();
    let (coefficients, intercept) = linear(&model);
    // A coefficient of 80 rows with noise 0.1 has a standard error of about 0.1/√80 = 0.011; four of them.
    const TOLERANCE: f64 = 0.045;
    for (fitted, truth) in coefficients.iter().zip(&synthetic.coefficients) {
        assert!((fitted - truth).abs() < TOLERANCE, "{fitted} instead of {truth}");
    }
    assert!(intercept.abs() < TOLERANCE);
}

/// The penguins as the training job sees them.
fn penguins() -> Dataset {
    Dataset::penguins().without("year").unwrap()
}

#[test]
fn multinomial_logistic_regression_on_the_penguins() {
    let data = penguins();
    let parts = split(&data);
    let model = Algorithm::LogisticRegression(Logistic::default()).fit(&parts.train).unwrap();
    // ColumnTransformer(OneHotEncoder(handle_unknown="ignore"), SimpleImputer() | StandardScaler()),
    // LogisticRegression(C=1.0, tol=1e-12, solver="newton-cholesky")
    #[rustfmt::skip]
    let expected = [
        -0.060575629126148285, -0.47015918962962716, 0.530734818755776, -2.3336185689244893, 0.9896872954639084,
        -0.6565930530504147, -0.0966754892464772, -0.41063727078766743, 0.7556937498675198,
        -0.7542784326451885, 1.099231350199218, -0.34495291755402874, 1.9547613491473799, 0.2282877377205717,
        -0.275871803778096, -0.8647314124597686, 0.5149212197157255, -0.4211031236262349,
        0.8148540617713373, -0.6290721605695906, -0.18578190120174706, 0.37885721977710696, -1.2179750331844803,
        0.9324648568285088, 0.961406901706244, -0.10428394892805781, -0.3345906262412847,
    ];
    let Engine::Logistic(engine) = model.engine() else { panic!("a logistic regression") };
    assert_eq!(engine.coefficients().len(), expected.len());
    for (got, expected) in engine.coefficients().iter().zip(expected) {
        assert!((got - expected).abs() < 1e-6, "{got} instead of {expected}");
    }
    // Only differences of intercepts mean something; scikit-learn's are shifted to the mean 0.
    for (got, expected) in
        engine.intercepts().iter().zip([0.44889687418703134, -0.5311163740600064, 0.08221949987297512])
    {
        assert!((got - expected).abs() < 1e-6, "{got} instead of {expected}");
    }
    let Evaluation::Classification { rows, accuracy, log_loss, confusion, .. } =
        Evaluation::of(&model, &parts.test).unwrap()
    else {
        panic!("a classification")
    };
    assert_eq!((rows, accuracy), (69, 1.0));
    close(log_loss, 0.023462165717789175, 1e-6);
    let diagonal: Vec<u64> = (0..3).map(|class| confusion.count(class, class)).collect();
    assert_eq!(diagonal, [32, 13, 24]);
}

#[test]
fn imputation_and_scaling_come_from_the_training_rows_alone() {
    let model = Algorithm::LogisticRegression(Logistic::default()).fit(&split(&penguins()).train).unwrap();
    // SimpleImputer() | StandardScaler() fitted on the training part: mean_, scale_
    let expected = [
        (43.870072992700734, 5.5138419532663905),
        (17.111678832116787, 1.9387930901251906),
        (200.6970802919708, 14.318437911782718),
        (4190.237226277372, 808.3080186533124),
    ];
    let numeric = model.encoder().columns().iter().filter_map(|encoding| match encoding {
        ColumnEncoding::Standardise { impute, mean, scale } => Some((impute.unwrap(), *mean, *scale)),
        _ => None,
    });
    for ((impute, mean, scale), (expected_mean, expected_scale)) in numeric.zip(expected) {
        assert_eq!(impute, mean);
        close(mean, expected_mean, 1e-14);
        close(scale, expected_scale, 1e-13);
    }
}

#[test]
fn binary_logistic_regression_tells_the_sex() {
    // d[d.sex.notna()], the four measurements, StandardScaler() | LogisticRegression(C=1.0, tol=1e-12)
    let penguins = Dataset::penguins();
    let Values::Texts(sex) = penguins.features()[5].values() else { panic!("sex is text") };
    let known: Vec<usize> = (0..344).filter(|&row| sex[row].is_some()).collect();
    let measurements: Vec<Feature> = penguins.select(&known).features()[1..5].to_vec();
    let sexes = known.iter().map(|&row| sex[row].clone().unwrap()).collect();
    let parts = split(&Dataset::new(measurements, Target::labels("sex", sexes)).unwrap());

    let model = Algorithm::LogisticRegression(Logistic::default()).fit(&parts.train).unwrap();
    let Engine::Logistic(engine) = model.engine() else { panic!("a logistic regression") };
    let expected = [0.45872721643000863, 3.1416756062124787, 0.08685906929090276, 3.048887869420645];
    for (got, expected) in engine.coefficients().iter().zip(expected) {
        assert!((got - expected).abs() < 1e-5, "{got} instead of {expected}");
    }
    assert!((engine.intercepts()[0] - 0.22564909938003494).abs() < 1e-5);
    let Evaluation::Classification { accuracy, log_loss, .. } = Evaluation::of(&model, &parts.test).unwrap()
    else {
        panic!("a classification")
    };
    close(accuracy, 0.8656716417910447, 1e-15);
    close(log_loss, 0.3039689228252, 1e-5);
}

#[test]
fn outliers_do_not_keep_a_multinomial_fit_from_its_minimum() {
    // X, y = make_regression(n_samples=600, n_features=3, noise=0.1, random_state=42); X = X**5
    // l = np.where(y < -40, "low", np.where(y < 40, "mid", "high"))
    // LogisticRegression(C=1.0, tol=1e-12, solver="newton-cholesky").fit(StandardScaler().fit_transform(X), l)
    let data = MakeRegression { rows: 600, ..MakeRegression::default() }.generate().unwrap().dataset;
    let features = data.features().iter().map(|feature| {
        let Values::Numbers(x) = feature.values() else { panic!("numbers") };
        Feature::numbers(feature.name(), x.iter().map(|x| x.powi(5)).collect())
    });
    let TargetValues::Numbers(y) = data.target().values() else { panic!("numbers") };
    let label = |y: &f64| {
        if *y < -40.0 {
            "low"
        } else if *y < 40.0 {
            "mid"
        } else {
            "high"
        }
    };
    let labels = y.iter().map(|y| label(y).into()).collect();
    let data = Dataset::new(features.collect(), Target::labels("size", labels)).unwrap();

    let model = Algorithm::LogisticRegression(Logistic::default()).fit(&data).unwrap();
    let Engine::Logistic(engine) = model.engine() else { panic!("a logistic regression") };
    #[rustfmt::skip]
    let expected = [
        4.736910842206451, 2.083081934944276, 0.6287515602973075,
        -4.377418788504679, -2.533644181737062, -0.3917969970539458,
        -0.359492053701771, 0.4505622467927902, -0.236954563243368,
    ];
    for (got, expected) in engine.coefficients().iter().zip(expected) {
        assert!((got - expected).abs() < 1e-5, "{got} instead of {expected}");
    }
    let Evaluation::Classification { accuracy, log_loss, .. } = Evaluation::of(&model, &data).unwrap() else {
        panic!("a classification")
    };
    close(accuracy, 0.6716666666666666, 1e-14);
    close(log_loss, 0.7942949760905551, 1e-7);
}

#[test]
fn swapping_the_names_of_two_classes_swaps_their_probabilities() {
    // linfa's positive class is the more frequent one, whatever the order of the names.
    let x: Vec<f64> = (0..20).map(f64::from).collect();
    let label = |row: usize, rare: &str, frequent: &str| if row < 4 { rare.into() } else { frequent.into() };
    let fit = |rare: &str, frequent: &str| {
        let labels = (0..20).map(|row| label(row, rare, frequent)).collect();
        let data = Dataset::new(vec![Feature::numbers("x", x.clone())], Target::labels("y", labels)).unwrap();
        let model = Algorithm::LogisticRegression(Logistic::default()).fit(&data).unwrap();
        let TargetValues::Labels(labels) = data.target().values() else { panic!("labels") };
        let batch = data.to_batch(model.signature()).unwrap();
        let rows = model.predict_probabilities(&batch).unwrap();
        let class = |name: &str| rows.classes().iter().position(|class| &**class == name).unwrap();
        let right: Vec<f64> = (0..20).map(|row| rows.row(row)[class(&labels[row])]).collect();
        assert!(right[0] > 0.6 && right[19] > 0.99, "{right:?}");
        right
    };
    for (a, b) in fit("a", "b").into_iter().zip(fit("b", "a")) {
        assert!((a - b).abs() < 1e-9);
    }
}
