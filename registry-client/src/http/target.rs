//! The path and query of a request.

use std::fmt::{self, Write as _};

/// A path with a query, percent-encoded as RFC 3986 wants it. `Debug` shows the path and no more: a query may be a signature.
#[derive(Clone)]
pub(crate) struct Target {
    text: String,
    queries: usize,
}

impl Target {
    /// Returns a target with this path, whose parts need no encoding.
    pub(crate) fn new(path: impl Into<String>) -> Self {
        Self { text: path.into(), queries: 0 }
    }

    /// Appends a path; its `/` separate parts.
    pub(crate) fn path(mut self, path: &str) -> Self {
        self.text.push('/');
        encode(&mut self.text, path, true);
        self
    }

    /// Appends a query parameter.
    pub(crate) fn query(mut self, key: &str, value: &str) -> Self {
        self.text.push(if self.queries == 0 { '?' } else { '&' });
        self.queries += 1;
        encode(&mut self.text, key, false);
        self.text.push('=');
        encode(&mut self.text, value, false);
        self
    }

    /// Appends a query parameter if there is a value.
    pub(crate) fn query_if(self, key: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.query(key, value),
            None => self,
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns what may be logged: a query may hold more than a path.
    pub(crate) fn path_only(&self) -> &str {
        self.text.split('?').next().unwrap_or_default()
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.path_only()).finish()
    }
}

fn encode(into: &mut String, text: &str, is_path: bool) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                into.push(char::from(byte))
            }
            b'/' if is_path => into.push('/'),
            _ => write!(into, "%{byte:02X}").expect("writing to a string cannot fail"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_arrives_as_it_was_meant() {
        let target = Target::new("/api")
            .path("a b/ü#%?&=+")
            .query("name", "x&y=z/ä")
            .query_if("page", None)
            .query("n", "1");
        assert_eq!(target.as_str(), "/api/a%20b/%C3%BC%23%25%3F%26%3D%2B?name=x%26y%3Dz%2F%C3%A4&n=1");
        assert_eq!(target.path_only(), "/api/a%20b/%C3%BC%23%25%3F%26%3D%2B");
        assert!(!format!("{target:?}").contains("page") && !format!("{target:?}").contains("name"));
    }
}
