//! Interim answers (RFC 9110 section 15.2) on their way from a replica to the client.
//!
//! A service gives one answer to a request, and these come before it. One task asks the replica, applies the rules of
//! the proxy and serves the client, so what came in a step of it is left at the side for that step: a request without
//! interim answers, which is nearly every one, pays for a few loads and allocates nothing. Where a service of the
//! user's hands requests to a task of its own, interim answers end with that task.

use std::cell::{Cell, RefCell};

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

/// Listens for as long as it lives, and leaves nothing to whoever listens next.
struct Listener {
    before: Listening,
}

impl Listener {
    fn begin(as_whom: Listening) -> Self {
        Self { before: LISTENING.replace(as_whom) }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        LISTENING.set(self.before);
        if self.before == Listening::Nobody && COUNT.get() > 0 {
            drop(take());
        }
    }
}

fn take() -> Vec<Response<()>> {
    COUNT.set(0);
    TOLD.take()
}

/// Takes a step of a client's request; returns what to tell the client before the answer.
pub(crate) fn for_client<T>(step: impl FnOnce() -> T) -> (T, Vec<Response<()>>) {
    let _listener = Listener::begin(Listening::Client);
    let done = step();
    (done, if COUNT.get() > 0 { take() } else { Vec::new() })
}

/// Takes a step of a proxied request; what it brings goes on to the client as `pass` leaves it.
pub(crate) fn through_proxy<T>(step: impl FnOnce() -> T, pass: impl FnMut(&mut Response<()>)) -> T {
    if LISTENING.get() != Listening::Client {
        return step();
    }
    let listener = Listener::begin(Listening::Proxy);
    let before = COUNT.get();
    let done = step();
    drop(listener);
    if COUNT.get() > before {
        TOLD.with_borrow_mut(|told| told[before..].iter_mut().for_each(pass));
    }
    done
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

    fn heard(step: impl FnOnce()) -> usize {
        for_client(step).1.len()
    }

    #[test]
    fn what_a_proxied_request_brings_is_passed_to_its_client() {
        let mark = |answer: &mut Response<()>| {
            answer.headers_mut().append("via", HeaderValue::from_static("1.1 a"));
        };
        let ((), told) = for_client(|| {
            through_proxy(tell_some, mark);
            through_proxy(tell_some, mark);
        });
        let marks = told.iter().map(|answer| answer.headers().get_all("via").iter().count());
        assert_eq!(marks.collect::<Vec<_>>(), [1, 1]);
        assert_eq!(heard(|| ()), 0, "once");
    }

    #[test]
    fn what_nobody_waits_for_is_left_to_nobody() {
        tell_some();
        through_proxy(tell_some, |_| {});
        assert_eq!(heard(tell_some), 0, "a service asked on its own account");
        let fails = || {
            tell_some();
            panic!("a service fails");
        };
        let failed = catch_unwind(AssertUnwindSafe(|| heard(|| through_proxy(fails, |_| {}))));
        assert!(failed.is_err());
        assert_eq!(heard(|| ()), 0, "not the next client's");
    }
}
