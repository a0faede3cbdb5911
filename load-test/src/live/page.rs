//! What the page shows.

use crate::draw::{escaped, page};
use crate::figures::{Count, Rate};
use crate::live::control::{Control, View};
use crate::report::Report;

const SCRIPT: &str = include_str!("page.js");

/// The page with its form; the rest is a fragment that the script renews.
pub(super) fn whole(control: &Control) -> String {
    let view = control.view();
    let (users, rate) = (view.goal.users, view.goal.spawn_rate);
    let url = escaped(&control.url());
    let body = format!(
        "<header><h1>Load on {url}</h1></header>\n\
         <form id=\"swarm\" method=\"post\" action=\"/swarm\">\
         <label>Users<input name=\"user_count\" type=\"number\" min=\"0\" step=\"1\" value=\"{users}\" required></label>\
         <label>Started a second<input name=\"spawn_rate\" type=\"number\" min=\"0.1\" step=\"any\" value=\"{rate}\" required></label>\
         <button id=\"go\">Start</button><button id=\"stop\" type=\"button\">Stop</button>\
         <p id=\"mistake\" role=\"alert\"></p></form>\n\
         <div id=\"live\" aria-live=\"off\">\n{}</div>\n\
         <nav>Download: <a href=\"/stats/report\">report</a> <a href=\"/stats/json\">JSON</a> \
         <a href=\"/stats/requests/csv\">requests CSV</a> <a href=\"/stats/requests_full_history/csv\">history CSV</a> \
         <a href=\"/stats/failures/csv\">failures CSV</a></nav>\n<script>\n{SCRIPT}</script>\n",
        fragment(&view)
    );
    page(&format!("Load on {}", control.url()), &body)
}

/// The state of the test, its figures and its pictures.
pub(super) fn fragment(view: &View) -> String {
    let (class, name, sentence) = match (view.is_running, &view.report, &view.error) {
        (true, None, _) => ("running", "starting", "The first figures come after a second.".to_owned()),
        (true, Some(report), _) => ("running", "running", at_work(report, view.goal.users)),
        (false, _, Some(error)) => ("invalid", "failed", error.clone()),
        (false, Some(report), None) => ("stopped", "stopped", report.sentence()),
        (false, None, None) => ("stopped", "ready", "Choose the users and start.".to_owned()),
    };
    let state = format!(
        "<div class=\"verdict {class}\" data-running=\"{}\"><b>{name}</b><p>{}</p></div>\n",
        view.is_running,
        escaped(&sentence)
    );
    let Some(report) = &view.report else { return state };
    let parts = [
        state,
        report.tiles(),
        report.pictures(),
        report.replicas(),
        report.request_table(),
        report.failure_table(),
    ];
    parts.concat()
}

fn at_work(report: &Report, goal: usize) -> String {
    let Some(last) = report.history().last() else { return String::new() };
    let (users, rate) = (Count(last.users as u64), Rate(last.requests_per_second()));
    let going = if last.users == goal { String::new() } else { format!(", going to {}", Count(goal as u64)) };
    format!(
        "{users} users at work{going}; {rate} requests in the last second, {} failed.",
        Count(last.failures)
    )
}
