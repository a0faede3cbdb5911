//! Requests as templates: written down once, checked once, sent many times.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::{Method, Request, Uri};
use http_body_util::Full;
use rand::Rng;

use crate::body::Body;
use crate::check::Check;
use crate::error::{Error, Result};
use crate::target::Target;

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
    uri: Uri,
    headers: HeaderMap,
    bodies: Box<[Body]>,
}

impl PreparedRequest {
    fn new(template: RequestTemplate, target: &Target) -> Result<Self> {
        let RequestTemplate { name, method, path, headers, bodies, check, .. } = template;
        let uri = target.request_target(&path)?;
        if let Some(code) = check.expected_status().filter(|code| !(200..=599).contains(code)) {
            return Err(Error::plan(format!(
                "check of {path} expects status {code}, which is not from 200 to 599"
            )));
        }
        let headers = parse_headers(&path, &headers, target)?;
        let bodies = if bodies.is_empty() { vec![Body::fixed(Vec::new())] } else { bodies };
        Ok(Self { name: name.unwrap_or(path), check, method, uri, headers, bodies: bodies.into() })
    }

    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    /// A request ready to send; a body without random parts is shared, not copied.
    pub(crate) fn request(&self, random: &mut impl Rng) -> Request<Full<Bytes>> {
        let variant = if self.bodies.len() == 1 { 0 } else { random.gen_range(0..self.bodies.len()) };
        let mut request = Request::new(Full::new(self.bodies[variant].draw(random)));
        request.method_mut().clone_from(&self.method);
        request.uri_mut().clone_from(&self.uri);
        request.headers_mut().clone_from(&self.headers);
        request
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
        let request = mix.requests()[0].request(&mut SmallRng::seed_from_u64(1));
        assert_eq!(request.headers()[HOST], "127.0.0.1:8000");
        assert_eq!(request.headers().get_all(CONTENT_TYPE).iter().count(), 1);
        assert_eq!((request.method(), request.uri().path()), (&Method::POST, "/predict"));
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
