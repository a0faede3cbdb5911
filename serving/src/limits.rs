//! Every limit, timeout and size of a replica, named, with its reason.

use std::time::Duration;

use martello_model_core::Signature;

/// What a replica lets a client, a connection and a request have.
///
/// ```
/// use std::time::Duration;
/// use martello_serving::Limits;
///
/// let limits = Limits { body_bytes: 1 << 20, idle: Duration::from_secs(30), ..Limits::default() };
/// assert_eq!(limits.rows, Limits::default().rows);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections open at once; further ones wait in the kernel's queue. 16,384: ten thousand users with one connection
    /// each, and a reserve.
    pub connections: usize,
    /// From the first byte of a request's head, or from the connection's start, to the end of the head. 10 s: a head fits
    /// one packet, so whoever needs longer does so on purpose.
    pub head_read: Duration,
    /// Without a request on a kept connection. 75 s: longer than the 60 s for which balancers commonly keep an idle
    /// connection, so that they close first and no request meets a closing connection.
    pub idle: Duration,
    /// Without the client taking a byte of the answer. 30 s, as the replaced system's send timeout.
    pub write_stall: Duration,
    /// Header fields of a request; more are answered 431. 100 is what hyper keeps on its stack.
    pub header_fields: usize,
    /// Bytes of a request's head; more are answered 431. 16 KiB holds large cookies and traces; values below 8 KiB count
    /// as 8 KiB.
    pub header_bytes: usize,
    /// Bytes of a request's body; more are answered 413. 10 MiB, as the replaced system's `client_max_body_size 10M`.
    pub body_bytes: usize,
    /// From the head of a request to the end of its body, else 408. 30 s, as the replaced system's read timeout.
    pub body_read: Duration,
    /// From the head of a request for a prediction to its answer, else 504; a caller may ask for less. 60 s: the 30 s in
    /// which a body may come, and the 30 s after which the replaced system's proxy gave an answer up.
    pub answer: Duration,
    /// Predictions in flight at once, from the head of a request to its answer; more are shed with 503. As many as
    /// [`connections`](Self::connections) by default: what a machine holds depends on the model, so it is
    /// [`queue_delay`](Self::queue_delay) that bounds what waits; this is for memory, and for models that wait for others.
    pub predictions_in_flight: usize,
    /// What a request for a prediction may wait before the model is asked, while more comes than can be answered; who would
    /// wait longer is shed with 503, before its body is read. 3 ms, a thirtieth of [`burst_delay`](Self::burst_delay):
    /// whoever waits longer waits behind a queue that does not go away. CoDel (RFC 8289 section 4.3) has a twentieth, for
    /// packets; with it one accepted answer in a hundred took 3.7 times as long as without load, at 500 µs for one. A model
    /// that takes long has a queue of its own, which gets half of it, or three questions for each worker if that is longer.
    pub queue_delay: Duration,
    /// The same while it is only a burst: for how long the queue may stay longer than [`queue_delay`](Self::queue_delay)
    /// before that bound holds, and the bound until then. 100 ms, CoDel's interval, as in "Fail at Scale" (Maurer, ACM
    /// Queue 13(8), 2015).
    pub burst_delay: Duration,
    /// Threads on which batches are predicted that take long. As many as there are processors for this process: more would
    /// only take turns.
    pub workers: usize,
    /// Rows of one request; more are answered 422. 10,000: far more than a person sends, and one request does not keep a
    /// core for long.
    pub rows: usize,
    /// Cells of one row, those included that no column of the model takes; more are refused, unless the model itself has as
    /// many columns. 10,000: wide tables have hundreds of columns, and unknown cells are walked for nothing.
    pub columns: usize,
    /// Problems that one 422 lists, past which no further row is looked at. 1,000: more than anybody reads, and an answer
    /// stays small whatever was sent.
    pub listed_errors: usize,
    /// Bytes of the caller's own input that one 422 repeats in all; what does not fit is left out. 256 KiB hold any body
    /// that a person would debug by its echo.
    pub echoed_input: usize,
    /// Rows up to which a batch is predicted where it was read; larger ones go to a worker. 1,000: a few rows cost less
    /// than handing them over, many would keep the other connections of the same thread waiting.
    pub inline_rows: usize,
    /// The same by what the batches before took. 250 µs: handing over costs about 10, and the event loop looks at its
    /// sockets after 61 tasks at the latest, so that `/health` waits 15 ms at most.
    pub inline_time: Duration,
    /// While draining: for how long a kept connection may still send one more request, which is answered
    /// `Connection: close`. 500 ms: busy connections of a balancer end in good order, instead of meeting a close.
    pub drain_linger: Duration,
    /// While draining: until every connection is closed, finished or not. 25 s: below the 30 s after which Kubernetes and
    /// Docker Compose users commonly kill.
    pub drain_grace: Duration,
    /// After an answer that ends a connection: for how long what the client still sends is read and thrown away, so that
    /// the answer is not lost to a reset. 2 s, a few round trips.
    pub linger: Duration,
}

impl Limits {
    /// Returns how many cells a row for a model may have.
    pub(crate) fn cells(&self, signature: &Signature) -> usize {
        self.columns.max(signature.inputs().len())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16_384,
            head_read: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            write_stall: Duration::from_secs(30),
            header_fields: 100,
            header_bytes: 16 << 10,
            body_bytes: 10 << 20,
            body_read: Duration::from_secs(30),
            answer: Duration::from_secs(60),
            predictions_in_flight: 16_384,
            queue_delay: Duration::from_millis(3),
            burst_delay: Duration::from_millis(100),
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            rows: 10_000,
            columns: 10_000,
            listed_errors: 1_000,
            echoed_input: 256 << 10,
            inline_rows: 1_000,
            inline_time: Duration::from_micros(250),
            drain_linger: Duration::from_millis(500),
            drain_grace: Duration::from_secs(25),
            linger: Duration::from_secs(2),
        }
    }
}
