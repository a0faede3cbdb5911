//! Which numbers a column takes, and in which form it keeps them.

use crate::{Column, DataType};

/// The largest whole number up to which every whole number has a double of its own; one further and two JSON numbers
/// become the same double, so that a long column would hold something that nobody sent.
const MAX_EXACT: f64 = 9_007_199_254_740_991.0;

/// Returns the value in the form in which a batch keeps it, or nothing if the column does not take it.
///
/// NaN is a missing value: an optional column takes it.
pub(super) fn number(column: &Column, value: f64) -> Option<f64> {
    if value.is_nan() {
        return (!column.required).then_some(f64::NAN);
    }
    match column.data_type {
        DataType::Double => value.is_finite().then_some(value),
        DataType::Float => single(value),
        DataType::Integer => whole(value, f64::from(i32::MIN), f64::from(i32::MAX)),
        DataType::Long => whole(value, -MAX_EXACT, MAX_EXACT),
        DataType::Boolean => whole(value, 0.0, 1.0),
        DataType::String => None,
    }
}

/// Rounds to single precision, as MLflow's scoring server does before a model that compares in it.
fn single(value: f64) -> Option<f64> {
    let rounded = value as f32;
    rounded.is_finite().then_some(f64::from(rounded))
}

fn whole(value: f64, least: f64, most: f64) -> Option<f64> {
    // Adding zero turns -0.0, which no whole number is, into 0.0.
    ((least..=most).contains(&value) && value.fract() == 0.0).then_some(value + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(data_type: DataType, value: f64, expected: Option<f64>) {
        let kept = number(&Column::new("x", data_type), value);
        assert_eq!(kept.map(f64::to_bits), expected.map(f64::to_bits), "{data_type} {value}");
    }

    #[test]
    fn a_value_is_kept_unchanged_or_refused() {
        for data_type in
            [DataType::Boolean, DataType::Integer, DataType::Long, DataType::Float, DataType::Double]
        {
            check(data_type, 0.0, Some(0.0));
            check(data_type, 1.0, Some(1.0));
            check(data_type, f64::INFINITY, None);
            check(data_type, f64::NEG_INFINITY, None);
            check(data_type, f64::NAN, None);
        }
        check(DataType::Boolean, 2.0, None);
        check(DataType::Boolean, 0.5, None);
        check(DataType::Boolean, -0.0, Some(0.0));
        check(DataType::Integer, 40.5, None);
        check(DataType::Integer, 2_147_483_647.0, Some(2_147_483_647.0));
        check(DataType::Integer, 2_147_483_648.0, None);
        check(DataType::Integer, -2_147_483_648.0, Some(-2_147_483_648.0));
        check(DataType::Integer, -2_147_483_649.0, None);
        check(DataType::Long, 9_007_199_254_740_991.0, Some(9_007_199_254_740_991.0));
        check(DataType::Long, 9_007_199_254_740_992.0, None);
        check(DataType::Long, -9_007_199_254_740_992.0, None);
        check(DataType::Float, 0.1, Some(f64::from(0.1_f32)));
        check(DataType::Float, 1e39, None);
        check(DataType::Double, -0.0, Some(-0.0));
        check(DataType::Double, 5e-324, Some(5e-324));
        check(DataType::String, 1.0, None);
    }

    #[test]
    fn nan_is_a_missing_value_where_the_column_is_optional() {
        let column = Column::double("x").optional();
        assert!(number(&column, f64::NAN).is_some_and(f64::is_nan));
        assert_eq!(number(&column, f64::INFINITY), None);
    }
}
