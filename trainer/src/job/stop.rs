//! The wish of whoever runs a job that it ends early.

use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;

use crate::error::{Error, ErrorKind};

/// How long what must not be left half done may still take after the wish. 5 s: half of what Docker waits before it kills.
const GRACE: Duration = Duration::from_secs(5);

/// A wish that stays once it was uttered.
#[derive(Debug)]
pub(super) struct Stop<'a, F> {
    wish: Pin<&'a mut F>,
    uttered: bool,
}

impl<'a, F: Future<Output = ()>> Stop<'a, F> {
    pub(super) fn new(wish: Pin<&'a mut F>) -> Self {
        Self { wish, uttered: false }
    }

    async fn uttered(&mut self) {
        if !self.uttered {
            self.wish.as_mut().await;
            self.uttered = true;
        }
    }

    /// Does something that may be left at any point.
    pub(super) async fn unless<T>(
        &mut self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        tokio::select! {
            biased;
            () = self.uttered() => Err(stopped()),
            done = work => done,
        }
    }

    /// Does something that is not left half done, unless it takes too long after the wish.
    pub(super) async fn after<T>(
        &mut self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut work = pin!(work);
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = self.uttered() => {}
        }
        within_grace(work).await.unwrap_or_else(|| Err(stopped()))
    }
}

/// Waits for something after the wish; `None` if it takes too long.
pub(super) async fn within_grace<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(GRACE, work).await.ok()
}

fn stopped() -> Error {
    Error::new(ErrorKind::Stopped, "the training was stopped, and nothing was registered")
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    async fn slow() -> Result<(), Error> {
        tokio::time::sleep(GRACE - Duration::from_secs(1)).await;
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_be_left_is_left_and_stays_left() {
        let wish = pin!(ready(()));
        let mut stop = Stop::new(wish);
        for _ in 0..2 {
            assert_eq!(stop.unless(slow()).await.unwrap_err().kind(), ErrorKind::Stopped);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_must_not_be_left_half_done_has_a_while() {
        let wish = pin!(ready(()));
        let mut stop = Stop::new(wish);
        stop.after(slow()).await.unwrap();
        assert_eq!(stop.after(pending::<Result<(), _>>()).await.unwrap_err().kind(), ErrorKind::Stopped);
    }

    #[tokio::test(start_paused = true)]
    async fn without_the_wish_everything_is_done() {
        let wish = pin!(pending());
        let mut stop = Stop::new(wish);
        stop.unless(slow()).await.unwrap();
        stop.after(slow()).await.unwrap();
    }
}
