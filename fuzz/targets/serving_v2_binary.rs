//! Open Inference Protocol with the bytes of tensors behind the JSON.
//!
//! An input is a length in text, a line feed, and the body, so that the fuzzer can put the border anywhere, beyond the body
//! and into numbers that no machine holds included.
#![no_main]

use libfuzzer_sys::fuzz_target;
use martello_fuzz::{check_error, post, read};

fuzz_target!(|input: &[u8]| {
    let Some(end) = input.iter().position(|&byte| byte == b'\n') else { return };
    let (length, body) = (&input[..end], &input[end + 1..]);
    let Ok(length) = std::str::from_utf8(length) else { return };
    if !length.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return;
    }
    let answer = post("/v2/models/m/infer", &[("inference-header-content-length", length)], body);
    if answer.status != 200 {
        return check_error(&answer, &[400], "error", body.len());
    }
    let json = read(&answer);
    let output = &json["outputs"][0];
    if let Some(size) = output["parameters"]["binary_data_size"].as_u64() {
        let border = answer.headers["inference-header-content-length"].to_str().expect("digits");
        let border: usize = border.parse().expect("a number");
        let data = &answer.body[border..];
        assert_eq!(data.len() as u64, size);
        for (row, bytes) in data.chunks(8).enumerate() {
            assert_eq!(bytes, (row as f64 + 0.5).to_le_bytes());
        }
    }
});
