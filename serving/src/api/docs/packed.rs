//! Files that the binary carries compressed, as browsers take them.

use std::io::Read as _;
use std::sync::OnceLock;

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{HeaderMap, header};

/// A gzip file. It is unpacked once, for the first client that does not take it as it is: that costs as much as hundreds of
/// predictions, and whoever is slow to read holds the text that all others have, too.
#[derive(Debug)]
pub(super) struct Packed {
    gzip: &'static [u8],
    text: OnceLock<Bytes>,
}

impl Packed {
    pub(super) const fn new(gzip: &'static [u8]) -> Self {
        Self { gzip, text: OnceLock::new() }
    }

    /// Returns the file as it is to whoever takes that, else unpacked; with its coding.
    pub(super) fn content(&self, headers: &HeaderMap) -> (Bytes, Option<&'static str>) {
        if takes_gzip(headers) {
            return (Bytes::from_static(self.gzip), Some("gzip"));
        }
        (self.text.get_or_init(|| unpacked(self.gzip)).clone(), None)
    }
}

fn unpacked(gzip: &[u8]) -> Bytes {
    let mut text = Vec::new();
    GzDecoder::new(gzip).read_to_end(&mut text).expect("the build has made the file, and it is in memory");
    text.into()
}

/// Reads `Accept-Encoding` (RFC 9110 section 12.5.3) as far as it is about gzip.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut codings = values.flat_map(|value| value.split(','));
    codings.any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let refused = parts.any(|part| {
            let quality = part.strip_prefix("q=").and_then(|quality| quality.parse::<f32>().ok());
            quality.is_some_and(|quality| quality == 0.0)
        });
        name.eq_ignore_ascii_case("gzip") && !refused
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn gzip_is_sent_to_whoever_takes_it() {
        let check = |value: &'static str, expected| {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]);
            assert_eq!(takes_gzip(&headers), expected, "{value}");
        };
        check("gzip, deflate, br, zstd", true);
        check("br;q=1.0, GZIP ;q=0.5", true);
        check("gzip;q=0", false);
        check("gzip; q=0.000, identity", false);
        check("identity", false);
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn what_the_binary_carries_is_whole() {
        let packed = include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js.gz"));
        let file = Packed::new(packed);
        let (script, coding) = file.content(&HeaderMap::new());
        // The decoder has compared length and checksum.
        assert_eq!(coding, None);
        assert!(script.len() > packed.len() && script.windows(15).any(|window| window == b"SwaggerUIBundle"));
        assert_eq!(file.content(&HeaderMap::new()).0.as_ptr(), script.as_ptr(), "the same text in memory");
    }
}
