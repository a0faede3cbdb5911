//! One user's side of the wire: a connection of its own, opened when needed, and timed requests on it.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::{SeedableRng, rngs::SmallRng};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};

use crate::engine::Shared;
use crate::engine::connection::Connection;
use crate::engine::exchange::Fault;
use crate::engine::orders::{Orders, abandoned, dismissed, is_dismissed};
use crate::failure::FailureKind;
use crate::plan::Checked;
use crate::record::Sample;
use crate::think_time::ThinkTime;
use crate::wire::{Answer, Expected};

#[derive(Debug)]
pub(super) struct Session {
    shared: Arc<Shared>,
    orders: watch::Receiver<Orders>,
    number: u64,
    /// The place of the target that this user asks.
    aim: usize,
    random: SmallRng,
    connection: Option<Connection>,
    had_a_connection: bool,
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, orders: watch::Receiver<Orders>, number: u64, aim: usize) -> Self {
        shared.at_work.fetch_add(1, Ordering::Relaxed);
        // An odd constant (2^64 over the golden ratio) keeps the seeds of neighbours and of neighbouring runs apart.
        let seed = shared.plan.seed.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let random = SmallRng::seed_from_u64(seed);
        Self { shared, orders, number, aim, random, connection: None, had_a_connection: false }
    }

    /// Waits until `due`; `false` if the user has to leave first.
    pub(super) async fn wait_until(&mut self, due: Instant, mut timer: Pin<&mut Sleep>) -> bool {
        if due <= Instant::now() {
            // The timer rounds up to a millisecond, which a user without think time must not wait.
            return true;
        }
        timer.as_mut().reset(due);
        tokio::select! {
            biased;
            () = dismissed(&mut self.orders, self.number) => false,
            () = timer => true,
        }
    }

    /// The time until this user's next request, after the one in `sample`.
    pub(super) fn pause(&mut self, think_time: ThinkTime, sample: &Sample) -> Duration {
        let thought = think_time.sample(&mut self.random);
        let no_connection = sample.failure.is_some_and(FailureKind::is_connect);
        if no_connection { thought.max(self.shared.plan.limits.reconnect_pause) } else { thought }
    }

    /// Announces a request that [`record`](Self::record) will end; `false` if the user has to leave instead.
    ///
    /// Announced first and asked second: an end of the test that came between would otherwise see
    /// nothing under way, and give the request up as soon as it started.
    pub(super) fn begin(&self) -> bool {
        self.shared.outstanding.begin();
        let stays = !is_dismissed(&self.orders, self.number);
        if !stays {
            self.shared.outstanding.end();
        }
        stays
    }

    pub(super) fn record(&self, sample: &Sample) {
        self.shared.recorder.record(self.number, sample);
        self.shared.outstanding.end();
    }

    /// Sends one request and waits for its end; its time counts from `start`.
    pub(super) async fn request(&mut self, start: Instant, timer: Pin<&mut Sleep>) -> Sample {
        let mut sample = Sample::of(self.shared.plan.aims[self.aim].mix.pick(&mut self.random));
        if let Err(kind) = self.attempt(&mut sample, start, timer).await {
            sample.failure = Some(kind);
        }
        // Closed at once and not before the next request: a server may wait for it.
        self.connection.take_if(|connection| !connection.is_at_rest());
        sample.end(start);
        sample
    }

    async fn attempt(
        &mut self,
        sample: &mut Sample,
        start: Instant,
        mut timer: Pin<&mut Sleep>,
    ) -> Result<(), FailureKind> {
        let plan = Arc::clone(&self.shared.plan);
        let deadline = start + plan.limits.response_timeout;
        if deadline <= Instant::now() {
            return Err(FailureKind::ResponseTimeout);
        }
        loop {
            let reused = self.connection.as_ref().is_some_and(Connection::is_open);
            if !reused {
                self.connect(sample, deadline, timer.as_mut()).await?;
            }
            match self.exchange(&plan, sample, deadline, timer.as_mut()).await {
                Ok(()) => return Ok(()),
                // Only a connection that was kept alive can have died unnoticed; a fresh one gets no second try.
                Err(Fault::NotSent(_)) if reused => self.connection = None,
                Err(Fault::NotSent(kind) | Fault::Failed(kind)) => return Err(kind),
            }
        }
    }

    async fn connect(
        &mut self,
        sample: &mut Sample,
        deadline: Instant,
        timer: Pin<&mut Sleep>,
    ) -> Result<(), FailureKind> {
        self.connection = None;
        let shared = &self.shared;
        let deadline = deadline.min(Instant::now() + shared.plan.limits.connect_timeout);
        let first = usize::try_from(self.number).unwrap_or(0);
        let opening = pin!(async {
            let opened = Connection::open(&shared.addresses[self.aim], first).await;
            opened.map_err(|error| FailureKind::of_connect(&error))
        });
        let opened = within(timer, deadline, &mut self.orders, opening, FailureKind::ConnectTimeout).await?;
        self.connection = Some(opened);
        sample.connections += 1;
        sample.reconnects += u32::from(std::mem::replace(&mut self.had_a_connection, true));
        Ok(())
    }

    async fn exchange(
        &mut self,
        plan: &Checked,
        sample: &mut Sample,
        deadline: Instant,
        timer: Pin<&mut Sleep>,
    ) -> Result<(), Fault> {
        let Some(connection) = &mut self.connection else { return Err(Fault::NotSent(FailureKind::Closed)) };
        let prepared = &plan.aims[self.aim].mix.requests()[sample.template];
        let request = prepared.render(&mut self.random);
        let mut answer = Answer::new(Expected {
            method: prepared.method(),
            endpoint_header: &plan.endpoint_header,
            max_head: plan.limits.max_response_head,
            max_body: plan.limits.max_response_body,
            keeps_content: prepared.check.reads_the_body(),
        });
        let ended = {
            let exchange = pin!(connection.exchange(&request, &mut answer));
            within(timer, deadline, &mut self.orders, exchange, FailureKind::ResponseTimeout).await
        };
        sample.bytes = answer.content_bytes();
        sample.endpoint = answer.endpoint().cloned();
        ended?;
        let status = answer.status().ok_or(FailureKind::InvalidResponse)?;
        Ok(prepared.check.judge(status, answer.content())?)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.shared.at_work.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Waits for `work` (pinned by the caller, because an `async fn` keeps an argument that it moves twice) until `deadline`, after which it failed as `late`, or until the test gives it up.
async fn within<T, E: From<FailureKind>>(
    mut timer: Pin<&mut Sleep>,
    deadline: Instant,
    orders: &mut watch::Receiver<Orders>,
    work: Pin<&mut impl Future<Output = Result<T, E>>>,
    late: FailureKind,
) -> Result<T, E> {
    timer.as_mut().reset(deadline);
    tokio::select! {
        biased;
        done = work => done,
        () = timer => Err(late.into()),
        () = abandoned(orders) => Err(FailureKind::Unanswered.into()),
    }
}
