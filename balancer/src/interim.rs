//! Interim answers (RFC 9110 section 15.2) on their way from a replica to the client.
//!
//! A service gives one answer to a request, and these come before it. One task asks the replica, applies the rules of
//! the proxy and serves the client, so what came in a step of it is left at the side for that step: a request without
//! interim answers, which is nearly every one, pays for a few loads and allocates nothing. Where a service of the
//! user's hands requests to a task of its own, interim answers end with that task.

use std::cell::{Cell, RefCell};
use std::mem;

use http::Response;

/// Who listens in this step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listening {
    Nobody,
    /// A client's connection. What its service asks on its own account is not the client's to see.
    Client,
    /// And a proxy, which answers with what it is answered.
    Proxy,
}

thread_local! {
    static LISTENING: Cell<Listening> = const { Cell::new(Listening::Nobody) };
    static COUNT: Cell<usize> = const { Cell::new(0) };
    static TOLD: RefCell<Vec<Response<()>>> = const { RefCell::new(Vec::new()) };
}

/// A step of a client's request, from now until it is dropped.
///
/// A guard and no function that is given the step: an answer that passes through one more hand is copied.
pub(crate) struct ForClient {
    before: Listening,
}

impl ForClient {
    #[inline]
    pub(crate) fn begin() -> Self {
        Self { before: LISTENING.replace(Listening::Client) }
    }

    /// Ends the step; returns what to tell the client before the answer.
    #[inline]
    pub(crate) fn heard(self) -> Option<Vec<Response<()>>> {
        LISTENING.set(self.before);
        mem::forget(self);
        (COUNT.get() > 0).then(take)
    }
}

impl Drop for ForClient {
    #[inline]
    fn drop(&mut self) {
        LISTENING.set(self.before);
        // Left by a step that panicked: nobody else's to hear.
        if COUNT.get() > 0 && self.before == Listening::Nobody {
            drop(take());
        }
    }
}

#[cold]
fn take() -> Vec<Response<()>> {
    COUNT.set(0);
    TOLD.take()
}

/// A step of a proxied request, from now until it is dropped.
pub(crate) struct ThroughProxy {
    before: Listening,
    told: usize,
}

impl ThroughProxy {
    #[inline]
    pub(crate) fn begin() -> Self {
        let (before, told) = (LISTENING.get(), COUNT.get());
        if before == Listening::Client {
            LISTENING.set(Listening::Proxy);
        }
        Self { before, told }
    }

    /// Ends the step; what it brought goes on to the client as `pass` leaves it.
    #[inline]
    pub(crate) fn pass(self, pass: impl FnMut(&mut Response<()>)) {
        if COUNT.get() > self.told {
            TOLD.with_borrow_mut(|told| told[self.told..].iter_mut().for_each(pass));
        }
    }
}

impl Drop for ThroughProxy {
    #[inline]
    fn drop(&mut self) {
        LISTENING.set(self.before);
    }
}

/// Tells whoever proxies this request of an interim answer to it.
pub(crate) fn tell(answer: impl FnOnce() -> Response<()>) {
    if LISTENING.get() == Listening::Proxy {
        let answer = answer();
        TOLD.with_borrow_mut(|told| told.push(answer));
        COUNT.set(COUNT.get() + 1);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use http::HeaderValue;

    use super::*;

    fn tell_some() {
        tell(|| Response::new(()));
    }

    /// A step of a client's request; returns how often each interim answer was passed by a proxy.
    fn heard(step: impl FnOnce()) -> Vec<usize> {
        let client = ForClient::begin();
        step();
        let told = client.heard().unwrap_or_default();
        told.iter().map(|answer| answer.headers().get_all("via").iter().count()).collect()
    }

    fn proxied(step: impl FnOnce()) {
        let proxy = ThroughProxy::begin();
        step();
        proxy.pass(|answer| {
            answer.headers_mut().append("via", HeaderValue::from_static("1.1 a"));
        });
    }

    #[test]
    fn what_a_proxied_request_brings_is_passed_to_its_client() {
        let twice = || {
            proxied(tell_some);
            proxied(tell_some);
        };
        assert_eq!(heard(twice), [1, 1]);
        assert_eq!(heard(|| ()), [0; 0], "once");
        assert_eq!(heard(|| proxied(|| proxied(tell_some))), [2], "through both proxies");
    }

    #[test]
    fn what_nobody_waits_for_is_left_to_nobody() {
        tell_some();
        proxied(tell_some);
        assert_eq!(heard(tell_some), [0; 0], "a service asked on its own account");
        let fails = || {
            tell_some();
            panic!("a service fails");
        };
        assert!(catch_unwind(AssertUnwindSafe(|| heard(|| proxied(fails)))).is_err());
        assert_eq!(heard(|| ()), [0; 0], "not the next client's");
    }
}
