//! What a graph computes for one row: steps from the columns to a vector of numbers.

use std::sync::Arc;

use crate::engine::{sigmoid, softmax, weighted_sum};

/// The steps from the columns of a row to a vector of numbers.
#[derive(Debug, Clone)]
pub(super) struct Pipeline {
    // The shapes of all steps fit, which was checked when the graph was read.
    pub(super) steps: Vec<Arc<Step>>,
}

/// One operator on a row.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) operation: Operation,
    pub(super) precision: Precision,
}

/// What a step does; vectors are as long as the row.
#[derive(Debug)]
pub(super) enum Operation {
    /// Rounds to the precision of the step.
    Round,
    /// Puts a number where a value is missing.
    Impute(Vec<f64>),
    Add(Vec<f64>),
    Subtract(Vec<f64>),
    Multiply(Vec<f64>),
    Divide(Vec<f64>),
    /// Makes one weighted sum per row of the weights.
    MatMul(Vec<f64>),
    Abs,
    Sigmoid,
    Softmax,
    /// Divides by the sum of the absolute values.
    Normalise,
}

/// How numbers are kept between steps. The row is of doubles either way, which hold every single exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precision {
    Single,
    Double,
}

impl Precision {
    /// Rounds a result in double precision. For a sum, difference, product or quotient of two singles this is the correctly
    /// rounded single, since a double has more than twice their digits (Figueroa, *When is double rounding innocuous?*, 1995).
    fn round(self, value: f64) -> f64 {
        match self {
            Self::Single => f64::from(value as f32),
            Self::Double => value,
        }
    }
}

impl Pipeline {
    /// Puts a row through all steps; `scratch` keeps its memory from row to row.
    pub(super) fn run(&self, row: &mut Vec<f64>, scratch: &mut Vec<f64>) {
        for step in &self.steps {
            step.run(row, scratch);
        }
    }

    /// Returns true if a missing value in that column is replaced before it could spoil a sum.
    pub(super) fn takes_missing(&self, column: usize) -> bool {
        let before_sums =
            self.steps.iter().take_while(|step| !matches!(step.operation, Operation::MatMul(_)));
        let mut stand_ins = before_sums.filter_map(|step| match &step.operation {
            Operation::Impute(values) => values.get(column),
            _ => None,
        });
        stand_ins.any(|value| !value.is_nan())
    }

    /// Returns true if what comes out are probabilities and not scores.
    pub(super) fn makes_probabilities(&self) -> bool {
        use Operation::{Normalise, Sigmoid, Softmax};
        self.steps.last().is_some_and(|step| matches!(step.operation, Sigmoid | Softmax | Normalise))
    }
}

impl Step {
    fn run(&self, row: &mut Vec<f64>, scratch: &mut Vec<f64>) {
        match &self.operation {
            Operation::Round => self.map(row, |value| value),
            Operation::Impute(values) => {
                self.zip(row, values, |value, own| if value.is_nan() { own } else { value });
            }
            Operation::Add(values) => self.zip(row, values, |value, own| value + own),
            Operation::Subtract(values) => self.zip(row, values, |value, own| value - own),
            Operation::Multiply(values) => self.zip(row, values, |value, own| value * own),
            Operation::Divide(values) => self.zip(row, values, |value, own| value / own),
            Operation::MatMul(weights) => {
                scratch.clear();
                scratch
                    .extend(weights.chunks_exact(row.len()).map(|weights| self.weighted_sum(weights, row)));
                std::mem::swap(row, scratch);
            }
            Operation::Abs => self.map(row, f64::abs),
            Operation::Sigmoid => self.map(row, sigmoid),
            Operation::Softmax => {
                softmax(row);
                self.map(row, |value| value);
            }
            Operation::Normalise => {
                let sum = row.iter().fold(0.0, |sum, value| self.precision.round(sum + value.abs()));
                if sum != 0.0 {
                    self.map(row, |value| value / sum);
                }
            }
        }
    }

    fn map(&self, row: &mut [f64], compute: impl Fn(f64) -> f64) {
        for value in row {
            *value = self.precision.round(compute(*value));
        }
    }

    fn zip(&self, row: &mut [f64], own: &[f64], compute: impl Fn(f64, f64) -> f64) {
        for (value, own) in row.iter_mut().zip(own) {
            *value = self.precision.round(compute(*value, *own));
        }
    }

    /// Adds up fused multiply-adds in column order, as onnxruntime does for several rows in either precision.
    fn weighted_sum(&self, weights: &[f64], row: &[f64]) -> f64 {
        match self.precision {
            // Nothing is added by -0.0; 0.0 would turn a sum that underflowed to -0.0 into 0.0.
            Precision::Double => weighted_sum(weights, row, -0.0),
            // Not in doubles and then rounded: a sum of three terms would be rounded twice.
            Precision::Single => f64::from(
                weights
                    .iter()
                    .zip(row)
                    .fold(0.0_f32, |sum, (&weight, &value)| (value as f32).mul_add(weight as f32, sum)),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(operation: Operation, precision: Precision, row: &[f64], expected: &[f64]) {
        let steps = vec![Arc::new(Step { operation, precision })];
        let mut row = row.to_vec();
        Pipeline { steps }.run(&mut row, &mut Vec::new());
        assert_eq!(row, expected);
    }

    #[test]
    fn each_step_rounds_to_its_precision() {
        use Operation::{Add, Divide, Impute, MatMul, Multiply, Normalise, Round, Softmax, Subtract};
        use Precision::{Double, Single};
        let single = |value: f32| f64::from(value);
        check(Round, Single, &[0.1], &[single(0.1)]);
        check(Round, Double, &[0.1], &[0.1]);
        check(Add(vec![single(0.2)]), Single, &[single(0.1)], &[single(0.1 + 0.2)]);
        check(Subtract(vec![single(0.7)]), Single, &[single(0.1)], &[single(0.1 - 0.7)]);
        check(Multiply(vec![single(0.7)]), Single, &[single(0.1)], &[single(0.1 * 0.7)]);
        check(Divide(vec![3.0, 4.0]), Double, &[1.0, 1.0], &[1.0 / 3.0, 0.25]);
        check(Divide(vec![3.0]), Single, &[1.0], &[single(1.0 / 3.0)]);
        check(Impute(vec![7.0, 8.0]), Single, &[f64::NAN, 1.0], &[7.0, 1.0]);
        check(MatMul(vec![1.0, 2.0, 3.0, 4.0]), Double, &[10.0, 1.0], &[12.0, 34.0]);
        check(Softmax, Single, &[0.0, 0.0, 0.0], &[single(1.0 / 3.0); 3]);
        check(Normalise, Single, &[1.0, -2.0], &[single(1.0 / 3.0), single(-2.0 / 3.0)]);
        check(Normalise, Double, &[0.0, 0.0], &[0.0, 0.0]);
    }

    #[test]
    fn a_sum_that_underflows_keeps_its_sign() {
        let steps =
            vec![Arc::new(Step { operation: Operation::MatMul(vec![1e-200]), precision: Precision::Double })];
        let mut row = vec![-1e-200];
        Pipeline { steps }.run(&mut row, &mut Vec::new());
        assert!(row[0] == 0.0 && row[0].is_sign_negative());
    }

    #[test]
    fn sums_in_single_precision_are_fused() {
        // 1 + 2⁻¹² squared needs 25 bits, one more than a single has.
        let step = 1.0 + f64::powi(2.0, -12);
        let row = [-(1.0 + f64::powi(2.0, -11)), step];
        check(Operation::MatMul(vec![1.0, step]), Precision::Single, &row, &[f64::powi(2.0, -24)]);
    }
}
