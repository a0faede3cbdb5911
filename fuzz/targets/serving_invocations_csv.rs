//! `/invocations` with CSV: any body gets MLflow's shape of answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use martello_fuzz::{check_error, check_predictions, post, read};

fuzz_target!(|body: &[u8]| {
    let answer = post("/invocations", &[("content-type", "text/csv")], body);
    if answer.status == 200 {
        assert!(check_predictions(&read(&answer)["predictions"]) > 0);
    } else {
        check_error(&answer, &[400], "message", body.len());
    }
});
