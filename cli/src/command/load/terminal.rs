//! A running test on a terminal: a few lines that are drawn anew each second and are gone at the end.

use std::collections::VecDeque;
use std::fmt::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use martello_load_test::{Plan, Progress};

/// Seconds that the little charts show.
const CHARTED: usize = 60;

/// Replicas that are listed; more are summed up.
const LISTED: usize = 8;

/// Eighths of a line's height.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

pub(super) struct View {
    bar: ProgressBar,
    url: String,
    users: usize,
    rates: VecDeque<f64>,
    p99s: VecDeque<f64>,
}

impl View {
    /// Draws on standard output; `lasting` is how long the test shall run, if that is known.
    pub(super) fn new(plan: &Plan, lasting: Option<Duration>) -> Self {
        let bar = match lasting {
            Some(time) => ProgressBar::with_draw_target(Some(time.as_secs()), ProgressDrawTarget::stdout()),
            None => ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout()),
        };
        let template = match lasting {
            Some(_) => "{prefix}  {elapsed_precise} of {len} s  [{bar:40.cyan/dim}]\n{msg}",
            None => "{prefix}  {elapsed_precise}\n{msg}",
        };
        // The template is one of the two above; with the default one the view would be plainer, not wrong.
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("━━─"));
        let (url, users) = (plan.url(), plan.most_users());
        bar.set_prefix(url.clone());
        Self { bar, url, users, rates: VecDeque::new(), p99s: VecDeque::new() }
    }

    pub(super) fn show(&mut self, progress: &Progress<'_>) {
        let tick = progress.tick();
        push(&mut self.rates, tick.requests_per_second());
        push(&mut self.p99s, tick.p99.as_secs_f64());
        self.bar.set_message(self.lines(progress));
        self.bar.set_position(tick.elapsed.as_secs());
    }

    /// Takes the view away, so that the report stands in its place.
    pub(super) fn close(self) {
        self.bar.finish_and_clear();
    }

    fn lines(&self, progress: &Progress<'_>) -> String {
        let (tick, total) = (progress.tick(), progress.total());
        let mut text = String::new();
        let rate = tick.requests_per_second();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "users     {:>9} of {}", tick.users, self.users);
        let _ = writeln!(text, "requests  {rate:>9.0} a second   {}", chart(&self.rates));
        let _ = writeln!(text, "p99       {:>9}            {}", milliseconds(tick.p99), chart(&self.p99s));
        let (p50, p95) = (milliseconds(tick.p50), milliseconds(tick.p95));
        let _ = writeln!(text, "          p50 {p50}, p95 {p95} in the last second");
        let (requests, failures) = (total.requests(), total.failures());
        let _ = write!(
            text,
            "so far    {requests:>9} requests, {failures} failed ({:.2} %)",
            total.failed_share() * 100.0
        );
        for (kind, count) in total.failures_by_kind().iter().take(3) {
            let _ = write!(text, "\n          {count:>9} {kind}");
        }
        text + &replicas(progress)
    }
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("url", &self.url).finish_non_exhaustive()
    }
}

/// What each replica answered in the last second.
fn replicas(progress: &Progress<'_>) -> String {
    let endpoints = progress.second().endpoints();
    let mut text = String::new();
    for (place, (name, counts)) in endpoints.iter().enumerate().take(LISTED) {
        let label = if place == 0 { "replicas" } else { "" };
        // A server names its replicas itself, and a terminal obeys control characters.
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        let _ = write!(text, "\n{label:<8}  {:>9} {name}", counts.requests);
    }
    if endpoints.len() > LISTED {
        let _ = write!(text, "\n          and {} more", endpoints.len() - LISTED);
    }
    text
}

fn push(values: &mut VecDeque<f64>, value: f64) {
    if values.len() == CHARTED {
        values.pop_front();
    }
    values.push_back(value);
}

/// One character a value, in proportion to the largest.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "eight steps")]
fn chart(values: &VecDeque<f64>) -> String {
    let most = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    values.iter().map(|value| BLOCKS[((value / most * 7.0).round() as usize).min(7)]).collect()
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_a_character_a_second_and_no_end_of_growth() {
        let mut values = VecDeque::new();
        assert_eq!(chart(&values), "");
        [0.0, 3.5, 7.0].into_iter().for_each(|value| push(&mut values, value));
        assert_eq!(chart(&values), "▁▅█");
        (0..1_000).for_each(|_| push(&mut values, 1.0));
        assert_eq!(chart(&values), "█".repeat(CHARTED));
    }
}
