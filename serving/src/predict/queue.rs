//! What waits for a worker, and the threads that take one thing after the other.

use std::collections::VecDeque;
use std::fmt;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Something to be done on a thread of its own.
pub(super) type Job = Box<dyn FnOnce() + Send>;

/// Jobs in the order in which they came, and how many threads are at work on them.
///
/// A thread that has done one takes the next by itself. Were it the event loop that hands them out, a processor would have
/// nothing to compute until the event loop had come to it, after each job.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Tickets only grow.
    waiting: VecDeque<(Ticket, Job)>,
    last: Ticket,
    busy: usize,
}

/// Which job it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

impl Queue {
    /// Starts a job, or lets it wait while `most` threads are busy.
    ///
    /// # Panics
    /// Outside of a tokio runtime, which has the threads.
    pub(super) fn add(self: &Arc<Self>, job: Job, most: NonZero<usize>) -> Ticket {
        let mut state = self.lock();
        state.last.0 += 1;
        let ticket = state.last;
        if state.busy >= most.get() {
            state.waiting.push_back((ticket, job));
            return ticket;
        }
        state.busy += 1;
        drop(state);
        let thread = Thread { queue: Arc::clone(self), first: Some(job) };
        tokio::task::spawn_blocking(move || thread.work());
        ticket
    }

    /// Takes a job out, unless it has begun.
    pub(super) fn remove(&self, ticket: Ticket) {
        let mut state = self.lock();
        let place = state.waiting.binary_search_by_key(&ticket, |(ticket, _)| *ticket);
        let job = place.ok().and_then(|place| state.waiting.remove(place));
        drop(state);
        // What it holds may be large: given back without the lock.
        drop(job);
    }

    /// Takes the next job; if there is none, this thread is not busy any more.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        let next = state.waiting.pop_front().map(|(_, job)| job);
        state.busy -= usize::from(next.is_none());
        next
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics with the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread that counts as busy, from when it was asked for until it finds nothing more to do.
struct Thread {
    queue: Arc<Queue>,
    first: Option<Job>,
}

impl Thread {
    fn work(mut self) {
        let mut job = self.first.take();
        while let Some(now) = job {
            // Whoever waits for the answer of one that panicked sees that none will come; the thread goes on with the next.
            let _ = catch_unwind(AssertUnwindSafe(now));
            job = self.queue.next();
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // It never began: the runtime that it was asked of is shutting down. Others may share the queue.
        if self.first.is_some() {
            self.queue.lock().busy -= 1;
        }
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Queue")
            .field("waiting", &state.waiting.len())
            .field("busy", &state.busy)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const ONE: NonZero<usize> = NonZero::<usize>::MIN;

    /// A queue whose one thread waits for the word to go on.
    fn held() -> (Arc<Queue>, mpsc::Sender<()>) {
        let (queue, (go, wait)) = (Arc::<Queue>::default(), mpsc::channel::<()>());
        let hold = move || {
            // That the sender goes is a word, too.
            let _ = wait.recv();
        };
        queue.add(Box::new(hold), ONE);
        (queue, go)
    }

    #[tokio::test]
    async fn jobs_are_done_in_order_by_as_many_threads_as_there_may_be() {
        let (queue, go) = held();
        let (done, mut results) = tokio::sync::mpsc::unbounded_channel();
        for number in 0..50 {
            let done = done.clone();
            queue.add(Box::new(move || done.send((number, std::thread::current().id())).unwrap()), ONE);
        }
        drop(done);
        drop(go);
        let mut seen = Vec::new();
        while let Some(result) = results.recv().await {
            seen.push(result);
        }
        assert!(seen.iter().map(|(number, _)| *number).eq(0..50));
        assert!(seen.iter().all(|(_, thread)| *thread == seen[0].1), "one thread did all of them");
    }

    #[tokio::test]
    async fn a_job_that_waits_can_be_taken_out_and_one_that_has_begun_cannot() {
        let (queue, go) = held();
        let (said, words) = mpsc::channel();
        let say = |word: &'static str| -> Job {
            let said = said.clone();
            Box::new(move || said.send(word).unwrap())
        };
        queue.add(say("first"), ONE);
        let second = queue.add(say("second"), ONE);
        queue.add(say("third"), ONE);
        queue.remove(second);
        queue.remove(second);
        queue.remove(Ticket(1));
        drop(said);
        drop(go);
        let heard = tokio::task::spawn_blocking(move || words.iter().collect::<Vec<_>>()).await.unwrap();
        assert_eq!(heard, ["first", "third"]);
    }

    #[test]
    fn a_runtime_that_shuts_down_keeps_no_thread_busy() {
        let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let queue = Arc::<Queue>::default();
        let gone = runtime();
        let handle = gone.handle().clone();
        gone.shutdown_background();
        {
            let _entered = handle.enter();
            queue.add(Box::new(|| ()), ONE);
        }
        let (said, heard) = mpsc::channel();
        let next = runtime();
        let _entered = next.enter();
        queue.add(Box::new(move || said.send(()).unwrap()), ONE);
        heard.recv_timeout(std::time::Duration::from_secs(10)).expect("a thread is free");
    }

    #[tokio::test]
    async fn a_panic_ends_its_job_alone() {
        let queue = Arc::<Queue>::default();
        let (said, heard) = tokio::sync::oneshot::channel();
        queue.add(Box::new(|| std::panic::resume_unwind(Box::new(()))), ONE);
        queue.add(Box::new(move || said.send(()).unwrap()), ONE);
        heard.await.unwrap();
    }
}
