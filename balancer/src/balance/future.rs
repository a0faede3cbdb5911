//! The way of one request through its attempts.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::atomic::Ordering,
    task::{Context, Poll, ready},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::Instant;
use tower::Service;

use super::{
    Balance, BalanceError, FailureKind, NoEndpoint, Outcome, Protocol, Repeat, Verdict,
    attempt::{Attempt, Picked},
    set::Set,
};
use crate::{h1::Alarm, policy::Policy, retry::Tried};

/// Failures in a row after which an endpoint's lost connections are no longer put down to connections that it had
/// closed while they were idle. Two: one such loss is common, several without an answer between them are not, and
/// a replica that loses every request gets no more than two of them twice.
const STALE_IN_A_ROW: u32 = 2;

pin_project! {
    /// The answer to a request given to [`Balance`](crate::Balance).
    pub struct ResponseFuture<E, P, C, Req>
    where
        E: Service<Req>,
        P: Policy,
        C: Protocol<Req, E::Response, E::Error>,
    {
        progress: Progress<E, P, C, C::Mark, Req>,
        #[pin]
        step: Step<E, E::Future>,
    }
}

type Answer<E, Req> = Result<<E as Service<Req>>::Response, BalanceError<<E as Service<Req>>::Error>>;

/// What one request has behind it.
struct Progress<E, P: Policy, C, M, Req> {
    balance: Balance<E, P, C>,
    mark: M,
    /// The request until it is sent, and then a copy of it while there may be another attempt.
    request: Option<Req>,
    tried: Tried,
    tries: u32,
    attempt: Option<Attempt<E, P>>,
    /// Set while an attempt that may be given up is waited for.
    alarm: Alarm,
}

pin_project! {
    #[project = StepProjection]
    enum Step<E, F> {
        /// Nobody to ask.
        Refused { error: NoEndpoint },
        /// Waiting for the picked endpoint to take the request.
        Readying { service: E },
        Calling { #[pin] answer: F },
    }
}

impl<E, P, C, Req> ResponseFuture<E, P, C, Req>
where
    E: Service<Req> + Clone,
    P: Policy,
    C: Protocol<Req, E::Response, E::Error>,
{
    // Inlined, and made in one piece: a request that passes through a hand more is copied once more.
    #[inline]
    pub(super) fn new(
        balance: Balance<E, P, C>,
        picked: Result<Picked<E, P>, NoEndpoint>,
        request: Req,
    ) -> Self {
        let mark = balance.protocol().mark(&request);
        let (mut tried, mut tries, mut attempt) = (Tried::none(), 0, None);
        let step = match picked {
            Err(error) => Step::Refused { error },
            Ok(picked) => {
                tried.insert(picked.attempt.load().id());
                (tries, attempt) = (1, Some(picked.attempt));
                Step::Readying { service: picked.service }
            }
        };
        let (request, alarm) = (Some(request), Alarm::default());
        Self { progress: Progress { balance, mark, request, tried, tries, attempt, alarm }, step }
    }
}

impl<E, P, C, Req> ResponseFuture<E, P, C, Req>
where
    E: Service<Req>,
    P: Policy,
    C: Protocol<Req, E::Response, E::Error>,
{
    /// Returns the endpoints that the request was given to, or will be.
    pub(crate) fn set(&self) -> &Set<E, P> {
        self.progress.balance.set()
    }

    /// Ends the running attempt as a failure of its endpoint; the answer is not waited for any more.
    pub(crate) fn fail(self: Pin<&mut Self>, kind: FailureKind) {
        let Progress { balance, attempt, .. } = self.project().progress;
        if let Some(attempt) = attempt.take() {
            attempt.finish(balance.set(), Outcome::Failure(kind));
        }
    }
}

impl<E: Clone, P: Policy, C, M, Req> Progress<E, P, C, M, Req> {
    fn begin<F>(&mut self, picked: Picked<E, P>) -> Step<E, F> {
        self.tries += 1;
        let Picked { attempt, service } = picked;
        self.tried.insert(attempt.load().id());
        self.attempt = Some(attempt);
        self.alarm.clear();
        Step::Readying { service }
    }

    /// Returns the next attempt, if there may be one.
    fn again(&mut self, verdict: Verdict) -> Option<Picked<E, P>> {
        let set = self.balance.set();
        let may = verdict.repeat != Repeat::Never && self.tries < set.max_tries && self.request.is_some();
        if !may || set.view().panic {
            return None;
        }
        if !set.bucket.withdraw(Instant::now()) {
            set.budget_refusals.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let picked = self.elsewhere(verdict);
        if picked.is_none() {
            set.bucket.refund();
        }
        picked
    }

    /// Picks where to repeat a request: at an endpoint that is believed to work, since in an outage any other
    /// would get a second load of requests that it cannot answer either.
    fn elsewhere(&self, verdict: Verdict) -> Option<Picked<E, P>> {
        let pick =
            |tried: &Tried, most_failures| Attempt::pick(self.balance.set(), tried, most_failures).ok();
        let at_a_sound_one = pick(&self.tried, 0);
        if at_a_sound_one.is_some() {
            return at_a_sound_one;
        }
        match (verdict.outcome, verdict.repeat) {
            (Outcome::Failure(FailureKind::Connect), _) => pick(&self.tried, u32::MAX),
            (_, Repeat::Anywhere) => {
                pick(&self.tried, STALE_IN_A_ROW).or_else(|| pick(&Tried::none(), STALE_IN_A_ROW))
            }
            _ => None,
        }
    }
}

impl<E, P, C, Req> Progress<E, P, C, C::Mark, Req>
where
    E: Service<Req> + Clone,
    P: Policy,
    C: Protocol<Req, E::Response, E::Error>,
{
    fn judge(&self, result: &Result<E::Response, E::Error>) -> Verdict {
        let attempt = self.attempt.as_ref().expect("a result comes from a running attempt");
        self.balance.protocol().judge(&self.mark, attempt.load(), result)
    }

    /// Waits for the running attempt's answer no longer than it may be waited for: then the request goes
    /// elsewhere, or if there is nowhere to go, waits on.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<Step<E, E::Future>> {
        let Some(limit) = self.limit() else { return Poll::Pending };
        loop {
            self.alarm.set_if_clear(limit);
            ready!(self.alarm.poll(cx));
            self.alarm.clear();
            if let Some(step) = self.give_up() {
                return Poll::Ready(step);
            }
        }
    }

    fn limit(&self) -> Option<Duration> {
        let limit = self.balance.set().patience.limit()?;
        let endpoint = self.attempt.as_ref()?.load();
        let may = self.request.is_some() && self.balance.protocol().may_give_up(&self.mark, endpoint);
        may.then_some(limit)
    }

    /// Gives the running attempt up, if there is another endpoint to ask.
    fn give_up(&mut self) -> Option<Step<E, E::Future>> {
        let outcome = Outcome::Failure(FailureKind::Timeout);
        let next = self.again(Verdict { outcome, repeat: Repeat::Elsewhere })?;
        self.attempt.take().expect("only a running attempt is given up").finish(self.balance.set(), outcome);
        Some(self.begin(next))
    }

    /// Gives the request to the endpoint that is ready for it, and keeps a copy if there may be another attempt.
    fn send(&mut self, service: &mut E) -> Option<E::Future> {
        let again = self.tries < self.balance.set().max_tries;
        let copy =
            self.request.as_ref().filter(|_| again).and_then(|request| self.balance.protocol().copy(request));
        mem::replace(&mut self.request, copy).map(|request| service.call(request))
    }

    /// Ends the running attempt: either the next one begins, or its result is the answer.
    fn settle(
        &mut self,
        verdict: Verdict,
        mut result: Result<E::Response, E::Error>,
    ) -> Result<Step<E, E::Future>, Answer<E, Req>> {
        let attempt = self.attempt.take().expect("a result comes from a running attempt");
        if self.tries > 1 && verdict.outcome == Outcome::Success {
            self.balance.set().refute(&self.tried, attempt.load().id());
        }
        let mut in_flight = Some(attempt.finish(self.balance.set(), verdict.outcome));
        if result.is_err() {
            // Its place may be the one that the next attempt takes.
            in_flight = None;
        }
        if let Err(error) = &mut result
            && self.request.is_none()
        {
            self.request = self.balance.protocol().take_back(error);
        }
        if let Some(picked) = self.again(verdict) {
            drop(in_flight);
            return Ok(self.begin(picked));
        }
        // Its body may be what the client's connection is read through.
        self.request = None;
        Err(match result {
            Ok(response) => {
                let in_flight = in_flight.expect("an answer keeps its place");
                Ok(self.balance.protocol().answer(response, in_flight, self.tries))
            }
            Err(error) if verdict.repeat == Repeat::Never => Err(BalanceError::Endpoint(error)),
            Err(error) => Err(BalanceError::Exhausted(error)),
        })
    }
}

impl<E, P, C, Req> Future for ResponseFuture<E, P, C, Req>
where
    E: Service<Req> + Clone,
    P: Policy,
    C: Protocol<Req, E::Response, E::Error>,
{
    type Output = Result<E::Response, BalanceError<E::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let (verdict, result) = match this.step.as_mut().project() {
                StepProjection::Refused { error } => {
                    return Poll::Ready(Err(BalanceError::NoEndpoint(*error)));
                }
                StepProjection::Readying { service } => match ready!(service.poll_ready(cx)) {
                    Ok(()) => {
                        let answer = this.progress.send(service);
                        let answer = answer.expect("an attempt begins with the request at hand");
                        this.step.set(Step::Calling { answer });
                        continue;
                    }
                    Err(error) => {
                        // The request was never given away, so it can go elsewhere whatever it is.
                        let result = Err(error);
                        let verdict = this.progress.judge(&result);
                        (Verdict { repeat: Repeat::Elsewhere, ..verdict }, result)
                    }
                },
                StepProjection::Calling { answer } => match answer.poll(cx) {
                    Poll::Ready(result) => (this.progress.judge(&result), result),
                    Poll::Pending => {
                        let next = ready!(this.progress.poll_patience(cx));
                        this.step.set(next);
                        continue;
                    }
                },
            };
            match this.progress.settle(verdict, result) {
                Ok(next) => this.step.set(next),
                Err(answer) => return Poll::Ready(answer),
            }
        }
    }
}

impl<E, P, C, Req> fmt::Debug for ResponseFuture<E, P, C, Req>
where
    E: Service<Req>,
    P: Policy,
    C: Protocol<Req, E::Response, E::Error>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("tries", &self.progress.tries).finish_non_exhaustive()
    }
}
