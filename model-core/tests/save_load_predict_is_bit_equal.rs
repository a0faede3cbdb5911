//! A model that was saved and loaded answers with the same bits, and so does a row in whatever batch it comes.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod generate;

use martello_model_core::flavor::{self, SaveOptions};
use martello_model_core::{Batch, Model};
use proptest::prelude::*;

/// Answers and probabilities in a form that is equal only if every bit is: `{:?}` of a float is its shortest form that
/// reads back exactly, and tells -0.0 from 0.0.
fn answers(model: &dyn Model, batch: &Batch) -> String {
    let probabilities = model.predict_probabilities(batch).map(|found| found.values().to_vec());
    let predictions = model.predict(batch).map_err(|error| error.to_string());
    format!("{predictions:?} {:?}", probabilities.map_err(|error| error.kind()))
}

proptest! {
    #[test]
    fn save_load_predict_is_bit_equal(
        (model, rows) in generate::model_and_rows(),
        run_id in any::<Option<String>>(),
    ) {
        let rows = generate::batch(&model, &rows);
        let options = SaveOptions { run_id, input_example: Some(rows.clone()), ..SaveOptions::default() };
        let files = flavor::save(&model, &options).unwrap();
        let loaded = flavor::load(&files).unwrap();

        prop_assert_eq!(answers(&*loaded.model, &rows), answers(&model, &rows));
        prop_assert_eq!(loaded.model.signature(), model.signature());
        prop_assert_eq!(&loaded.run_id, &options.run_id);
        let example = loaded.input_example.unwrap();
        prop_assert_eq!(format!("{:?}", example.numbers()), format!("{:?}", rows.numbers()));
        prop_assert_eq!(example.texts(), rows.texts());
        prop_assert_eq!(files, flavor::save(&model, &options).unwrap());
    }

    #[test]
    fn the_graph_beside_a_model_of_numbers_answers_with_the_same_bits((model, rows) in generate::model_and_rows()) {
        prop_assume!(model.signature().text_columns().is_empty());
        let rows = generate::batch(&model, &rows);
        let mut files = flavor::save(&model, &SaveOptions::default()).unwrap();
        let manifest = String::from_utf8(files.get("MLmodel").unwrap().to_vec()).unwrap();
        files.insert("MLmodel", manifest.replace("  martello:", "  other:"));
        let loaded = flavor::load(&files).unwrap();

        prop_assert_eq!(loaded.flavor, "onnx");
        prop_assert_eq!(loaded.model.signature().inputs(), model.signature().inputs());
        prop_assert_eq!(answers(&*loaded.model, &rows), answers(&model, &rows));
    }

    #[test]
    fn a_row_has_the_same_answer_in_every_batch((model, rows) in generate::model_and_rows()) {
        // An overflow in one row refuses the labels of its whole batch, so only batches of finite scores are compared.
        let Ok(together) = model.predict(&generate::batch(&model, &rows)) else { return Ok(()) };
        prop_assert_eq!(together.len(), rows.len());
        for (at, row) in rows.iter().enumerate() {
            let alone = model.predict(&generate::batch(&model, std::slice::from_ref(row))).unwrap();
            prop_assert_eq!(format!("{:?}", alone.get(0)), format!("{:?}", together.get(at)));
        }
    }
}
