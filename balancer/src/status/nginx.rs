//! The page of nginx's `stub_status` module, byte for byte.

use crate::ConnectionCounts;

/// Returns what nginx's `stub_status` page would say
/// (<https://nginx.org/en/docs/http/ngx_http_stub_status_module.html>), trailing spaces included.
pub fn nginx_status(counts: &ConnectionCounts) -> String {
    let ConnectionCounts { accepted, handled, requests, active, reading, writing, waiting } = counts;
    format!(
        "Active connections: {active} \nserver accepts handled requests\n {accepted} {handled} {requests} \n\
         Reading: {reading} Writing: {writing} Waiting: {waiting} \n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_that_of_nginx() {
        let counts = ConnectionCounts {
            accepted: 16_630_948,
            handled: 16_630_948,
            requests: 31_070_465,
            active: 291,
            reading: 6,
            writing: 179,
            waiting: 106,
        };
        // The example of nginx's own documentation.
        let expected = "Active connections: 291 \nserver accepts handled requests\n \
                        16630948 16630948 31070465 \nReading: 6 Writing: 179 Waiting: 106 \n";
        assert_eq!(nginx_status(&counts), expected);
    }
}
