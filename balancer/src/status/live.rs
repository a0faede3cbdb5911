//! The page to watch a balancer on.

use super::StatusPaths;

/// One file: no script, style or picture comes from anywhere else.
const PAGE: &str = include_str!("live.html");

/// Returns the page, which reads the status from where these paths have it.
pub(super) fn page(paths: &StatusPaths) -> String {
    let status = serde_json::json!(paths.json.as_deref().unwrap_or_default()).to_string();
    // A path ends neither the script's text nor the script.
    PAGE.replacen("\"@STATUS@\"", &status.replace('<', "\\u003c"), 1)
}
