//! A signature that is written in MLflow's form reads back the same.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::collections::BTreeSet;

use martello_model_core::{Column, DataType, Outputs, Signature, TensorSpec};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;

fn columns(names: BTreeSet<String>) -> impl Strategy<Value = Vec<Column>> {
    let column = |name: String| {
        (select(&DataType::ALL), any::<bool>()).prop_map(move |(data_type, required)| Column {
            name: name.clone(),
            data_type,
            required,
        })
    };
    names.into_iter().map(column).collect::<Vec<_>>().prop_shuffle()
}

fn tensor() -> impl Strategy<Value = TensorSpec> {
    let shape = vec(prop_oneof![Just(-1), 0..i64::MAX], 1..4);
    (proptest::option::of(".{1,9}"), select(vec!["float64", "float32", "int64", "str"]), shape)
        .prop_map(|(name, dtype, shape)| TensorSpec { name, dtype: dtype.to_owned(), shape })
}

fn outputs() -> impl Strategy<Value = Outputs> {
    prop_oneof![
        btree_set(".{0,9}", 0..4).prop_flat_map(columns).prop_map(Outputs::Columns),
        tensor().prop_map(|tensor| Outputs::Tensors(vec![tensor])),
    ]
}

proptest! {
    #[test]
    fn a_signature_reads_back_the_same(
        inputs in btree_set(".{1,9}", 1..6).prop_flat_map(columns),
        outputs in outputs(),
    ) {
        let signature = Signature::with_outputs(inputs, outputs).unwrap();
        let (inputs, outputs) = (signature.inputs_to_mlflow(), signature.outputs_to_mlflow());
        prop_assert_eq!(&Signature::from_mlflow(&inputs, outputs.as_deref()).unwrap(), &signature);
    }

    #[test]
    fn any_text_is_read_or_refused(inputs in ".{0,60}", outputs in ".{0,60}") {
        let error = Signature::from_mlflow(&inputs, Some(&outputs)).unwrap_err();
        prop_assert!(!error.to_string().is_empty());
    }
}
