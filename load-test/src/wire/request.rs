//! A request as the bytes that are sent.

use std::io::Write;

use http::{HeaderMap, Method, Uri};

/// The head of a request up to the length of its body, rendered once and sent with many bodies.
#[derive(Clone, Debug)]
pub(crate) struct RequestHead {
    start: Vec<u8>,
    announces_no_body: bool,
}

impl RequestHead {
    pub(crate) fn new(method: &Method, target: &Uri, headers: &HeaderMap) -> Self {
        let mut start = format!("{method} {target} HTTP/1.1\r\n").into_bytes();
        for (name, value) in headers {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                start.extend_from_slice(part);
            }
        }
        // RFC 9110 section 8.6: where a body is expected, its absence is said; some servers answer 411 otherwise.
        let announces_no_body = [Method::POST, Method::PUT, Method::PATCH].contains(method);
        Self { start, announces_no_body }
    }

    /// The whole request, so that it leaves in one write.
    pub(crate) fn with_body(&self, body: &[u8]) -> Vec<u8> {
        // A field name, its separators, 20 digits of a length and the end of the head.
        const LENGTH_FIELD: usize = 42;
        let mut request = Vec::with_capacity(self.start.len() + LENGTH_FIELD + body.len());
        request.extend_from_slice(&self.start);
        if self.announces_no_body || !body.is_empty() {
            // Writing to a vector cannot fail.
            let _ = write!(request, "content-length: {}\r\n", body.len());
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(body);
        request
    }
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT, HOST, HeaderValue};

    use super::*;

    fn rendered(method: &Method, body: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("a:1"));
        headers.append(ACCEPT, HeaderValue::from_static("x/y"));
        headers.append(ACCEPT, HeaderValue::from_bytes(b"\xc3\xa4").unwrap());
        let head = RequestHead::new(method, &Uri::from_static("/p?q=1"), &headers);
        String::from_utf8(head.with_body(body.as_bytes())).unwrap()
    }

    #[test]
    fn a_request_is_its_line_its_fields_its_length_and_its_body() {
        let fields = "/p?q=1 HTTP/1.1\r\nhost: a:1\r\naccept: x/y\r\naccept: ä\r\n";
        assert_eq!(rendered(&Method::POST, "{}"), format!("POST {fields}content-length: 2\r\n\r\n{{}}"));
        assert_eq!(rendered(&Method::POST, ""), format!("POST {fields}content-length: 0\r\n\r\n"));
        assert_eq!(rendered(&Method::GET, ""), format!("GET {fields}\r\n"));
        assert_eq!(rendered(&Method::GET, "x"), format!("GET {fields}content-length: 1\r\n\r\nx"));
    }
}
