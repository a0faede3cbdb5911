//! The description as it is sent: written once for the models in service, not once for each who asks.

use std::hash::{DefaultHasher, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

use super::model::Described;
use crate::api::reply;
use crate::{Limits, Models, ServedModel};

/// Clients keep a copy and ask whether it is still right: a swap shows at once.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// The description that was written last.
#[derive(Debug, Default)]
pub(in crate::api) struct Document {
    // Held while it is written, so that of many who ask at once after a swap only one writes.
    last: Mutex<Option<Written>>,
}

#[derive(Debug, Clone)]
struct Written {
    /// The models that it describes, by their place in the list. A weak pointer keeps the model's address from being taken
    /// by another model, and not the model.
    of: Vec<Option<Weak<ServedModel>>>,
    body: Bytes,
    tag: HeaderValue,
}

impl Document {
    /// Answers with the description, or with 304 to who has it already.
    pub(in crate::api) fn answer(
        &self,
        models: &Models,
        limits: &Limits,
        headers: &HeaderMap,
    ) -> Response<Full<Bytes>> {
        let Written { body, tag, .. } = self.of(models, limits);
        let mut answer = if is_known(headers, &tag) {
            let mut unchanged = Response::new(Full::default());
            *unchanged.status_mut() = StatusCode::NOT_MODIFIED;
            unchanged
        } else {
            reply::json(StatusCode::OK, body)
        };
        answer.headers_mut().insert(header::ETAG, tag);
        answer.headers_mut().insert(header::CACHE_CONTROL, ASK_AGAIN);
        answer
    }

    fn of(&self, models: &Models, limits: &Limits) -> Written {
        let described = Described::list(models);
        // What stands there was whole before it was put in.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some(written) if written.is_of(&described) => written.clone(),
            _ => last.insert(Written::new(&described, limits)).clone(),
        }
    }
}

impl Written {
    fn new(described: &[Described], limits: &Limits) -> Self {
        let body = reply::body(&super::describe(described, limits));
        let of = described.iter().map(|model| model.served.as_ref().map(Arc::downgrade)).collect();
        let tag = tag(&body);
        Self { of, body, tag }
    }

    fn is_of(&self, described: &[Described]) -> bool {
        let same = |(before, now): (&Option<Weak<ServedModel>>, &Described)| match (before, &now.served) {
            (Some(before), Some(now)) => std::ptr::eq(before.as_ptr(), Arc::as_ptr(now)),
            (None, None) => true,
            _ => false,
        };
        self.of.len() == described.len() && self.of.iter().zip(described).all(same)
    }
}

/// Returns an entity tag (RFC 9110 section 8.8.3) that all replicas of one release give to the same description.
fn tag(body: &[u8]) -> HeaderValue {
    // Unlike the hashers of maps this one is not seeded.
    let mut hasher = DefaultHasher::new();
    hasher.write(body);
    let tag = format!("\"{:016x}\"", hasher.finish());
    HeaderValue::try_from(tag).expect("quotes and hexadecimal digits are a field value")
}

/// Returns true if `If-None-Match` (RFC 9110 section 13.1.2) has the tag; a weak one names the same text.
fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter();
    let mut tags =
        values.flat_map(|value| value.as_bytes().split(|&byte| byte == b',')).map(<[u8]>::trim_ascii);
    tags.any(|known| known == b"*" || known.strip_prefix(b"W/").unwrap_or(known) == tag.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_the_tag_has_the_description() {
        let check = |value: &'static str, expected| {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static(value))]);
            assert_eq!(is_known(&headers, &HeaderValue::from_static("\"1\"")), expected, "{value}");
        };
        check("\"1\"", true);
        check("W/\"1\"", true);
        check("\"0\" , \"1\"", true);
        check("*", true);
        check("\"11\"", false);
        check("1", false);
        check("", false);
        assert!(!is_known(&HeaderMap::new(), &HeaderValue::from_static("\"1\"")));
    }
}
