//! How many requests may be under way at once, and what happens to one more.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use serde::Serialize;
use tokio::{sync::Notify, time::timeout};
use tower::Service;

use crate::{
    Body, Error, ErrorKind,
    retry::{Kept, counted},
};

/// How many requests may be under way at once, and how many more may wait for how long. Whoever comes then is
/// told at once: 503 with the reason `overloaded` and `Retry-After`.
///
/// ```
/// use std::time::Duration;
/// use martello_balancer::{AdmissionLimits, Balancer};
///
/// // Four replicas that work on 16 requests each, and a tenth of a second's worth of waiting.
/// let limits = AdmissionLimits {
///     per_endpoint: 16,
///     queue: 50,
///     wait: Duration::from_millis(100),
///     ..AdmissionLimits::default()
/// };
/// let builder = Balancer::builder().admission(limits);
/// # drop(builder);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// Requests that may be under way, until the last byte of their answers. 16,384 by default: far more than
    /// replicas can work on, so it bounds nothing but the balancer's own memory, to 1 GiB if each of them holds
    /// the largest body that is kept to be sent again. How many are too many for your replicas is for you to
    /// say: about as many as they work on at once.
    pub in_flight: usize,
    /// Requests that each replica may have of these. As many as come by default: few replicas say how many they work on
    /// at once. What a replica that is full cannot take waits in the same line.
    pub per_endpoint: u32,
    /// Requests that may wait for one of these to end. 1,024 by default.
    pub queue: usize,
    /// How long one may wait. One second by default: what waited for longer is likely to have been given up by
    /// its client.
    pub wait: Duration,
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        Self { in_flight: 16_384, per_endpoint: u32::MAX, queue: 1_024, wait: Duration::from_secs(1) }
    }
}

/// What the limits on requests let in and did not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AdmissionCounts {
    /// Requests that are under way.
    pub in_flight: usize,
    /// Requests that wait to be.
    pub waiting: usize,
    /// Requests that were refused because too many others waited.
    pub refused: u64,
    /// Requests that waited in vain.
    pub expired: u64,
}

/// The places that requests take.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    inner: Arc<Inner>,
}

/// Returns where requests can go now.
pub(super) type Ready = Box<dyn Fn() -> Room + Send + Sync>;

/// The replicas at one moment, for whoever counts their places.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// How many get requests.
    pub(super) ready: usize,
    /// How many requests are at those that get no more: they take none of the others' places.
    pub(super) elsewhere: usize,
}

struct Inner {
    limits: AdmissionLimits,
    ready: Ready,
    in_flight: AtomicUsize,
    /// Told of every place that is free again, one who waits at a time.
    left: Notify,
    waiting: AtomicUsize,
    refused: AtomicU64,
    expired: AtomicU64,
}

/// How often one who waits looks whether replicas have joined: their places are free without anybody's leaving.
const LOOK: Duration = Duration::from_millis(50);

/// One of the places, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<Inner>);

impl Kept for Place {}

impl Drop for Place {
    fn drop(&mut self) {
        // Sequentially consistent, as is whoever begins to wait: one of the two sees the other.
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
        if self.0.waiting.load(Ordering::SeqCst) > 0 {
            self.0.left.notify_one();
        }
    }
}

impl Inner {
    fn limit(&self) -> usize {
        match self.limits.per_endpoint {
            u32::MAX => self.limits.in_flight,
            each => {
                let Room { ready, elsewhere } = (self.ready)();
                let places = ready.max(1).saturating_mul(each as usize);
                places.saturating_add(elsewhere).min(self.limits.in_flight)
            }
        }
    }

    fn take(self: &Arc<Self>) -> Option<Place> {
        let limit = self.limit();
        let one_more = |now: usize| (now < limit).then_some(now + 1);
        let taken = self.in_flight.fetch_update(Ordering::SeqCst, Ordering::Relaxed, one_more);
        taken.is_ok().then(|| Place(Arc::clone(self)))
    }

    async fn wait(self: &Arc<Self>) -> Place {
        loop {
            let left = self.left.notified();
            if let Some(place) = self.take() {
                return place;
            }
            match self.limits.per_endpoint {
                u32::MAX => left.await,
                _ => drop(timeout(LOOK, left).await),
            }
        }
    }
}

impl Gate {
    pub(super) fn new(limits: AdmissionLimits, ready: Ready) -> Self {
        let limits = AdmissionLimits { in_flight: limits.in_flight.max(1), ..limits };
        let (refused, expired) = (AtomicU64::new(0), AtomicU64::new(0));
        let (in_flight, waiting) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let inner = Inner { limits, ready, in_flight, left: Notify::new(), waiting, refused, expired };
        Self { inner: Arc::new(inner) }
    }

    pub(super) fn counts(&self) -> AdmissionCounts {
        let inner = &self.inner;
        AdmissionCounts {
            in_flight: inner.in_flight.load(Ordering::Relaxed),
            waiting: inner.waiting.load(Ordering::Relaxed),
            refused: inner.refused.load(Ordering::Relaxed),
            expired: inner.expired.load(Ordering::Relaxed),
        }
    }

    /// Takes a place, if there is one and nobody waits for it.
    fn enter(&self) -> Option<Place> {
        if self.inner.waiting.load(Ordering::Relaxed) > 0 { None } else { self.inner.take() }
    }

    /// Waits in line, if there is room in it.
    fn queue(&self) -> Result<Turn, Error> {
        let waiting = Waiting(Arc::clone(&self.inner));
        let before = self.inner.waiting.fetch_add(1, Ordering::SeqCst);
        if before >= self.inner.limits.queue {
            self.inner.refused.fetch_add(1, Ordering::Relaxed);
            return Err(Error::new(ErrorKind::Overloaded, "too many requests are under way and waiting"));
        }
        Ok(Box::pin(async move {
            let Waiting(inner) = &waiting;
            timeout(inner.limits.wait, inner.wait()).await.map_err(|_| {
                inner.expired.fetch_add(1, Ordering::Relaxed);
                Error::new(ErrorKind::Overloaded, "no request ended in time to make room for this one")
            })
        }))
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("limits", &self.limits)
            .field("in_flight", &self.in_flight)
            .finish_non_exhaustive()
    }
}

type Turn = Pin<Box<dyn Future<Output = Result<Place, Error>> + Send>>;

/// A place in the line, also of one who goes away.
struct Waiting(Arc<Inner>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Lets requests through a gate.
#[derive(Debug, Clone)]
pub(super) struct Admission<S> {
    inner: S,
    gate: Gate,
}

impl<S> Admission<S> {
    pub(super) fn new(inner: S, gate: Gate) -> Self {
        Self { inner, gate }
    }
}

impl<S> Service<Request<Body>> for Admission<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Error> + Clone,
{
    type Response = Response<Body>;
    type Error = Error;
    type Future = AdmissionFuture<S, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if let Some(place) = self.gate.enter() {
            return AdmissionFuture::Admitted { answer: self.inner.call(request), place: Some(place) };
        }
        match self.gate.queue() {
            Ok(turn) => AdmissionFuture::Queued { turn, service: self.inner.clone(), request: Some(request) },
            Err(error) => AdmissionFuture::Refused { error: Some(error) },
        }
    }
}

pin_project! {
    #[project = Projection]
    pub(super) enum AdmissionFuture<S, F> {
        Refused { error: Option<Error> },
        Queued { turn: Turn, service: S, request: Option<Request<Body>> },
        Admitted { #[pin] answer: F, place: Option<Place> },
    }
}

impl<S, F> Future for AdmissionFuture<S, F>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Error, Future = F>,
    F: Future<Output = Result<Response<Body>, Error>>,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        loop {
            let admitted = match self.as_mut().project() {
                Projection::Refused { error } => {
                    let error = error.take().expect("a future is not polled after it has ended");
                    return Poll::Ready(Err(error));
                }
                Projection::Queued { turn, service, request } => {
                    let place = ready!(turn.as_mut().poll(cx))?;
                    ready!(service.poll_ready(cx))?;
                    let request = request.take().expect("a request has its turn once");
                    Self::Admitted { answer: service.call(request), place: Some(place) }
                }
                Projection::Admitted { answer, place } => {
                    let response = ready!(answer.poll(cx));
                    let place = place.take();
                    return Poll::Ready(response.map(|response| hold(response, place)));
                }
            };
            self.set(admitted);
        }
    }
}

/// Keeps the place for as long as the answer's body is on its way.
fn hold(response: Response<Body>, place: Option<Place>) -> Response<Body> {
    match place {
        Some(place) if response.body().as_bytes().is_none() => response.map(|body| counted(body, place)),
        _ => response,
    }
}

impl<S, F> fmt::Debug for AdmissionFuture<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused { .. } => "Refused",
            Self::Queued { .. } => "Queued",
            Self::Admitted { .. } => "Admitted",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tower::{ServiceExt, service_fn};

    use super::*;

    const LIMITS: AdmissionLimits =
        AdmissionLimits { in_flight: 2, per_endpoint: u32::MAX, queue: 1, wait: Duration::from_secs(1) };

    fn gate(limits: AdmissionLimits) -> Gate {
        Gate::new(limits, Box::new(|| Room { ready: 1, elsewhere: 0 }))
    }

    fn request() -> Request<Body> {
        Request::new(Body::empty())
    }

    #[tokio::test(start_paused = true)]
    async fn one_more_waits_for_a_place_and_a_further_one_is_refused() {
        let gate = gate(LIMITS);
        let slow = service_fn(|_| async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            Ok(Response::new(Body::empty()))
        });
        let ask = || tokio::spawn(Admission::new(slow, gate.clone()).oneshot(request()));
        let all = [ask(), ask(), ask()];
        tokio::task::yield_now().await;
        let expected = AdmissionCounts { in_flight: 2, waiting: 1, refused: 0, expired: 0 };
        assert_eq!(gate.counts(), expected);
        let refused = ask().await.unwrap().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Overloaded);
        for asked in all {
            assert!(asked.await.unwrap().is_ok());
        }
        assert_eq!(gate.counts(), AdmissionCounts { refused: 1, ..AdmissionCounts::default() });
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_in_time_and_who_goes_away_leaves_the_line() {
        let gate = gate(LIMITS);
        let never = service_fn(|_| std::future::pending::<Result<Response<Body>, Error>>());
        let ask = || tokio::spawn(Admission::new(never, gate.clone()).oneshot(request()));
        let _held = [ask(), ask()];
        tokio::task::yield_now().await;
        let gone = ask();
        tokio::task::yield_now().await;
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        assert_eq!(ask().await.unwrap().unwrap_err().kind(), ErrorKind::Overloaded);
        let expected = AdmissionCounts { in_flight: 2, waiting: 0, refused: 0, expired: 1 };
        assert_eq!(gate.counts(), expected);
    }

    #[tokio::test]
    async fn a_place_is_taken_until_the_body_has_ended() {
        let gate = gate(LIMITS);
        let streaming = service_fn(|_| async {
            let body = http_body_util::Full::new(bytes::Bytes::from_static(b"abc"));
            Ok(Response::new(Body::new(body)))
        });
        let response = Admission::new(streaming, gate.clone()).oneshot(request()).await.unwrap();
        assert_eq!(gate.counts().in_flight, 1);
        drop(response);
        assert_eq!(gate.counts().in_flight, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn each_replica_adds_its_places() {
        let replicas = Arc::new(Mutex::new((1, 0)));
        let now = Arc::clone(&replicas);
        let limits = AdmissionLimits { in_flight: 5, per_endpoint: 2, queue: 10, ..LIMITS };
        let told = move || {
            let (ready, elsewhere) = *now.lock().unwrap();
            Room { ready, elsewhere }
        };
        let gate = Gate::new(limits, Box::new(told));
        let never = service_fn(|_| std::future::pending::<Result<Response<Body>, Error>>());
        let _asked: Vec<_> =
            (0..8).map(|_| tokio::spawn(Admission::new(never, gate.clone()).oneshot(request()))).collect();
        tokio::task::yield_now().await;
        for (count, in_flight) in [((1, 0), 2), ((1, 1), 3), ((2, 0), 4), ((3, 0), 5), ((3, 4), 5)] {
            *replicas.lock().unwrap() = count;
            tokio::time::sleep(2 * LOOK).await;
            let counts = gate.counts();
            assert_eq!((counts.in_flight, counts.waiting), (in_flight, 8 - in_flight), "{count:?} replicas");
        }
    }
}
