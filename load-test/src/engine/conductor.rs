//! The course of a run: start users on schedule, tick once a second, end gracefully.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::engine::Shared;
use crate::engine::ledger::{Booked, Holding, Ledger};
use crate::engine::orders::{Orders, Phase};
use crate::engine::pacer::Pacer;
use crate::engine::pool::Wanted;
use crate::engine::session::Session;
use crate::engine::source::Source;
use crate::engine::staircase::{Event, Staircase};
use crate::engine::users::{closed_loop, open_loop};
use crate::plan::Goal;
use crate::report::{Measured, Report};
use crate::think_time::ThinkTime;
use crate::tick::Progress;
use crate::usage::Meter;

const TICK: Duration = Duration::from_secs(1);

pub(super) struct Conductor<F> {
    shared: Arc<Shared>,
    orders: watch::Sender<Orders>,
    /// Aborts every user when the run is dropped.
    users: JoinSet<()>,
    users_started: u64,
    ledger: Ledger,
    meters: Vec<Meter>,
    on_second: F,
    goals: Option<watch::Receiver<Goal>>,
    wall_clock: SystemTime,
    started: Instant,
    last_absorbed: Instant,
    last_tick: Instant,
    /// On the grid of whole seconds, whenever the last tick really came.
    next_tick: Instant,
}

impl<F: FnMut(&Progress<'_>)> Conductor<F> {
    pub(super) fn new(
        shared: Arc<Shared>,
        meters: Vec<Meter>,
        goals: Option<watch::Receiver<Goal>>,
        on_second: F,
    ) -> Self {
        let (orders, _) = Orders::channel();
        let ledger = Ledger::new(shared.plan.requests().len());
        let (users, wall_clock, started) = (JoinSet::new(), SystemTime::now(), Instant::now());
        Self {
            shared,
            orders,
            users,
            users_started: 0,
            ledger,
            meters,
            on_second,
            goals,
            wall_clock,
            started,
            last_absorbed: started,
            last_tick: started,
            next_tick: started + TICK,
        }
    }

    pub(super) async fn run(mut self, stop: impl Future<Output = ()>) -> Measured {
        let mut source = Source::start(&self.shared, self.started);
        let mut stop = pin!(stop);
        while let Some(due) = self.advance(&mut source) {
            self.tick_if_due(source.holding());
            tokio::select! {
                biased;
                () = &mut stop => break,
                goal = next_goal(&mut self.goals) => self.redirect(&mut source, goal),
                Some(wanted) = source.start_wanted() => self.connect(&source, wanted),
                () = sleep_until(due.min(self.next_tick)) => {}
            }
        }
        let stopped_early = !self.is_over(&source);
        self.absorb(source.holding());
        let (users, end) = (self.at_work(), Instant::now());
        self.drain(&mut source).await;
        self.absorb(None);
        // Closing the connections afterwards takes time in which nothing is measured.
        let end = self.ledger.last_end().map_or(end, |last| last.max(end)).max(self.last_tick);
        self.tick(end, users, None);
        self.measured(stopped_early)
    }

    /// Does what is due and says when to come back; `None` when the plan is over.
    fn advance(&mut self, source: &mut Source) -> Option<Instant> {
        if let Source::Users { staircase, think_time } = source {
            self.climb(staircase, *think_time);
        }
        if self.is_over(source) {
            return None;
        }
        let due = match source {
            Source::Users { staircase, .. } => staircase.peek().map(|(due, _)| self.started + due),
            Source::Clock { end, .. } => *end,
        };
        // Without an end nothing is due before the next tick.
        Some(due.unwrap_or(self.next_tick))
    }

    fn redirect(&mut self, source: &mut Source, goal: Goal) {
        self.absorb(source.holding());
        if let Source::Users { staircase, .. } = source {
            staircase.redirect(self.started.elapsed(), goal);
        }
    }

    fn is_over(&self, source: &Source) -> bool {
        match source {
            Source::Users { staircase, .. } => staircase.is_over(),
            Source::Clock { end, .. } => end.is_some_and(|end| end <= Instant::now()),
        }
    }

    fn climb(&mut self, staircase: &mut Staircase, think_time: ThinkTime) {
        let mut leaving = 0;
        loop {
            let users = staircase.goal();
            let holding = staircase.holding().map(|place| Holding { place, users });
            match staircase.advance(self.started.elapsed()) {
                Some((due, Event::Start)) => {
                    let user = closed_loop(self.session(self.next_aim()), think_time, self.started + due);
                    self.users.spawn(user);
                }
                Some((_, Event::Leave)) => leaving += 1,
                Some((_, Event::HoldBegins | Event::StepEnds)) => self.absorb(holding),
                None => break,
            }
        }
        if leaving > 0 {
            self.orders.send_modify(|orders| orders.retired_below += leaving);
        }
    }

    fn connect(&mut self, source: &Source, wanted: Wanted) {
        if let Source::Clock { pacer, .. } = source {
            self.spawn_open_loop(pacer, wanted);
        }
    }

    fn spawn_open_loop(&mut self, pacer: &Pacer, Wanted { aim, arrival }: Wanted) {
        let pool = Arc::clone(pacer.pool(aim));
        let user = open_loop(self.session(aim), pool, arrival);
        self.users.spawn(user);
    }

    /// The next user, who asks the target at this place.
    fn session(&mut self, aim: usize) -> Session {
        let number = self.users_started;
        self.users_started += 1;
        Session::new(Arc::clone(&self.shared), self.orders.subscribe(), number, aim)
    }

    /// The target of the next user of a closed loop.
    fn next_aim(&self) -> usize {
        let aims = self.shared.plan.aims.len() as u64;
        usize::try_from(self.users_started % aims).unwrap_or(0)
    }

    fn at_work(&self) -> usize {
        self.shared.at_work.load(Ordering::Relaxed)
    }

    /// Books what was recorded since the last call.
    fn absorb(&mut self, holding: Option<Holding>) {
        let now = Instant::now();
        let (elapsed, lasted) = (now - self.started, now - self.last_absorbed);
        self.ledger.absorb(&self.shared.recorder, holding, elapsed, lasted);
        self.last_absorbed = now;
    }

    fn tick_if_due(&mut self, holding: Option<Holding>) {
        let now = Instant::now();
        if now < self.next_tick {
            return;
        }
        while self.next_tick <= now {
            self.next_tick += TICK;
        }
        self.absorb(holding);
        self.tick(now, self.at_work(), holding.map(|step| step.users));
        while let Some(ended) = self.users.try_join_next() {
            pass_panic_on(ended);
        }
    }

    fn tick(&mut self, now: Instant, users: usize, held_users: Option<usize>) {
        self.meters.iter_mut().for_each(Meter::refresh);
        self.ledger.tick(now - self.started, now - self.last_tick, users);
        self.last_tick = now;
        let Self { shared, ledger, meters, on_second, wall_clock, started, .. } = self;
        let report = || {
            let booked = ledger.so_far();
            let measured = measured(booked, meters, *wall_clock, now - *started, true);
            Report::new(&shared.plan, measured, Vec::new())
        };
        if let Some(tick) = ledger.last_tick() {
            on_second(&Progress::new(tick, ledger.counted(), held_users, &report));
        }
        ledger.begin_second();
    }

    /// Lets requests under way finish for the grace period, gives up the rest, and ends every user.
    async fn drain(&mut self, source: &mut Source) {
        // Seen by each user before its next request, but nobody is woken for it: 10,000 connections
        // closing at once would keep this process from reading the answers that are still to come.
        self.orders.send_if_modified(|orders| {
            orders.phase = Phase::Draining;
            false
        });
        self.next_tick = Instant::now() + TICK;
        if let Source::Clock { pacer, .. } = source {
            pacer.stop().await;
            while let Some(wanted) = pacer.take_start() {
                self.spawn_open_loop(pacer, wanted);
            }
        }
        self.wait_for_answers().await;
        if let Source::Clock { pacer, .. } = source {
            pacer.close(&self.shared);
        }
        self.orders.send_modify(|orders| orders.phase = Phase::Abandoning);
        while let Some(ended) = self.users.join_next().await {
            pass_panic_on(ended);
        }
    }

    async fn wait_for_answers(&mut self) {
        let shared = Arc::clone(&self.shared);
        let deadline = Instant::now() + shared.plan.limits.stop_grace;
        let mut answered = pin!(shared.outstanding.none());
        while Instant::now() < deadline {
            tokio::select! {
                biased;
                () = &mut answered => return,
                () = sleep_until(deadline.min(self.next_tick)) => self.tick_if_due(None),
            }
        }
    }

    fn measured(self, stopped_early: bool) -> Measured {
        let lasted = self.last_tick - self.started;
        measured(self.ledger.close(), &self.meters, self.wall_clock, lasted, stopped_early)
    }
}

fn measured(
    (total, steps, history, failure_spans): Booked,
    meters: &[Meter],
    wall_clock: SystemTime,
    lasted: Duration,
    stopped_early: bool,
) -> Measured {
    let processes = meters.iter().map(Meter::usage).collect();
    Measured { wall_clock, lasted, stopped_early, total, steps, history, failure_spans, processes }
}

/// The next change of mind about the users; never resolves when nobody can change it.
async fn next_goal(goals: &mut Option<watch::Receiver<Goal>>) -> Goal {
    if let Some(receiver) = goals
        && receiver.changed().await.is_ok()
    {
        return *receiver.borrow_and_update();
    }
    std::future::pending().await
}

/// A user that panicked is a defect of this crate, which a report must not hide.
fn pass_panic_on(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}
