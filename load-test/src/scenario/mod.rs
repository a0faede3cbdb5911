//! Requests from a file, so that a test can be changed without a compiler.

mod form;
mod json_body;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::request::RequestTemplate;

/// The longest scenario file that is read: bodies of some megabytes fit, a wrong file does not fill the memory.
pub const MAX_SCENARIO_BYTES: u64 = 16 * 1024 * 1024;

/// The requests of a scenario file.
///
/// ```
/// use martello_load_test::{Plan, Scenario};
///
/// let scenario = Scenario::from_json(r#"{
///     "requests": [
///         {
///             "name": "predict", "weight": 9, "method": "POST", "path": "/predict",
///             "headers": {"x-tenant": "north"},
///             "json": {
///                 "feature1": {"$uniform": [0, 10]},
///                 "feature2": {"$normal": [2.1, 0.5]},
///                 "feature3": 0.8
///             },
///             "check": {"status": 200, "body_contains": "prediction"}
///         },
///         {"path": "/health"}
///     ]
/// }"#)?;
/// let plan = Plan::builder("http://127.0.0.1:8000").scenario(scenario).build()?;
///
/// let mistake = Scenario::from_json("{\"requests\": [\n  {\"path\": \"health\"}\n]}").unwrap_err();
/// assert_eq!(
///     mistake.to_string(),
///     "scenario, line 2, column 19: invalid value: string \"health\", expected a path that begins with a slash"
/// );
/// # Ok::<(), martello_load_test::Error>(())
/// ```
///
/// `requests` is the only key of the file. A request has a `path`, and may have: `name` (in reports), `method`
/// (default `POST` with a body, else `GET`), `weight` (default 1), `headers`, `check` with `status` and
/// `body_contains` (default: any 2xx), and either `body` (text) or `json`.
///
/// Within `json`, an object with one of these keys stands for a value that is drawn anew for each request:
///
/// | value | drawn |
/// |---|---|
/// | `{"$uniform": [a, b]}` | a number from a to b |
/// | `{"$integer": [a, b]}` | a whole number from a to b, both included |
/// | `{"$normal": [mean, deviation]}` | a normally distributed number |
/// | `{"$choice": [x, y, …]}` | one of these values, which may be anything, `null` and drawn values too |
///
/// A key that begins with `$` itself is written with `$$`. Keys that are unknown are mistakes, so that a slip of
/// the pen is not a test of something else.
#[derive(Clone, Debug)]
pub struct Scenario {
    requests: Vec<RequestTemplate>,
}

impl Scenario {
    /// Reads a scenario from JSON text.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidText`] with line, column and what was expected there.
    pub fn from_json(text: &str) -> Result<Self> {
        Self::parse("scenario", text)
    }

    /// Reads a scenario from a file of at most [`MAX_SCENARIO_BYTES`].
    ///
    /// # Errors
    /// As [`from_json`](Self::from_json), with the path; [`ErrorKind::Io`] if it cannot be read.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let name = format!("scenario {}", path.as_ref().display());
        let unread = |error| Error::new(ErrorKind::Io, format!("{name} cannot be read")).caused_by(error);
        let mut bytes = Vec::new();
        let file = File::open(path.as_ref()).map_err(unread)?;
        file.take(MAX_SCENARIO_BYTES + 1).read_to_end(&mut bytes).map_err(unread)?;
        if bytes.len() as u64 > MAX_SCENARIO_BYTES {
            return Err(Error::text(format!("{name} is longer than {MAX_SCENARIO_BYTES} bytes")));
        }
        let text = String::from_utf8(bytes)
            .map_err(|error| Error::text(format!("{name} is not UTF-8 text")).caused_by(error))?;
        Self::parse(&name, &text)
    }

    /// Returns how many requests the scenario describes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Returns whether there are none; a scenario that was read has at least one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    pub(crate) fn into_requests(self) -> Vec<RequestTemplate> {
        self.requests
    }

    fn parse(name: &str, text: &str) -> Result<Self> {
        let form: form::ScenarioForm = serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let message = error.to_string();
            // serde_json says the position at the end, where a reader looks last.
            let what = message.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&message);
            Error::text(format!("{name}, line {line}, column {column}: {what}"))
        })?;
        Ok(Self { requests: form.requests.into_iter().map(RequestTemplate::from).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named_with_line_column_and_what_was_expected() {
        let request = |fields: &str| format!("{{\"requests\": [\n{{\"path\": \"/\", {fields}}}\n]}}");
        let cases = [
            ("".to_owned(), "line 1, column 0: EOF"),
            ("{}".to_owned(), "line 1, column 2: missing field `requests`"),
            (
                "{\"requests\": []}".to_owned(),
                "line 1, column 15: invalid length 0, expected at least one request",
            ),
            ("{\"requests\": [{}]}".to_owned(), "line 1, column 16: missing field `path`"),
            (request("\"wieght\": 3"), "line 2, column 22: unknown field `wieght`, expected one of `name`"),
            (
                request("\"weight\": -1"),
                "line 2, column 26: invalid type: integer `-1`, expected a whole number",
            ),
            (request("\"method\": \"GE T\""), "expected a method such as GET or POST"),
            (request("\"headers\": {\"a b\": \"x\"}"), "expected the name of a header field"),
            (request("\"headers\": {\"host\": \"a\\nb\"}"), "a header value cannot hold control characters"),
            (request("\"check\": {\"status\": 99}"), "integer `99`, expected a status from 200 to 599"),
            (
                request("\"json\": {\"a\": {\"$unifrom\": [1, 2]}}"),
                "expected one of `$uniform`, `$integer`, `$normal`, `$choice`",
            ),
            (
                request("\"json\": {\"a\": {\"$uniform\": [2, 1]}}"),
                "expected two finite numbers, the smaller first",
            ),
            (request("\"json\": {\"a\": {\"$uniform\": [1]}}"), "invalid length 1"),
            (request("\"json\": {\"$integer\": [1, 2], \"b\": 1}"), "no other key beside `$integer`"),
            (request("\"json\": {\"$choice\": []}"), "expected at least one value"),
            (
                request("\"json\": {\"$normal\": [0, -1]}"),
                "expected a mean and a deviation that is not negative",
            ),
            (request("\"json\": 1, \"body\": \"x\""), "expected either `json` or `body`"),
            ("{\"requests\": [{\"path\": \"/\",}]}".to_owned(), "trailing comma"),
        ];
        for (text, expected) in cases {
            let error = Scenario::from_json(&text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidText);
            assert!(error.to_string().contains(expected), "{text}\n{error}\n{expected}");
            assert!(error.to_string().starts_with("scenario, line "), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Scenario::read("no/such/file.json").unwrap_err();
        assert!(error.kind() == ErrorKind::Io && error.to_string().contains("no/such/file.json"), "{error}");
    }
}
