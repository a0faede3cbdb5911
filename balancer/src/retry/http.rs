//! When an HTTP request may be asked again.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};

use super::{RequestKind, counted::counted, declared::Declared};
use crate::{
    Body, Error, ErrorKind, Fault,
    access_log::AnsweredBy,
    balance::{FailureKind, InFlight, Load, Outcome, Protocol, Repeat, Verdict},
    h1::Upgrade,
};

/// A replica's answer carries this with `?1` when the request was a pure function: repeating it is safe
/// even after it was sent.
pub const PURE: HeaderName = HeaderName::from_static("martello-pure");
/// A replica's answer carries this, with the reason, when it refused the request before doing anything.
pub const NOT_PROCESSED: HeaderName = HeaderName::from_static("martello-not-processed");
/// The balancer's answer carries the address of the replica that gave it, where asked to.
pub const ENDPOINT: HeaderName = HeaderName::from_static("martello-endpoint");
/// The balancer's answer carries the number of attempts that it took, where asked to.
pub const TRIES: HeaderName = HeaderName::from_static("martello-tries");

/// The largest body that is kept to be sent again: 64 KiB, far above a prediction's few hundred bytes and
/// small enough that 1,000 requests under way hold at most 64 MB.
pub const DEFAULT_REPLAY_BYTES: usize = 64 * 1024;

/// The rules of HTTP: what counts as a failure, and what may be repeated.
///
/// A request goes to another endpoint when the first provably did nothing with it (nothing was sent, or it
/// answered `martello-not-processed`), or when doing it twice is harmless: its method is idempotent (RFC
/// 9110, section 9.2.2), or the endpoint has declared this method and path to be a pure function by
/// `martello-pure: ?1` in an earlier answer. The word of another endpoint holds for one that has not answered such a
/// request yet, so that a replica that is broken from the start loses none. And only if its body is in memory and not too
/// large, or nothing of it was read.
///
/// A request that asks for another protocol on its connection is never repeated once any of it was sent.
///
/// A 5xx answer is a failure, but 501 and 505, which speak of the request.
#[derive(Debug, Clone)]
pub struct Http {
    replay_bytes: usize,
    pure: Vec<RequestKind>,
    /// What any endpoint has declared.
    declared: Arc<Declared>,
    route_headers: bool,
    tells_log: bool,
}

/// What is remembered of a request to judge its answer.
#[derive(Debug, Clone, Copy)]
pub struct HttpMark {
    kind: RequestKind,
    harmless: bool,
    /// It may have begun something in another protocol.
    upgrade: bool,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            replay_bytes: DEFAULT_REPLAY_BYTES,
            pure: Vec::new(),
            declared: Arc::default(),
            route_headers: false,
            tells_log: false,
        }
    }
}

impl Http {
    /// Sets the largest body, in bytes, that is kept to be sent again.
    #[must_use]
    pub fn replay_bytes(self, bytes: usize) -> Self {
        Self { replay_bytes: bytes, ..self }
    }

    /// Takes requests of this method and path for pure functions, for replicas that do not say so.
    #[must_use]
    pub fn assume_pure(mut self, method: &Method, path: &str) -> Self {
        self.pure.push(kind_of(method, path));
        self
    }

    /// Adds `martello-endpoint` and `martello-tries` to every answer.
    #[must_use]
    pub fn with_route_headers(self) -> Self {
        Self { route_headers: true, ..self }
    }

    /// Tells the access log who answered.
    pub(crate) fn telling_log(self) -> Self {
        Self { tells_log: true, ..self }
    }

    /// Returns whether a request may be repeated although this endpoint may have begun to work on it.
    fn may_repeat_at(&self, mark: &HttpMark, endpoint: &Load) -> bool {
        let is_pure = || {
            let by_others = || self.declared.contains(mark.kind) && endpoint.may_declare(mark.kind);
            endpoint.is_pure(mark.kind) || by_others()
        };
        !mark.upgrade && (mark.harmless || is_pure())
    }

    fn judge_answer(&self, mark: &HttpMark, endpoint: &Load, response: &Response<Body>) -> Verdict {
        if let Some(reason) = response.headers().get(NOT_PROCESSED) {
            let repeat = if mark.upgrade { Repeat::Never } else { Repeat::Elsewhere };
            return Verdict { outcome: refusal(reason), repeat };
        }
        let pure = is_pure(response);
        if pure {
            endpoint.declare_pure(mark.kind);
            self.declared.insert(mark.kind);
        }
        if !is_failure(response.status()) {
            if !pure && self.declared.contains(mark.kind) {
                endpoint.answer_undeclared(mark.kind);
            }
            return Verdict { outcome: Outcome::Success, repeat: Repeat::Never };
        }
        if pure {
            // The function's own answer to this very input: another endpoint would say the same, and a client with bad input could
            // otherwise have every endpoint ejected.
            return Verdict { outcome: Outcome::Neutral, repeat: Repeat::Never };
        }
        let repeat = if self.may_repeat_at(mark, endpoint) { Repeat::Elsewhere } else { Repeat::Never };
        Verdict { outcome: Outcome::Failure(FailureKind::Status), repeat }
    }

    fn judge_error(&self, mark: &HttpMark, endpoint: &Load, error: &Error) -> Verdict {
        if error.fault() != Fault::Upstream {
            return Verdict { outcome: Outcome::Neutral, repeat: Repeat::Never };
        }
        let safe = error.is_retryable() || self.may_repeat_at(mark, endpoint);
        let repeat = match (safe, error.kind() == ErrorKind::StaleConnection) {
            (false, _) => Repeat::Never,
            (true, true) => Repeat::Anywhere,
            (true, false) => Repeat::Elsewhere,
        };
        Verdict { outcome: outcome_of(error), repeat }
    }
}

fn kind_of(method: &Method, path: &str) -> RequestKind {
    RequestKind::of((method.as_str(), path))
}

impl Protocol<Request<Body>, Response<Body>, Error> for Http {
    type Mark = HttpMark;

    fn mark(&self, request: &Request<Body>) -> HttpMark {
        let kind = kind_of(request.method(), request.uri().path());
        let harmless = request.method().is_idempotent() || self.pure.contains(&kind);
        HttpMark { kind, harmless, upgrade: Upgrade::among(request.extensions()).is_some() }
    }

    fn copy(&self, request: &Request<Body>) -> Option<Request<Body>> {
        if request.body().as_bytes()?.len() > self.replay_bytes {
            return None;
        }
        let mut copy = Request::new(request.body().try_clone()?);
        copy.method_mut().clone_from(request.method());
        copy.uri_mut().clone_from(request.uri());
        *copy.version_mut() = request.version();
        // Nearly always empty, and copying nothing costs a hundred instructions, too.
        if !request.headers().is_empty() {
            copy.headers_mut().clone_from(request.headers());
        }
        if !request.extensions().is_empty() {
            copy.extensions_mut().clone_from(request.extensions());
        }
        Some(copy)
    }

    fn take_back(&self, error: &mut Error) -> Option<Request<Body>> {
        error.take_request()
    }

    fn may_give_up(&self, mark: &HttpMark, endpoint: &Load) -> bool {
        self.may_repeat_at(mark, endpoint)
    }

    fn judge(&self, mark: &HttpMark, endpoint: &Load, result: &Result<Response<Body>, Error>) -> Verdict {
        match result {
            Ok(response) => self.judge_answer(mark, endpoint, response),
            Err(error) => self.judge_error(mark, endpoint, error),
        }
    }

    fn answer(&self, mut response: Response<Body>, in_flight: InFlight, tries: u32) -> Response<Body> {
        if self.route_headers {
            // What a replica says of itself under these names is not true of this hop.
            if let Some(fields) = response.body_mut().take_fields() {
                *response.headers_mut() = fields.to_map();
            }
            // An endpoint's name is an address; one that is no header value is not shown.
            if let Ok(endpoint) = HeaderValue::try_from(in_flight.endpoint()) {
                response.headers_mut().insert(ENDPOINT, endpoint);
            }
            response.headers_mut().insert(TRIES, HeaderValue::from(tries));
        }
        if self.tells_log {
            let by = AnsweredBy { endpoint: in_flight.endpoint().into(), tries };
            response.extensions_mut().insert(by);
        }
        // A body that is whole in memory has ended as far as the endpoint is concerned.
        if response.body().as_bytes().is_some() {
            return response;
        }
        if let Some(tunnel) = response.body_mut().as_tunnel_mut() {
            tunnel.ends_after(in_flight.leaving());
        }
        response.map(|body| counted(body, in_flight))
    }
}

/// Whether an answer says that its endpoint failed. The function's own answer to its input says nothing of the kind, nor does
/// a 503, which names its reason itself.
pub(crate) fn is_of_a_failing_endpoint(response: &Response<Body>) -> bool {
    let status = response.status();
    is_failure(status) && status != StatusCode::SERVICE_UNAVAILABLE && !is_pure(response)
}

fn is_pure(response: &Response<Body>) -> bool {
    match response.body().fields() {
        Some(fields) => fields.is_pure(),
        None => response.headers().get(PURE).is_some_and(|value| value == "?1"),
    }
}

/// A replica that is full is well, one that is leaving will not be back, and any other that cannot do its
/// work is failing.
fn refusal(reason: &HeaderValue) -> Outcome {
    let reason = reason.as_bytes().trim_ascii();
    let is = |word: &str| {
        reason.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
    };
    if is("draining") {
        Outcome::Failure(FailureKind::Leaving)
    } else if is("overloaded") || is("shed") {
        Outcome::Neutral
    } else {
        Outcome::Failure(FailureKind::Status)
    }
}

fn is_failure(status: StatusCode) -> bool {
    status.is_server_error()
        && status != StatusCode::NOT_IMPLEMENTED
        && status != StatusCode::HTTP_VERSION_NOT_SUPPORTED
}

fn outcome_of(error: &Error) -> Outcome {
    match error.kind() {
        // Closing an idle connection is no failure; losing a request with it is.
        ErrorKind::StaleConnection if error.is_retryable() => Outcome::Neutral,
        ErrorKind::StaleConnection | ErrorKind::UpstreamReset => Outcome::Failure(FailureKind::Reset),
        ErrorKind::Connect | ErrorKind::ConnectTimeout => Outcome::Failure(FailureKind::Connect),
        ErrorKind::UpstreamTimeout => Outcome::Failure(FailureKind::Timeout),
        ErrorKind::UpstreamProtocol => Outcome::Failure(FailureKind::Protocol),
        _ => Outcome::Failure(FailureKind::Error),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::*;
    use crate::Stage;

    fn post() -> Request<Body> {
        Request::post("/predict").body(Body::from("{}")).unwrap()
    }

    fn judge(request: &Request<Body>, endpoint: &Load, result: &Result<Response<Body>, Error>) -> Verdict {
        let http = Http::default();
        http.judge(&http.mark(request), endpoint, result)
    }

    fn endpoint() -> Load {
        Load::new(1, NonZeroU16::MIN)
    }

    fn answer(status: u16, headers: &[(HeaderName, &'static str)]) -> Result<Response<Body>, Error> {
        let mut response = Response::builder().status(status).body(Body::empty()).unwrap();
        for (name, value) in headers {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        Ok(response)
    }

    fn error(kind: ErrorKind, stage: Stage) -> Result<Response<Body>, Error> {
        Err(Error::new(kind, "it failed").at(stage))
    }

    #[test]
    fn a_post_is_repeated_only_when_it_provably_was_not_processed() {
        use ErrorKind::*;
        let cases = [
            (error(Connect, Stage::NothingSent), Repeat::Elsewhere),
            (error(ConnectTimeout, Stage::NothingSent), Repeat::Elsewhere),
            (error(StaleConnection, Stage::NothingSent), Repeat::Anywhere),
            (error(StaleConnection, Stage::Sent), Repeat::Never),
            (error(UpstreamReset, Stage::Sent), Repeat::Never),
            (error(UpstreamReset, Stage::ResponseStarted), Repeat::Never),
            (error(UpstreamTimeout, Stage::Sent), Repeat::Never),
            (error(ClientGone, Stage::NothingSent), Repeat::Never),
            (error(BodyTooLarge, Stage::NothingSent), Repeat::Never),
            (answer(503, &[(NOT_PROCESSED, "overloaded")]), Repeat::Elsewhere),
            (answer(503, &[]), Repeat::Never),
            (answer(500, &[]), Repeat::Never),
            (answer(422, &[]), Repeat::Never),
        ];
        for (result, expected) in cases {
            let shown = format!("{result:?}");
            assert_eq!(judge(&post(), &endpoint(), &result).repeat, expected, "{shown}");
        }
    }

    #[test]
    fn what_was_declared_pure_is_repeated_after_it_was_sent() {
        let endpoint = endpoint();
        let first = judge(&post(), &endpoint, &answer(200, &[(PURE, "?1")]));
        assert_eq!(first, Verdict { outcome: Outcome::Success, repeat: Repeat::Never });
        for result in [
            error(ErrorKind::UpstreamReset, Stage::ResponseStarted),
            error(ErrorKind::UpstreamTimeout, Stage::Sent),
            answer(500, &[]),
        ] {
            assert_eq!(judge(&post(), &endpoint, &result).repeat, Repeat::Elsewhere);
        }
        let other = Request::post("/v2/repository/models/a/load").body(Body::empty()).unwrap();
        let result = error(ErrorKind::UpstreamReset, Stage::Sent);
        assert_eq!(judge(&other, &endpoint, &result).repeat, Repeat::Never, "another path was not declared");
        let declined = judge(&post(), &Load::new(2, NonZeroU16::MIN), &answer(500, &[(PURE, "?0")]));
        assert_eq!(declined.repeat, Repeat::Never);
    }

    #[test]
    fn what_others_declared_holds_until_an_endpoint_has_answered_itself() {
        let (http, first, newcomer) = (Http::default(), endpoint(), Load::new(2, NonZeroU16::MIN));
        let judge = |endpoint: &Load, result| http.judge(&http.mark(&post()), endpoint, &result).repeat;
        let failed = || answer(500, &[]);
        assert_eq!(judge(&newcomer, failed()), Repeat::Never, "nobody has declared it");
        judge(&first, answer(200, &[(PURE, "?1")]));
        assert_eq!(judge(&newcomer, failed()), Repeat::Elsewhere);
        assert!(http.may_give_up(&http.mark(&post()), &newcomer));
        judge(&newcomer, answer(200, &[]));
        assert_eq!(judge(&newcomer, failed()), Repeat::Never, "it does not say so itself");
        assert_eq!(judge(&first, failed()), Repeat::Elsewhere);
        judge(&newcomer, answer(200, &[(PURE, "?1")]));
        assert_eq!(judge(&newcomer, failed()), Repeat::Elsewhere);
    }

    #[test]
    fn idempotent_methods_and_assumed_paths_are_repeated() {
        let reset = || error(ErrorKind::UpstreamReset, Stage::Sent);
        for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] {
            let request = Request::builder().method(method).uri("/x").body(Body::empty()).unwrap();
            assert_eq!(judge(&request, &endpoint(), &reset()).repeat, Repeat::Elsewhere, "{method}");
        }
        let http = Http::default().assume_pure(&Method::POST, "/predict");
        let verdict = http.judge(&http.mark(&post()), &endpoint(), &reset());
        assert_eq!(verdict.repeat, Repeat::Elsewhere);
    }

    #[test]
    fn only_the_endpoints_own_failures_count_against_it() {
        use ErrorKind::*;
        let failure = Outcome::Failure;
        let cases = [
            (answer(200, &[]), Outcome::Success),
            (answer(404, &[]), Outcome::Success),
            (answer(501, &[]), Outcome::Success),
            (answer(500, &[]), failure(FailureKind::Status)),
            (answer(503, &[(NOT_PROCESSED, "overloaded; queue=50")]), Outcome::Neutral),
            (answer(500, &[(PURE, "?1")]), Outcome::Neutral),
            (answer(503, &[(NOT_PROCESSED, "draining")]), failure(FailureKind::Leaving)),
            (answer(503, &[(NOT_PROCESSED, "no model")]), failure(FailureKind::Status)),
            (error(ClientGone, Stage::Sent), Outcome::Neutral),
            (error(NoEndpoint, Stage::NothingSent), Outcome::Neutral),
            (error(StaleConnection, Stage::NothingSent), Outcome::Neutral),
            (error(StaleConnection, Stage::Sent), failure(FailureKind::Reset)),
            (error(Connect, Stage::NothingSent), failure(FailureKind::Connect)),
            (error(UpstreamTimeout, Stage::Sent), failure(FailureKind::Timeout)),
            (error(UpstreamProtocol, Stage::ResponseStarted), failure(FailureKind::Protocol)),
        ];
        for (result, expected) in cases {
            let shown = format!("{result:?}");
            assert_eq!(judge(&post(), &endpoint(), &result).outcome, expected, "{shown}");
        }
    }

    #[test]
    fn a_copy_is_bounded_and_whole() {
        let http = Http::default().replay_bytes(4);
        let small = Request::post("/a?b=c").header("x", "y").body(Body::from("1234")).unwrap();
        let copy = http.copy(&small).unwrap();
        assert_eq!(
            (copy.method(), copy.uri(), copy.headers()),
            (small.method(), small.uri(), small.headers())
        );
        assert_eq!(copy.body().as_bytes().unwrap(), "1234");
        assert!(http.copy(&Request::new(Body::from("12345"))).is_none(), "too large to keep");
        let stream = Body::new(http_body_util::Full::new(bytes::Bytes::from_static(b"1")));
        assert!(http.copy(&Request::new(stream)).is_none(), "not in memory");
    }
}
