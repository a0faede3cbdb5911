//! The built-in data are the real ones, the synthetic ones those of the replaced job.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::collections::BTreeMap;

use martello_trainer::{
    Dataset, ErrorKind, Feature, MakeRegression, SplitParams, Target, TargetValues, Values,
};

fn numbers<'a>(data: &'a Dataset, name: &str) -> &'a [f64] {
    let column = data.features().iter().find(|column| column.name() == name).unwrap();
    let Values::Numbers(numbers) = column.values() else { panic!("{name} is numeric") };
    numbers
}

fn target(data: &Dataset) -> &[f64] {
    let TargetValues::Numbers(numbers) = data.target().values() else { panic!("the target is numeric") };
    numbers
}

fn close(got: f64, expected: f64, relative: f64) {
    assert!((got - expected).abs() <= relative * expected.abs(), "{got} instead of {expected}");
}

#[test]
fn the_penguins_are_all_there() {
    let penguins = Dataset::penguins();
    assert_eq!(penguins.rows(), 344);
    let names: Vec<_> = penguins.features().iter().map(Feature::name).collect();
    let measured = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"];
    assert_eq!(names, ["island", measured[0], measured[1], measured[2], measured[3], "sex", "year"]);

    let TargetValues::Labels(species) = penguins.target().values() else { panic!("species are labels") };
    let mut counts = BTreeMap::new();
    species.iter().for_each(|species| *counts.entry(&**species).or_insert(0) += 1);
    assert_eq!(counts, BTreeMap::from([("Adelie", 152), ("Chinstrap", 68), ("Gentoo", 124)]));

    for name in measured {
        let missing: Vec<_> = numbers(&penguins, name).iter().map(|value| value.is_nan()).collect();
        assert_eq!(missing.iter().filter(|missing| **missing).count(), 2, "{name}");
        assert!(missing[3] && missing[271], "the same two rows in every column");
    }
    let Values::Texts(sex) = penguins.features()[5].values() else { panic!("sex is text") };
    assert_eq!(sex.iter().filter(|sex| sex.is_none()).count(), 11);
    assert_eq!(
        numbers(&penguins, "body_mass_g").iter().filter(|mass| !mass.is_nan()).sum::<f64>(),
        1_437_000.0
    );
}

// Origin of the expected values: scikit-learn 1.9.1 with numpy 2.4.6 on x86-64 glibc,
// make_regression(n_samples=100, n_features=3, noise=0.1, random_state=42, coef=True).

#[test]
fn the_synthetic_features_are_those_of_scikit_learn() {
    let synthetic = MakeRegression::default().generate().unwrap();
    assert_eq!(synthetic.coefficients, [28.203457257130648, 75.06147516408583, 17.743954377972283]);
    let first = [-0.7925207384327007, 0.5049872789804571, -0.11473644146689901];
    let last = [-0.3276621465977682, -1.4635149481321186, -0.39210815313215763];
    for (i, (first, last)) in first.into_iter().zip(last).enumerate() {
        let column = numbers(&synthetic.dataset, &format!("feature{}", i + 1));
        close(column[0], first, 4e-16);
        close(column[99], last, 4e-16);
    }
}

/// One wrong bit anywhere changes the sum. glibc's `ln` and numpy's round alike; other C libraries need not.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn all_synthetic_features_are_equal_to_the_bit() {
    let synthetic = MakeRegression::default().generate().unwrap();
    let bits = (1..=3).flat_map(|i| numbers(&synthetic.dataset, &format!("feature{i}")).to_vec());
    // int(X.view(np.uint64).sum())
    assert_eq!(bits.fold(0_u64, |sum, x| sum.wrapping_add(x.to_bits())), 6_566_423_321_093_292_130);
}

#[test]
fn the_synthetic_target_is_that_of_scikit_learn_but_for_the_order_of_a_sum() {
    let data = MakeRegression::default().generate().unwrap().dataset;
    let y = target(&data);
    close(y[0], 13.510026033135842, 1e-14);
    close(y[1], -18.777475236723475, 1e-14);
    close(y[99], -125.9165573794352, 1e-14);
}

#[test]
fn the_seed_alone_decides() {
    let make = |seed| MakeRegression { seed, ..MakeRegression::default() }.generate().unwrap().dataset;
    assert_eq!(target(&make(7)), target(&make(7)));
    assert_ne!(target(&make(7)), target(&make(8)));
}

#[test]
fn without_noise_the_target_is_the_linear_combination() {
    let synthetic = MakeRegression { noise: 0.0, features: 12, rows: 50, seed: 3 }.generate().unwrap();
    assert_eq!(synthetic.coefficients.iter().filter(|coefficient| **coefficient == 0.0).count(), 2);
    for (row, &y) in target(&synthetic.dataset).iter().enumerate() {
        let sum: f64 = synthetic
            .coefficients
            .iter()
            .enumerate()
            .map(|(i, coefficient)| {
                coefficient * numbers(&synthetic.dataset, &format!("feature{}", i + 1))[row]
            })
            .sum();
        assert!((sum - y).abs() < 1e-10, "row {row}");
    }
}

#[test]
fn senseless_synthetic_data_are_refused() {
    let usual = MakeRegression::default();
    let check =
        |wrong: MakeRegression, kind| assert_eq!(wrong.generate().unwrap_err().kind(), kind, "{wrong:?}");
    check(MakeRegression { rows: 0, ..usual }, ErrorKind::InvalidParameter);
    check(MakeRegression { features: 0, ..usual }, ErrorKind::InvalidParameter);
    check(MakeRegression { noise: -0.1, ..usual }, ErrorKind::InvalidParameter);
    check(MakeRegression { noise: f64::NAN, ..usual }, ErrorKind::InvalidParameter);
    check(MakeRegression { rows: usize::MAX, ..usual }, ErrorKind::TooLarge);
}

#[test]
fn the_split_holds_back_the_rows_that_scikit_learn_holds_back() {
    // Origin: train_test_split(np.arange(100), test_size=0.2, random_state=42), scikit-learn 1.9.1.
    let held_back = [83, 53, 70, 45, 44, 39, 22, 80, 10, 0, 18, 30, 73, 33, 90, 4, 76, 77, 12, 31];
    let rows: Vec<f64> = (0..100).map(f64::from).collect();
    let data = Dataset::new(vec![Feature::numbers("x", rows.clone())], Target::numbers("y", rows)).unwrap();
    let parts = SplitParams::default().check().unwrap().split(&data).unwrap();
    assert_eq!(target(&parts.test), held_back.map(f64::from));
    assert_eq!(target(&parts.train)[..5], [55.0, 88.0, 26.0, 42.0, 69.0]);
    assert_eq!(parts.train.rows(), 80);
}

#[test]
fn one_row_cannot_be_split() {
    let data = Dataset::new(vec![Feature::numbers("x", vec![1.0])], Target::numbers("y", vec![1.0])).unwrap();
    let error = SplitParams::default().check().unwrap().split(&data).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
}

#[test]
fn a_part_has_the_columns_of_the_whole() {
    let penguins = Dataset::penguins();
    // The only rows without measurements are 3 and 271.
    let part = penguins.select(&[0, 1, 2]);
    assert!(part.features()[1].is_optional());
    let required =
        |data: &Dataset| data.signature().unwrap().inputs().iter().map(|c| c.required).collect::<Vec<_>>();
    assert_eq!(required(&part), required(&penguins));
    assert_eq!(required(&part), [true, false, false, false, false, false, true]);
    assert!(part.to_batch(&penguins.signature().unwrap()).is_ok());
}
