//! How the number of users changes over a test, in words: ramps, steps, spikes, soaks and staircases.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::plan::Step;

/// What a shape looks like; named in every mistake.
const FORMS: &str = "`500 for 30s`, `ramp 0..500 over 30s`, `staircase 500..10000 by 500 every 10s`, \
                     `spike 100..2000 after 30s for 10s`, `soak 500 for 2h`, or several with commas between";

/// The most steps of one shape: more would each be shorter than anything that can be measured.
const MOST_STEPS: usize = 10_000;

/// The course of the users of a test, as steps; read from words.
///
/// ```
/// use martello_load_test::{Plan, Shape};
///
/// let shape: Shape = "staircase 500..2000 by 500 every 10s, spike 2000..4000 after 30s for 10s".parse()?;
/// let plan = Plan::builder("http://127.0.0.1:8000").spawn_rate(1000.0).shape(&shape).build()?;
/// assert_eq!(plan.most_users(), 4000);
/// # Ok::<(), martello_load_test::Error>(())
/// ```
///
/// | words | course |
/// |---|---|
/// | `500 for 30s`, `soak 500 for 2h` | so many users, reached at the plan's spawn rate |
/// | `ramp 0..500 over 30s` | users start (or leave) evenly over the whole time |
/// | `staircase 500..10000 by 500 every 10s` | one step after the other |
/// | `spike 100..2000 after 30s for 10s` | 30 s with 100 users, 10 s with 2,000, 30 s with 100 again |
///
/// Parts separated by commas follow each other. Times are read by [`parse_run_time`].
#[derive(Clone, Debug, PartialEq)]
pub struct Shape(Vec<Stage>);

/// One level, reached at the spawn rate of the plan or at one of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stage {
    users: usize,
    lasting: Duration,
    rate: Option<f64>,
}

impl Shape {
    /// Returns the steps, whose users start and leave at `spawn_rate` a second unless a ramp says otherwise.
    #[must_use]
    pub fn steps(&self, spawn_rate: f64) -> Vec<Step> {
        let step =
            |stage: &Stage| Step::new(stage.users, stage.rate.unwrap_or(spawn_rate)).lasting(stage.lasting);
        self.0.iter().map(step).collect()
    }

    /// Returns how long the whole course takes.
    #[must_use]
    pub fn lasting(&self) -> Duration {
        self.0.iter().fold(Duration::ZERO, |sum, stage| sum.saturating_add(stage.lasting))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, stage) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{} for {:?}", stage.users, stage.lasting)?;
        }
        Ok(())
    }
}

impl FromStr for Shape {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut stages = Vec::new();
        for part in text.split(',').map(str::trim) {
            let wrong = || Error::text(format!("shape {part:?} is not understood; write {FORMS}"));
            let more = parse_part(part).ok_or_else(wrong)??;
            if stages.len() + more.len() > MOST_STEPS {
                return Err(Error::text(format!("shape {part:?} has more than {MOST_STEPS} steps")));
            }
            stages.extend(more);
        }
        Ok(Self(stages))
    }
}

/// `None` where the words are not those of a shape, an error where a time is not one.
fn parse_part(part: &str) -> Option<Result<Vec<Stage>>> {
    let words: Vec<&str> = part.split_whitespace().collect();
    let level = |users, lasting| Stage { users, lasting, rate: None };
    Some(match words[..] {
        [users, "for", time] | ["soak", users, "for", time] => {
            let users = users.parse().ok()?;
            parse_run_time(time).map(|time| vec![level(users, time)])
        }
        ["ramp", range, "over", time] => {
            let (from, to) = ends(range)?;
            parse_run_time(time).map(|time| ramp(from, to, time))
        }
        ["staircase", range, "by", step, "every", time] => {
            let ((from, to), step) = (ends(range)?, step.parse::<usize>().ok().filter(|step| *step > 0)?);
            parse_run_time(time).map(|time| stairs(from, to, step).map(|users| level(users, time)).collect())
        }
        ["spike", range, "after", before, "for", during] => {
            let (base, peak) = ends(range)?;
            let times = parse_run_time(before).and_then(|before| Ok((before, parse_run_time(during)?)));
            times.map(|(before, during)| vec![level(base, before), level(peak, during), level(base, before)])
        }
        _ => return None,
    })
}

fn ends(range: &str) -> Option<(usize, usize)> {
    let (from, to) = range.split_once("..")?;
    Some((from.parse().ok()?, to.parse().ok()?))
}

/// The first users at once, the others evenly over the time.
fn ramp(from: usize, to: usize, time: Duration) -> Vec<Stage> {
    #[expect(clippy::cast_precision_loss, reason = "users are fewer than 2^53")]
    let rate = (from.abs_diff(to).max(1)) as f64 / time.as_secs_f64();
    // A step needs some time of its own; a millisecond is the least that a timer tells apart.
    let at_once = Stage { users: from, lasting: Duration::from_millis(1), rate: Some(1e9) };
    let rest = Stage { users: to, lasting: time, rate: Some(rate) };
    if from == 0 { vec![rest] } else { vec![at_once, rest] }
}

/// From the first to the last, which is always among them; one more than a shape may have at most.
fn stairs(from: usize, to: usize, step: usize) -> impl Iterator<Item = usize> {
    let next = move |users: &usize| match (*users).cmp(&to) {
        std::cmp::Ordering::Less => Some(users.saturating_add(step).min(to)),
        std::cmp::Ordering::Greater => Some(users.saturating_sub(step).max(to)),
        std::cmp::Ordering::Equal => None,
    };
    std::iter::successors(Some(from), next).take(MOST_STEPS + 1)
}

/// Reads a time as Locust does: `60s`, `5m`, `1h30m`, or plain seconds.
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(martello_load_test::parse_run_time("1m30s")?, Duration::from_secs(90));
/// # Ok::<(), martello_load_test::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::InvalidText`](crate::ErrorKind::InvalidText) for anything else, and for no time at all.
pub fn parse_run_time(text: &str) -> Result<Duration> {
    let mistake = || Error::text(format!("{text:?} is no time: write 60s, 5m or 1h30m"));
    if let Ok(seconds) = text.parse::<u32>()
        && seconds > 0
    {
        return Ok(Duration::from_secs(seconds.into()));
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(mistake)?;
        let (number, unit) = rest.split_at(digits);
        let number: u32 = number.parse().map_err(|_| mistake())?;
        let seconds = match unit.chars().next() {
            Some('h') => 3600,
            Some('m') => 60,
            Some('s') => 1,
            _ => return Err(mistake()),
        };
        total += Duration::from_secs(u64::from(number) * seconds);
        rest = &unit[1..];
    }
    if total.is_zero() { Err(mistake()) } else { Ok(total) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_read_and_followed() {
        let check = |text: &str, expected: &[(usize, u64, f64)]| {
            let steps = text.parse::<Shape>().unwrap().steps(7.0);
            let found: Vec<_> = steps
                .iter()
                .map(|step| (step.users, step.run_time.unwrap().as_secs(), step.spawn_rate))
                .collect();
            assert_eq!(found, expected, "{text}");
        };
        check("500 for 30s", &[(500, 30, 7.0)]);
        check("soak 500 for 2h", &[(500, 7_200, 7.0)]);
        check("staircase 500..1200 by 500 every 10s", &[(500, 10, 7.0), (1_000, 10, 7.0), (1_200, 10, 7.0)]);
        check("staircase 3..1 by 1 every 1s", &[(3, 1, 7.0), (2, 1, 7.0), (1, 1, 7.0)]);
        check("spike 10..90 after 5s for 2s", &[(10, 5, 7.0), (90, 2, 7.0), (10, 5, 7.0)]);
        check("ramp 0..500 over 50s, 500 for 1m", &[(500, 50, 10.0), (500, 60, 7.0)]);
        check("ramp 100..50 over 5s", &[(100, 0, 1e9), (50, 5, 10.0)]);
    }

    #[test]
    fn what_is_no_shape_is_refused_with_the_words_that_are() {
        let mistakes = [
            "",
            "500",
            "many for 30s",
            "500 for ever",
            "500 for 0s",
            "ramp 5 over 3s",
            "staircase 1..5 by 0 every 1s",
            "staircase 1..9000000 by 1 every 1s",
            "spike 1..5 after 3s",
            "500 for 30s,",
            "circle 1..2 over 3s",
        ];
        for text in mistakes {
            let error = text.parse::<Shape>().unwrap_err();
            assert!(error.is_usage(), "{text}: {error}");
        }
    }

    #[test]
    fn run_times_are_read_as_locust_reads_them() {
        let cases = [("60s", Some(60)), ("5m", Some(300)), ("1h30m", Some(5400)), ("90", Some(90))];
        let mistakes = ["", "s", "5x", "-1s", "1.5h", "0s", "0", "5é"].map(|text| (text, None));
        for (text, seconds) in cases.into_iter().chain(mistakes) {
            assert_eq!(parse_run_time(text).ok(), seconds.map(Duration::from_secs), "{text:?}");
        }
    }
}
