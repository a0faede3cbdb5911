//! The shape of a scenario file.
//!
//! Values are parsed while the file is read: only then does the reader know the line of a mistake.

use std::fmt;
use std::marker::PhantomData;

use http::{HeaderName, HeaderValue, Method};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Unexpected, Visitor};

use crate::body::Body;
use crate::check::Check;
use crate::request::RequestTemplate;
use crate::scenario::json_body::JsonBody;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScenarioForm {
    #[serde(deserialize_with = "at_least_one")]
    pub(super) requests: Vec<RequestForm>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRequest {
    name: Option<String>,
    #[serde(default, deserialize_with = "method")]
    method: Option<Method>,
    #[serde(deserialize_with = "path")]
    path: String,
    #[serde(default = "one", deserialize_with = "weight")]
    weight: u32,
    #[serde(default)]
    headers: Headers,
    body: Option<String>,
    // `null` is a JSON body too.
    #[serde(default, deserialize_with = "present")]
    json: Option<JsonBody>,
    #[serde(default)]
    check: CheckForm,
}

/// A request whose parts fit together.
pub(super) struct RequestForm(RawRequest);

impl<'de> Deserialize<'de> for RequestForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = RawRequest::deserialize(deserializer)?;
        if raw.json.is_some() && raw.body.is_some() {
            return Err(de::Error::custom("two bodies, expected either `json` or `body`"));
        }
        Ok(Self(raw))
    }
}

impl From<RequestForm> for RequestTemplate {
    fn from(RequestForm(raw): RequestForm) -> Self {
        let has_body = raw.json.is_some() || raw.body.is_some();
        let method = raw.method.unwrap_or(if has_body { Method::POST } else { Method::GET });
        let mut template = Self::new(method, raw.path).weight(raw.weight).check(raw.check.into());
        for (name, value) in raw.headers.0 {
            template = template.header(name, value);
        }
        if let Some(name) = raw.name {
            template = template.named(name);
        }
        match (raw.json, raw.body) {
            (Some(json), _) => template.random_body(Body::from(json.0)),
            (None, Some(body)) => template.body(body),
            (None, None) => template,
        }
    }
}

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckForm {
    #[serde(default, deserialize_with = "status")]
    status: Option<u16>,
    body_contains: Option<String>,
}

impl From<CheckForm> for Check {
    fn from(form: CheckForm) -> Self {
        let check = form.status.map_or(Self::success(), Self::status);
        match form.body_contains {
            Some(text) => check.and_body_contains(&text),
            None => check,
        }
    }
}

/// Header fields in the order of the file.
#[derive(Default)]
struct Headers(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Headers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of header fields")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
                let mut fields = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if HeaderName::try_from(&name).is_err() {
                        return Err(de::Error::invalid_value(
                            Unexpected::Str(&name),
                            &"the name of a header field",
                        ));
                    }
                    let value: String = map.next_value()?;
                    // It may be a credential, so the message does not show it.
                    if HeaderValue::try_from(&value).is_err() {
                        return Err(de::Error::custom(format!(
                            "header {name:?}: a header value cannot hold control characters"
                        )));
                    }
                    fields.push((name, value));
                }
                Ok(Headers(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

fn one() -> u32 {
    1
}

fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn method<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Method>, D::Error> {
    let parse = |text: &str| Method::from_bytes(text.as_bytes()).ok();
    parsed(deserializer, "a method such as GET or POST", parse).map(Some)
}

fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    parsed(deserializer, "a path that begins with a slash", |text| {
        text.starts_with('/').then(|| text.to_owned())
    })
}

fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u16>, D::Error> {
    let parse = |code| u16::try_from(code).ok().filter(|code| (200..=599).contains(code));
    whole(deserializer, "a status from 200 to 599", parse).map(Some)
}

fn weight<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    whole(deserializer, "a whole number that is not negative", |weight| u32::try_from(weight).ok())
}

/// Reads a whole number and checks it on the spot.
fn whole<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    expected: &'static str,
    parse: fn(u64) -> Option<T>,
) -> Result<T, D::Error> {
    struct Whole<T>(&'static str, fn(u64) -> Option<T>);
    impl<T> Visitor<'_> for Whole<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
            (self.1)(number).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self.0))
        }
    }
    deserializer.deserialize_u64(Whole(expected, parse))
}

/// Reads a text and parses it on the spot.
fn parsed<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    expected: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, D::Error> {
    struct Parse<T, F>(&'static str, F, PhantomData<T>);
    impl<T, F: Fn(&str) -> Option<T>> Visitor<'_> for Parse<T, F> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            (self.1)(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self.0))
        }
    }
    deserializer.deserialize_str(Parse(expected, parse, PhantomData))
}

fn at_least_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<RequestForm>, D::Error> {
    struct Requests;
    impl<'de> Visitor<'de> for Requests {
        type Value = Vec<RequestForm>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("at least one request")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut requests = Vec::new();
            while let Some(request) = seq.next_element()? {
                requests.push(request);
            }
            if requests.is_empty() { Err(de::Error::invalid_length(0, &self)) } else { Ok(requests) }
        }
    }
    deserializer.deserialize_seq(Requests)
}
