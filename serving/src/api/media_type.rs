//! Which `Content-Type` is JSON.

use http::HeaderValue;

/// Returns true for `application/json`, `application/<anything>+json`, and no type at all.
///
/// FastAPI reads these as JSON whatever their parameters say. A body without a type is JSON to its release 0.115 and no
/// longer to 0.165; hand-written clients rely on it.
pub(super) fn is_json(content_type: Option<&HeaderValue>) -> bool {
    let Some(content_type) = content_type else { return true };
    let bytes = content_type.as_bytes();
    if bytes == b"application/json" || bytes.is_empty() {
        return true;
    }
    let essence =
        bytes.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    essence
        .strip_prefix(b"application/")
        .is_some_and(|subtype| subtype == b"json" || subtype.ends_with(b"+json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_known_by_its_type() {
        let check = |value: &'static str| is_json(Some(&HeaderValue::from_static(value)));
        for value in [
            "application/json",
            "APPLICATION/JSON",
            "application/json; charset=utf-8",
            "application/geo+json ;x=1",
            "",
        ] {
            assert!(check(value), "{value}");
        }
        for value in
            ["json", "text/json", "text/plain", "application/jsonx", "application/x-www-form-urlencoded"]
        {
            assert!(!check(value), "{value}");
        }
        assert!(is_json(None));
    }
}
