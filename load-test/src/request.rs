//! Requests as templates: written down once, checked once, sent many times.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use rand::Rng;

use crate::body::{Body, Piece, draw};
use crate::check::Check;
use crate::error::{Error, Result};
use crate::target::Target;
use crate::wire::RequestHead;

/// One kind of request that users send; a plan with several picks by weight.
///
/// Every body that is added is a variant: each request carries one of them, chosen evenly.
///
/// ```
/// use martello_load_test::{Check, RequestTemplate};
///
/// let predict = RequestTemplate::post("/predict")
///     .json(r#"{"feature1":5.3,"feature2":2.1,"feature3":0.8}"#)
///     .json(r#"{"feature1":0.1,"feature2":1.0,"feature3":2.0}"#)
///     .check(Check::success().and_body_contains("prediction"))
///     .weight(9);
/// let health = RequestTemplate::get("/health").weight(1);
/// # let _ = (predict, health);
/// ```
#[derive(Clone, Debug)]
pub struct RequestTemplate {
    name: Option<String>,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    bodies: Vec<Body>,
    weight: u32,
    check: Check,
}

impl RequestTemplate {
    /// Starts a template for any method; `path` begins with a slash and may carry a query.
    #[must_use]
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        let (name, headers, bodies) = (None, Vec::new(), Vec::new());
        Self { name, method, path: path.into(), headers, bodies, weight: 1, check: Check::default() }
    }

    /// Starts a `GET`.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// Starts a `POST`.
    #[must_use]
    pub fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    /// Adds a header field; `host`, `user-agent` and `accept` may be replaced this way.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a body variant.
    #[must_use]
    pub fn body(mut self, content: impl Into<Vec<u8>>) -> Self {
        self.bodies.push(Body::fixed(content.into()));
        self
    }

    pub(crate) fn random_body(self, body: Body) -> Self {
        let mut this = self.typed_as_json();
        this.bodies.push(body);
        this
    }

    fn typed_as_json(self) -> Self {
        let typed = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(CONTENT_TYPE.as_str()));
        if typed { self } else { self.header(CONTENT_TYPE.as_str(), "application/json") }
    }

    /// Adds a body variant that is JSON; the first one also adds `content-type: application/json`.
    ///
    /// The text is sent as it is, so that a test can send broken JSON too.
    #[must_use]
    pub fn json(self, content: impl Into<Vec<u8>>) -> Self {
        self.typed_as_json().body(content)
    }

    /// Sets how often this template is picked in relation to the others (default 1).
    #[must_use]
    pub fn weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// Sets what an answer must look like (default: any 2xx).
    #[must_use]
    pub fn check(mut self, check: Check) -> Self {
        self.check = check;
        self
    }

    /// Names the template in the report (default: its path).
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }
}

/// A template whose every part was parsed.
#[derive(Clone, Debug)]
pub(crate) struct PreparedRequest {
    pub(crate) name: String,
    pub(crate) check: Check,
    method: Method,
    head: RequestHead,
    variants: Box<[Variant]>,
}

/// One of the bodies, with as much of the request around it as can be rendered beforehand.
#[derive(Clone, Debug)]
enum Variant {
    Whole(Bytes),
    Drawn(Arc<[Piece]>),
}

impl PreparedRequest {
    fn new(template: RequestTemplate, target: &Target) -> Result<Self> {
        let RequestTemplate { name, method, path, headers, bodies, check, .. } = template;
        if let Some(code) = check.expected_status().filter(|code| !(200..=599).contains(code)) {
            return Err(Error::plan(format!(
                "check of {path} expects status {code}, which is not from 200 to 599"
            )));
        }
        let (uri, headers) = (target.request_target(&path)?, parse_headers(&path, &headers, target)?);
        let head = RequestHead::new(&method, &uri, &headers);
        let bodies = if bodies.is_empty() { vec![Body::fixed(Vec::new())] } else { bodies };
        let variants = bodies.into_iter().map(|body| Variant::new(&head, body)).collect();
        Ok(Self { name: name.unwrap_or(path), check, method, head, variants })
    }

    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    /// The bytes of one request; those of a body without random parts are shared, not copied.
    pub(crate) fn render(&self, random: &mut impl Rng) -> Bytes {
        let place = if self.variants.len() == 1 { 0 } else { random.gen_range(0..self.variants.len()) };
        match &self.variants[place] {
            Variant::Whole(request) => request.clone(),
            Variant::Drawn(pieces) => self.head.with_body(draw(pieces, random).as_bytes()).into(),
        }
    }
}

impl Variant {
    fn new(head: &RequestHead, body: Body) -> Self {
        match body {
            Body::Fixed(bytes) => Self::Whole(head.with_body(&bytes).into()),
            Body::Random(pieces) => Self::Drawn(pieces),
        }
    }
}

fn parse_headers(path: &str, written: &[(String, String)], target: &Target) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, target.host_header().clone());
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("martello-load-test/", env!("CARGO_PKG_VERSION"))),
    );
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    for (name, value) in written {
        // The value may be a credential: the message names the field alone.
        let wrong = |what: &str| Error::plan(format!("header {name:?} of {path} {what}"));
        let parsed =
            HeaderName::try_from(name).map_err(|error| wrong("has an invalid name").caused_by(error))?;
        if matches!(parsed.as_str(), "content-length" | "transfer-encoding" | "connection") {
            return Err(wrong("belongs to the connection and is set by the generator"));
        }
        let value =
            HeaderValue::try_from(value).map_err(|error| wrong("has an invalid value").caused_by(error))?;
        if matches!(parsed.as_str(), "host" | "user-agent" | "accept") {
            headers.insert(parsed, value);
        } else {
            headers.append(parsed, value);
        }
    }
    Ok(headers)
}

/// The requests of a plan and how often each is picked.
#[derive(Clone, Debug)]
pub(crate) struct RequestMix {
    requests: Vec<PreparedRequest>,
    /// Running sums of the weights; the last is the total, above zero.
    cumulative: Vec<u64>,
}

impl RequestMix {
    pub(crate) fn new(templates: Vec<RequestTemplate>, target: &Target) -> Result<Self> {
        let mut total = 0;
        let mut cumulative = Vec::with_capacity(templates.len());
        let mut requests = Vec::with_capacity(templates.len());
        for template in templates {
            total += u64::from(template.weight);
            cumulative.push(total);
            requests.push(PreparedRequest::new(template, target)?);
        }
        if total == 0 {
            return Err(Error::plan("all requests have weight 0, so none would ever be sent"));
        }
        Ok(Self { requests, cumulative })
    }

    pub(crate) fn requests(&self) -> &[PreparedRequest] {
        &self.requests
    }

    /// Picks the place of one request, by weight.
    pub(crate) fn pick(&self, random: &mut impl Rng) -> usize {
        if self.requests.len() == 1 {
            return 0;
        }
        let total = *self.cumulative.last().expect("a mix holds at least one request");
        let drawn = random.gen_range(0..total);
        self.cumulative.partition_point(|sum| *sum <= drawn)
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::SmallRng};

    use super::*;
    use crate::body::Draw;

    fn target() -> Target {
        Target::parse("http://127.0.0.1:8000").unwrap()
    }

    #[test]
    fn requests_are_picked_by_weight() {
        let templates = [("/a", 6), ("/never", 0), ("/b", 3), ("/c", 1)];
        let templates = templates.map(|(path, weight)| RequestTemplate::get(path).weight(weight));
        let mix = RequestMix::new(templates.into(), &target()).unwrap();
        let mut random = SmallRng::seed_from_u64(1);
        let mut counts = [0_i32; 4];
        (0..100_000).for_each(|_| counts[mix.pick(&mut random)] += 1);
        assert_eq!(counts[1], 0);
        for (count, expected) in counts.into_iter().zip([60_000, 0, 30_000, 10_000_i32]) {
            assert!((count - expected).abs() < 1_000, "{counts:?}");
        }
    }

    #[test]
    fn a_prepared_request_carries_host_type_and_one_of_its_bodies() {
        let template = RequestTemplate::post("/predict").json("1").json("2");
        let mix = RequestMix::new(vec![template], &target()).unwrap();
        let request = mix.requests()[0].render(&mut SmallRng::seed_from_u64(1));
        let text = std::str::from_utf8(&request).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /predict HTTP/1.1\r\nhost: 127.0.0.1:8000\r\n"), "{text}");
        assert_eq!(head.matches("content-type: application/json").count(), 1, "{text}");
        assert!(head.ends_with("\r\ncontent-length: 1") && ["1", "2"].contains(&body), "{text}");
    }

    #[test]
    fn only_what_varies_is_rendered_for_each_request() {
        let random_body = Body::from(vec![Piece::Drawn(Draw::Integer(0, i64::MAX))]);
        let templates =
            [RequestTemplate::post("/").json("{}"), RequestTemplate::post("/").random_body(random_body)];
        let mix = RequestMix::new(templates.into(), &target()).unwrap();
        let mut random = SmallRng::seed_from_u64(1);
        let mut two = |place: usize| [0, 1].map(|_| mix.requests()[place].render(&mut random));
        let ([fixed, again], [drawn, other]) = (two(0), two(1));
        assert_eq!(fixed.as_ptr(), again.as_ptr());
        assert_ne!(drawn, other);
    }

    #[test]
    fn templates_that_cannot_be_sent_are_refused_without_showing_their_values() {
        let cases = [
            RequestTemplate::get("no-slash"),
            RequestTemplate::get("/").weight(0),
            RequestTemplate::get("/").header("a b", "secret"),
            RequestTemplate::get("/").header("authorization", "secret\r\nx: y"),
            RequestTemplate::get("/").header("Content-Length", "secret"),
            RequestTemplate::get("/").check(Check::status(99)),
        ];
        for template in cases {
            let error = RequestMix::new(vec![template.clone()], &target()).unwrap_err();
            assert!(error.is_usage() && !error.to_string().contains("secret"), "{template:?}: {error}");
        }
    }
}
