//! How far a transfer is, on a terminal.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use martello_registry_client::FetchProgress;

/// Transfers that are over before this show nothing.
const SHOWN_AFTER: Duration = Duration::from_secs(1);

/// How often the line is drawn: often enough for the eye.
const REDRAWN_AFTER: Duration = Duration::from_millis(100);

/// How many characters the bar has.
const WIDTH: u64 = 30;

/// One line on standard error that is drawn anew while bytes come, and gone at the end. Draws nothing where nobody looks.
pub(super) struct Bar {
    state: Option<Mutex<State>>,
}

struct State {
    start: Instant,
    drawn: Option<Instant>,
    total: u64,
    done: u64,
}

impl Bar {
    pub(super) fn on_terminal() -> Self {
        let state = State { start: Instant::now(), drawn: None, total: 0, done: 0 };
        Self { state: std::io::stderr().is_terminal().then_some(Mutex::new(state)) }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        if let Some(state) = &self.state {
            change(&mut state.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl FetchProgress for Bar {
    fn started(&self, bytes: u64) {
        self.change(|state| {
            *state = State { start: Instant::now(), drawn: state.drawn, total: bytes, done: 0 }
        });
    }

    fn advanced(&self, bytes: u64) {
        self.change(|state| {
            state.done += bytes;
            let now = Instant::now();
            if state.is_due(now) {
                state.drawn = Some(now);
                draw(&format!("\r{}\u{1b}[K", state.line(now)));
            }
        });
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.change(|state| {
            if state.drawn.is_some() {
                draw("\r\u{1b}[K");
            }
        });
    }
}

impl State {
    fn is_due(&self, now: Instant) -> bool {
        let since = |earlier| now.saturating_duration_since(earlier);
        since(self.start) >= SHOWN_AFTER && self.drawn.is_none_or(|drawn| since(drawn) >= REDRAWN_AFTER)
    }

    fn line(&self, now: Instant) -> String {
        let total = self.total.max(1);
        let done = self.done.min(total);
        let filled = (u128::from(done) * u128::from(WIDTH) / u128::from(total)) as usize;
        let seconds = now.saturating_duration_since(self.start).as_secs_f64().max(f64::MIN_POSITIVE);
        let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        format!(
            "[{}{}] {:.0} of {:.0} MiB, {:.1} MiB/s",
            "=".repeat(filled),
            " ".repeat(WIDTH as usize - filled),
            mebibytes(done),
            mebibytes(self.total),
            mebibytes(done) / seconds
        )
    }
}

/// What cannot be drawn is not missed.
fn draw(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_how_much_of_what_and_how_fast() {
        let start = Instant::now();
        let state = State { start, drawn: None, total: 300 << 20, done: 100 << 20 };
        assert_eq!(
            state.line(start + Duration::from_secs(2)),
            format!("[{}{}] 100 of 300 MiB, 50.0 MiB/s", "=".repeat(10), " ".repeat(20))
        );
        let empty = State { total: 0, done: 5, ..state };
        assert!(empty.line(start).starts_with(&format!("[{}]", "=".repeat(30))));
    }

    #[test]
    fn nothing_is_drawn_in_the_first_second_nor_too_often() {
        let start = Instant::now();
        let mut state = State { start, drawn: None, total: 1, done: 0 };
        let after = |millis| start + Duration::from_millis(millis);
        assert!(!state.is_due(after(999)) && state.is_due(after(1000)));
        state.drawn = Some(after(1000));
        assert!(!state.is_due(after(1099)) && state.is_due(after(1100)));
    }
}
