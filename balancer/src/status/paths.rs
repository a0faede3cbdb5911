//! The paths that the balancer answers itself.

use http::{HeaderValue, Method, Request, Response, StatusCode, header};

use super::{Snapshot, live, nginx_status, prometheus};
use crate::Body;

/// The paths that the balancer answers itself; every other one is proxied. `None` proxies that one too.
///
/// ```
/// use martello_balancer::StatusPaths;
///
/// // The replicas have metrics of their own: let those through.
/// let paths = StatusPaths { metrics: None, ..StatusPaths::default() };
/// assert_eq!(paths.nginx.as_deref(), Some("/nginx_status"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusPaths {
    /// The page to watch the balancer on, which reads `json` once a second and nothing else. `/balancer` by
    /// default.
    pub page: Option<String>,
    /// nginx's `stub_status` text. `/nginx_status` by default, as in the system that the balancer replaces.
    pub nginx: Option<String>,
    /// The [`Snapshot`] as JSON. `/balancer/status` by default.
    pub json: Option<String>,
    /// Metrics in Prometheus' text format. `/metrics` by default, where Prometheus looks.
    pub metrics: Option<String>,
}

impl Default for StatusPaths {
    fn default() -> Self {
        Self {
            page: Some("/balancer".into()),
            nginx: Some("/nginx_status".into()),
            json: Some("/balancer/status".into()),
            metrics: Some("/metrics".into()),
        }
    }
}

/// What is shown at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    Live,
    Nginx,
    Json,
    Metrics,
}

impl StatusPaths {
    /// Returns paths of which the balancer answers none.
    pub fn none() -> Self {
        Self { page: None, nginx: None, json: None, metrics: None }
    }

    /// Returns what the balancer shows at a path, if it answers it itself.
    pub(crate) fn page(&self, path: &str) -> Option<Page> {
        let is = |own: &Option<String>| own.as_deref() == Some(path);
        [
            (&self.page, Page::Live),
            (&self.nginx, Page::Nginx),
            (&self.json, Page::Json),
            (&self.metrics, Page::Metrics),
        ]
        .into_iter()
        .find(|(own, _)| is(own))
        .map(|(_, page)| page)
    }
}

impl Page {
    /// Answers a request for this page: 405 unless it is GET or HEAD.
    pub(crate) fn answer<B>(
        self,
        request: &Request<B>,
        paths: &StatusPaths,
        snapshot: impl FnOnce() -> Snapshot,
    ) -> Response<Body> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut refusal = Response::new(Body::from("405: only GET and HEAD\n"));
            *refusal.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refusal;
        }
        let (content_type, text) = self.render(paths, &snapshot());
        let mut response = Response::new(Body::from(text));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    fn render(self, paths: &StatusPaths, snapshot: &Snapshot) -> (&'static str, String) {
        match self {
            Self::Live => ("text/html; charset=utf-8", live::page(paths)),
            Self::Nginx => ("text/plain", nginx_status(&snapshot.connections.unwrap_or_default())),
            Self::Json => ("application/json", serde_json::json!(snapshot).to_string()),
            Self::Metrics => ("text/plain; version=0.0.4; charset=utf-8", prometheus(snapshot)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Balance, policy::RoundRobin};

    fn snapshot() -> Snapshot {
        Balance::new(RoundRobin, [("127.0.0.1:9001", ())]).snapshot()
    }

    fn ask(method: Method, path: &str) -> Option<Response<Body>> {
        let request = Request::builder().method(method).uri(path).body(()).unwrap();
        StatusPaths::default()
            .page(request.uri().path())
            .map(|page| page.answer(&request, &StatusPaths::default(), snapshot))
    }

    #[test]
    fn only_the_balancers_own_paths_are_answered() {
        for path in ["/", "/predict", "/nginx_status/", "/nginx_statusx", "/balancer/"] {
            assert!(ask(Method::GET, path).is_none(), "{path}");
        }
        for path in ["/balancer", "/nginx_status", "/nginx_status?x=y", "/balancer/status", "/metrics"] {
            assert_eq!(ask(Method::GET, path).unwrap().status(), 200, "{path}");
            assert_eq!(ask(Method::HEAD, path).unwrap().status(), 200, "{path}");
        }
        assert!(StatusPaths::none().page("/metrics").is_none());
    }

    #[test]
    fn the_page_reads_the_status_where_it_is_and_nothing_else() {
        let paths = StatusPaths { json: Some("/st\"</script>".into()), ..StatusPaths::default() };
        let html = live::page(&paths);
        assert!(
            html.contains(r#"const STATUS = "/st\"\u003c/script>";"#),
            "the path is text, whatever it is"
        );
        for outside in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!html.replace("http://www.w3.org/2000/svg", "").contains(outside), "{outside}");
        }
    }

    #[test]
    fn other_methods_are_not_allowed() {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let response = ask(method, "/nginx_status").unwrap();
            assert_eq!(response.status(), 405);
            assert_eq!(response.headers()[header::ALLOW], "GET, HEAD");
        }
    }

    #[test]
    fn the_json_has_every_endpoint_with_state_and_reason() {
        let response = ask(Method::GET, "/balancer/status").unwrap();
        let body: serde_json::Value = serde_json::from_slice(response.body().as_bytes().unwrap()).unwrap();
        let endpoint = &body["endpoints"][0];
        assert_eq!(endpoint["name"], "127.0.0.1:9001");
        assert_eq!((&endpoint["state"], &endpoint["reason"]), (&"ready".into(), &"added".into()));
        assert_eq!(body["policy"], "round-robin");
        assert_eq!(body["panic"], false);
    }
}
