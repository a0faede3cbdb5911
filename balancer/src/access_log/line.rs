//! What a line says.

use std::{
    fmt::{self, Write},
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use http::{HeaderValue, Request, header};
use serde_json::json;

use super::AccessLogFormat;

/// Which replica an answer comes from, and after how many tries; an extension of the answer while the log is on.
#[derive(Debug, Clone)]
pub(crate) struct AnsweredBy {
    pub(crate) endpoint: Arc<str>,
    pub(crate) tries: u32,
}

/// What is known when a request comes.
#[derive(Debug)]
pub(super) struct Asked {
    at: SystemTime,
    since: Instant,
    from: IpAddr,
    /// Method, target and version, as in the request's first line.
    method: http::Method,
    target: String,
    version: &'static str,
    referer: Option<HeaderValue>,
    agent: Option<HeaderValue>,
}

/// What is known when it is answered.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: u16,
    /// Bytes of the body; nothing where the balancer's own refusal is the answer.
    pub(super) bytes: Option<u64>,
    pub(super) by: Option<AnsweredBy>,
    pub(super) whole: bool,
}

impl Asked {
    pub(super) fn of<B>(request: &Request<B>, from: IpAddr) -> Self {
        let field = |name| request.headers().get(name).cloned();
        Self {
            at: SystemTime::now(),
            since: Instant::now(),
            from,
            method: request.method().clone(),
            target: request.uri().to_string(),
            version: if request.version() == http::Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" },
            referer: field(header::REFERER),
            agent: field(header::USER_AGENT),
        }
    }

    pub(super) fn line(&self, answered: &Answered, format: AccessLogFormat) -> String {
        match format {
            AccessLogFormat::Combined => self.combined(answered),
            AccessLogFormat::Json => self.json(answered, self.since.elapsed()),
        }
    }

    /// `$remote_addr - - [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"`
    fn combined(&self, answered: &Answered) -> String {
        let Self { from, method, target, version, .. } = self;
        let bytes = answered.bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
        let field = |value: &Option<HeaderValue>| {
            value.as_ref().map_or_else(|| "-".to_owned(), |value| Escaped(value.as_bytes()).to_string())
        };
        let (target, status) = (Escaped(target.as_bytes()), answered.status);
        let (at, referer, agent) = (common_log_time(self.at), field(&self.referer), field(&self.agent));
        format!(
            "{from} - - [{at}] \"{method} {target} {version}\" {status} {bytes} \"{referer}\" \"{agent}\""
        )
    }

    fn json(&self, answered: &Answered, took: Duration) -> String {
        let text = |value: &Option<HeaderValue>| {
            value.as_ref().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let at = self.at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        json!({
            "time": (at.as_secs_f64() * 1e3).round() / 1e3,
            "remote_addr": self.from.to_string(),
            "method": self.method.as_str(),
            "target": self.target,
            "protocol": self.version,
            "status": answered.status,
            "bytes": answered.bytes,
            "whole": answered.whole,
            "seconds": (took.as_secs_f64() * 1e6).round() / 1e6,
            "endpoint": answered.by.as_ref().map(|by| &*by.endpoint),
            "tries": answered.by.as_ref().map(|by| by.tries),
            "referer": text(&self.referer),
            "user_agent": text(&self.agent),
        })
        .to_string()
    }
}

/// `26/Nov/2026:04:49:49 +0000`: the date of HTTP (RFC 9110 section 5.6.7), in another order.
fn common_log_time(at: SystemTime) -> String {
    let date = httpdate::fmt_http_date(at);
    let mut words = date.split(' ').skip(1);
    let mut next = || words.next().unwrap_or_default();
    let (day, month, year, time) = (next(), next(), next(), next());
    format!("{day}/{month}/{year}:{time} +0000")
}

/// Text of a client's, with quotes, backslashes and everything outside printable ASCII as `\xHH`, as nginx writes it: a
/// line stays one line, and a field one field.
struct Escaped<'a>(&'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| match byte {
            b'"' | b'\\' => write!(f, "\\x{byte:02X}"),
            b' '..=b'~' => f.write_char(char::from(*byte)),
            _ => write!(f, "\\x{byte:02X}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Asked {
        let request = Request::post("/predict?a=%22")
            .header(header::USER_AGENT, HeaderValue::from_bytes(b"wrk \"4\"\xff\t\\").unwrap())
            .body(())
            .unwrap();
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_764_132_589);
        Asked { at, ..Asked::of(&request, [10, 0, 0, 7].into()) }
    }

    fn answered(by: Option<AnsweredBy>) -> Answered {
        Answered { status: 200, bytes: Some(21), by, whole: true }
    }

    #[test]
    fn the_combined_format_is_one_line_whatever_a_client_sends() {
        let expected = r#"10.0.0.7 - - [26/Nov/2025:04:49:49 +0000] "POST /predict?a=%22 HTTP/1.1" 200 21 "-" "wrk \x224\x22\xFF\x09\x5C""#;
        assert_eq!(asked().line(&answered(None), AccessLogFormat::Combined), expected);
        let refused = Answered { status: 503, bytes: None, by: None, whole: true };
        assert!(asked().combined(&refused).contains("HTTP/1.1\" 503 - \"-\""));
    }

    #[test]
    fn json_says_who_answered_and_how_long_it_took() {
        let by = AnsweredBy { endpoint: "127.0.0.1:9001".into(), tries: 2 };
        let line = asked().line(&answered(Some(by)), AccessLogFormat::Json);
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&line["endpoint"], &line["tries"]), (&json!("127.0.0.1:9001"), &json!(2)));
        assert_eq!(
            (&line["status"], &line["bytes"], &line["whole"]),
            (&json!(200), &json!(21), &json!(true))
        );
        assert_eq!(line["target"], "/predict?a=%22");
        assert!(line["seconds"].is_number() && line["referer"].is_null());
    }
}
