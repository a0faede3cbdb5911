//! KServe V1: any body gets its shape of answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use martello_fuzz::{check_error, check_predictions, post, read};

fuzz_target!(|body: &[u8]| {
    let answer = post("/v1/models/m:predict", &[], body);
    if answer.status == 200 {
        check_predictions(&read(&answer)["predictions"]);
    } else {
        check_error(&answer, &[400], "error", body.len());
    }
});
