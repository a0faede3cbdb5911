//! When users start and leave: a plan's steps as a sequence of events.

use std::cmp::Ordering;
use std::time::Duration;

use crate::plan::{Goal, Step};

/// How long departures are gathered: each round of orders wakes every user, so it must be rare.
const DEPARTURE_ROUND: Duration = Duration::from_millis(100);

/// One thing that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A user starts.
    Start,
    /// The user who has been there longest leaves.
    Leave,
    /// The step has all its users.
    HoldBegins,
    /// The step is over; after the last, so is the test.
    StepEnds,
}

/// Yields the events of a plan in order, each with the time (since the start) at which it is due.
///
/// Due times are computed from the start of the step, never from the previous event, so that delays
/// in handling them do not add up.
#[derive(Debug)]
pub(super) struct Staircase {
    steps: Vec<Step>,
    place: usize,
    entered: Duration,
    users_on_entry: usize,
    users: usize,
    holding: bool,
}

impl Staircase {
    pub(super) fn new(steps: Vec<Step>) -> Self {
        Self { steps, place: 0, entered: Duration::ZERO, users_on_entry: 0, users: 0, holding: false }
    }

    /// The place of the step that has all its users now.
    pub(super) fn holding(&self) -> Option<usize> {
        self.holding.then_some(self.place)
    }

    /// The users of the present step.
    pub(super) fn goal(&self) -> usize {
        self.steps.get(self.place).map_or(0, |step| step.users)
    }

    /// Leaves the present step for one with other users, which ends when the present one would have.
    pub(super) fn redirect(&mut self, elapsed: Duration, goal: Goal) {
        let Some(step) = self.steps.get(self.place) else { return };
        let left = step.run_time.map(|run_time| (self.entered + run_time).saturating_sub(elapsed));
        self.steps.truncate(self.place + 1);
        self.steps.push(Step { users: goal.users, spawn_rate: goal.spawn_rate, run_time: left });
        self.place += 1;
        (self.entered, self.users_on_entry, self.holding) = (elapsed, self.users, false);
    }

    /// What comes next and when; `None` when the test is over or lasts until somebody stops it.
    pub(super) fn peek(&self) -> Option<(Duration, Event)> {
        let step = self.steps.get(self.place)?;
        let end = step.run_time.map(|run_time| self.entered + run_time);
        let change = (!self.holding).then(|| self.next_change(step));
        match (change, end) {
            (Some((due, event)), Some(end)) if due < end => Some((due, event)),
            (Some(change), None) => Some(change),
            (_, end) => end.map(|end| (end, Event::StepEnds)),
        }
    }

    /// The next event that is due after `elapsed`, applied.
    pub(super) fn advance(&mut self, elapsed: Duration) -> Option<(Duration, Event)> {
        let (due, event) = self.peek().filter(|(due, _)| *due <= elapsed)?;
        match event {
            Event::Start => self.users += 1,
            Event::Leave => self.users -= 1,
            Event::HoldBegins => self.holding = true,
            Event::StepEnds => {
                self.place += 1;
                (self.entered, self.users_on_entry, self.holding) = (due, self.users, false);
            }
        }
        Some((due, event))
    }

    /// Whether every step is over.
    pub(super) fn is_over(&self) -> bool {
        self.place >= self.steps.len()
    }

    fn next_change(&self, step: &Step) -> (Duration, Event) {
        let changed = self.users.abs_diff(self.users_on_entry);
        match self.users.cmp(&step.users) {
            Ordering::Less => (self.due_of_change(step, changed), Event::Start),
            Ordering::Greater => (self.due_of_change(step, changed), Event::Leave),
            // With the last change.
            Ordering::Equal => (self.due_of_change(step, changed.saturating_sub(1)), Event::HoldBegins),
        }
    }

    /// When the user who is `number`-th (from 0) to start or leave in this step does so.
    fn due_of_change(&self, step: &Step, number: usize) -> Duration {
        #[expect(clippy::cast_precision_loss, reason = "users are fewer than 2^53")]
        let exact = Duration::try_from_secs_f64(number as f64 / step.spawn_rate).unwrap_or(Duration::MAX);
        let since_entry = if step.users < self.users_on_entry {
            let rounds = exact.as_millis().div_ceil(DEPARTURE_ROUND.as_millis());
            DEPARTURE_ROUND.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX))
        } else {
            exact
        };
        self.entered.saturating_add(since_entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_replaces_the_step_under_way_and_keeps_its_end() {
        let step = |users| Step::new(users, 10.0).lasting(Duration::from_secs(10));
        let mut staircase = Staircase::new(vec![step(5), step(50)]);
        while staircase.advance(Duration::from_secs(2)).is_some() {}
        assert_eq!((staircase.users, staircase.holding(), staircase.goal()), (5, Some(0), 5));
        staircase.redirect(Duration::from_secs(2), Goal::new(8, 1.0).unwrap());
        while staircase.advance(Duration::from_secs(6)).is_some() {}
        assert_eq!((staircase.users, staircase.holding(), staircase.goal()), (8, Some(1), 8));
        staircase.redirect(Duration::from_secs(6), Goal::new(0, 100.0).unwrap());
        while staircase.advance(Duration::from_secs(10)).is_some() {}
        assert!(staircase.users == 0 && staircase.is_over());
    }

    fn all_events(steps: &[Step]) -> Vec<(Duration, Event)> {
        let mut staircase = Staircase::new(steps.to_vec());
        std::iter::from_fn(|| staircase.advance(Duration::MAX)).collect()
    }

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[test]
    fn users_start_on_schedule_and_the_step_holds_with_the_last_of_them() {
        let events = all_events(&[Step::new(3, 2.0).lasting(seconds(10))]);
        let half = Duration::from_millis(500);
        let expected = [
            (Duration::ZERO, Event::Start),
            (half, Event::Start),
            (seconds(1), Event::Start),
            (seconds(1), Event::HoldBegins),
            (seconds(10), Event::StepEnds),
        ];
        assert_eq!(events, expected);
    }

    #[test]
    fn a_step_down_lets_users_go_in_rounds() {
        let down = [Step::new(40, 100.0).lasting(seconds(1)), Step::new(10, 100.0).lasting(seconds(1))];
        let events = all_events(&down);
        let leaving: Vec<Duration> =
            events.iter().filter(|(_, event)| *event == Event::Leave).map(|(due, _)| *due).collect();
        assert_eq!(leaving.len(), 30);
        let mut rounds = leaving.clone();
        rounds.dedup();
        let expected: Vec<Duration> = (0..=3).map(|round| seconds(1) + DEPARTURE_ROUND * round).collect();
        assert_eq!(rounds, expected);
        assert!(events.windows(2).all(|pair| pair[0].0 <= pair[1].0), "{events:?}");
    }

    #[test]
    fn a_step_that_is_too_short_ends_on_time_with_the_users_it_has() {
        let events = all_events(&[Step::new(100, 1.0).lasting(seconds(3))]);
        let starts = events.iter().filter(|(_, event)| *event == Event::Start).count();
        assert_eq!((starts, events.last()), (3, Some(&(seconds(3), Event::StepEnds))));
        assert!(!events.iter().any(|(_, event)| *event == Event::HoldBegins));
    }

    #[test]
    fn nothing_is_due_before_its_time() {
        let mut staircase = Staircase::new(vec![Step::new(2, 1.0)]);
        assert_eq!(staircase.advance(Duration::ZERO), Some((Duration::ZERO, Event::Start)));
        assert_eq!(staircase.advance(Duration::from_millis(999)), None);
        assert_eq!(staircase.peek(), Some((seconds(1), Event::Start)));
        assert_eq!(staircase.advance(seconds(5)), Some((seconds(1), Event::Start)));
        assert_eq!(staircase.advance(seconds(5)), Some((seconds(1), Event::HoldBegins)));
        assert_eq!((staircase.peek(), staircase.is_over(), staircase.holding()), (None, false, Some(0)));
    }
}
