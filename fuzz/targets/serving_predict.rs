//! `/predict`: any body gets JSON in FastAPI's shape, and the fast reading agrees with the exact one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use martello_fuzz::{check_error, limits, post, read, signature};
use martello_serving::dialect::predict::{self, Rows};

/// The fast reading gives a body with a byte order mark up, the exact one steps over it.
const MARK: &[u8] = "\u{feff}".as_bytes();

fuzz_target!(|body: &[u8]| {
    let answer = post("/predict", &[("content-type", "application/json")], body);
    if answer.status == 200 {
        let json = read(&answer);
        let rows = json.as_array().map_or(std::slice::from_ref(&json), Vec::as_slice);
        for (row, prediction) in rows.iter().enumerate() {
            assert_eq!(prediction["prediction"].as_f64(), Some(row as f64 + 0.5));
        }
    } else {
        check_error(&answer, &[400, 422], "detail", body.len());
    }
    if !body.is_empty() && !body.starts_with(MARK) {
        let usual = predict::parse(body, signature(), &limits());
        let exact = predict::parse(&[MARK, body].concat(), signature(), &limits());
        assert_eq!(usual.map(seen), exact.map(seen));
    }
});

/// Everything that a reading says, numbers by their bits.
fn seen(rows: Rows) -> (bool, usize, Vec<u64>, String) {
    let bits = rows.batch.numbers().iter().map(|number| number.to_bits()).collect();
    (rows.form == predict::Form::One, rows.batch.rows(), bits, format!("{:?}", rows.batch.texts()))
}
