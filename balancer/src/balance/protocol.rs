//! What [`Balance`](crate::Balance) must know of the requests and answers that it balances.

use super::{InFlight, Load, Outcome};

/// Tells [`Balance`](crate::Balance) how to read the answers of its endpoints: which are failures,
/// which requests may be repeated elsewhere, and when an answer is over.
///
/// [`Plain`] and [`Repeatable`] serve in-process services of any type; [`Http`](crate::Http) knows the
/// rules of HTTP.
pub trait Protocol<Req, Res, Err>: Send + Sync + 'static {
    /// What must be remembered of a request, once it is sent, to judge its answer.
    type Mark;

    /// Returns what to remember of a request.
    fn mark(&self, request: &Req) -> Self::Mark;

    /// Returns a copy of the request for another attempt, if there can be one.
    fn copy(&self, request: &Req) -> Option<Req>;

    /// Returns whether a request that was sent to this endpoint, and is not answered in time, may be given up
    /// there and asked elsewhere. By default it may not.
    fn may_give_up(&self, mark: &Self::Mark, endpoint: &Load) -> bool {
        let _ = (mark, endpoint);
        false
    }

    /// Takes a request back that no endpoint has begun to read, out of the error that says so: it may be one of which there
    /// is no copy. By default there is none in an error.
    fn take_back(&self, error: &mut Err) -> Option<Req> {
        let _ = error;
        None
    }

    /// Judges how an attempt at an endpoint ended.
    fn judge(&self, mark: &Self::Mark, endpoint: &Load, result: &Result<Res, Err>) -> Verdict;

    /// Hands the answer over, which took so many attempts: 1 without a retry. The request counts as in flight at the
    /// endpoint that gave it until `in_flight` is dropped: keep it with whatever of the answer is still to come.
    fn answer(&self, response: Res, in_flight: InFlight, tries: u32) -> Res {
        let _ = (in_flight, tries);
        response
    }
}

/// What a [`Protocol`] says of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// What the attempt says of the endpoint's health.
    pub outcome: Outcome,
    /// Whether the request may be repeated.
    pub repeat: Repeat,
}

/// Whether, and where, a request may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// The answer stands, or repeating might do something twice.
    Never,
    /// At an endpoint that this request has not tried.
    Elsewhere,
    /// At an endpoint not yet tried, and at the same one where there is no other: what failed was a
    /// connection, not the endpoint.
    Anywhere,
}

/// Any request and answer: an error is a failure of the endpoint, and nothing is repeated.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plain;

impl<Req, Res, Err> Protocol<Req, Res, Err> for Plain {
    type Mark = ();

    fn mark(&self, _request: &Req) {}

    fn copy(&self, _request: &Req) -> Option<Req> {
        None
    }

    fn judge(&self, (): &(), _endpoint: &Load, result: &Result<Res, Err>) -> Verdict {
        Verdict { outcome: outcome(result), repeat: Repeat::Never }
    }
}

/// Requests that may be repeated after any error: pure functions, reads.
///
/// ```
/// use martello_balancer::{Balance, Repeatable, policy::RoundRobin};
/// use tower::{ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let square = |works: bool| {
///     service_fn(move |x: f64| async move { if works { Ok(x * x) } else { Err(std::io::Error::other("down")) } })
/// };
/// let balance = Balance::builder()
///     .protocol(Repeatable)
///     .build(RoundRobin, [("broken", square(false)), ("sound", square(true))]);
/// assert_eq!(balance.oneshot(3.0).await?, 9.0); // tried "broken" first
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Repeatable;

impl<Req: Clone, Res, Err> Protocol<Req, Res, Err> for Repeatable {
    type Mark = ();

    fn mark(&self, _request: &Req) {}

    fn copy(&self, request: &Req) -> Option<Req> {
        Some(request.clone())
    }

    fn may_give_up(&self, (): &(), _endpoint: &Load) -> bool {
        true
    }

    fn judge(&self, (): &(), _endpoint: &Load, result: &Result<Res, Err>) -> Verdict {
        let repeat = if result.is_ok() { Repeat::Never } else { Repeat::Elsewhere };
        Verdict { outcome: outcome(result), repeat }
    }
}

fn outcome<Res, Err>(result: &Result<Res, Err>) -> Outcome {
    match result {
        Ok(_) => Outcome::Success,
        Err(_) => Outcome::Failure(super::FailureKind::Error),
    }
}
