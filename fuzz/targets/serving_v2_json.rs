//! Open Inference Protocol with everything in JSON: any body gets its shape of answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use martello_fuzz::{check_error, check_predictions, post, read};

fuzz_target!(|body: &[u8]| {
    let answer = post("/v2/models/m/infer", &[], body);
    if answer.status == 200 {
        let json = read(&answer);
        assert_eq!(json["model_name"], "m");
        let output = &json["outputs"][0];
        let shape = output["shape"][0].as_u64().expect("a number of rows");
        match output.get("data") {
            Some(data) => assert_eq!(check_predictions(data) as u64, shape),
            None => assert_eq!(output["parameters"]["binary_data_size"].as_u64(), Some(8 * shape)),
        }
    } else {
        check_error(&answer, &[400], "error", body.len());
    }
});
