//! The limits of a replica as flags: what a client, a connection and a request may have.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use martello_serving::Limits;

/// Every limit has a default that the help shows; the library's documentation of `Limits` has the reasons.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct LimitArgs {
    /// Connections open at once; further ones wait in the kernel's queue.
    #[arg(long, env = "MARTELLO_MAX_CONNECTIONS", value_name = "COUNT", default_value_t = Limits::default().connections)]
    max_connections: usize,
    /// Header fields of a request; more are answered 431.
    #[arg(long, env = "MARTELLO_MAX_HEADER_FIELDS", value_name = "COUNT", default_value_t = Limits::default().header_fields)]
    max_header_fields: usize,
    /// Bytes of a request's head; more are answered 431. Less than 8192 count as that.
    #[arg(long, env = "MARTELLO_MAX_HEADER_BYTES", value_name = "BYTES", default_value_t = Limits::default().header_bytes)]
    max_header_bytes: usize,
    /// Bytes of a request's body; more are answered 413.
    #[arg(long, env = "MARTELLO_MAX_BODY_BYTES", value_name = "BYTES", default_value_t = Limits::default().body_bytes)]
    max_body_bytes: usize,
    /// Rows of a request; more are refused.
    #[arg(long, env = "MARTELLO_MAX_ROWS", value_name = "COUNT", default_value_t = Limits::default().rows)]
    max_rows: usize,
    /// Cells of a row, those included that no column takes; more are refused, unless the model has as many columns.
    #[arg(long, env = "MARTELLO_MAX_COLUMNS", value_name = "COUNT", default_value_t = Limits::default().columns)]
    max_columns: usize,
    /// Problems that one answer lists.
    #[arg(long, env = "MARTELLO_MAX_LISTED_ERRORS", value_name = "COUNT", default_value_t = Limits::default().listed_errors)]
    max_listed_errors: usize,
    /// Bytes of the caller's input that one answer repeats in all.
    #[arg(long, env = "MARTELLO_MAX_ECHOED_INPUT", value_name = "BYTES", default_value_t = Limits::default().echoed_input)]
    max_echoed_input: usize,
    /// Rows up to which a request is predicted where it was read; larger ones go to a thread that may block.
    #[arg(long, env = "MARTELLO_INLINE_ROWS", value_name = "COUNT", default_value_t = Limits::default().inline_rows)]
    inline_rows: usize,
    /// Seconds that a prediction may be expected to take for it to be made where it was read.
    #[arg(long, env = "MARTELLO_INLINE_TIME", value_name = "SECONDS", default_value_t = Seconds(Limits::default().inline_time))]
    inline_time: Seconds,
    /// Seconds for a request's head, from its first byte.
    #[arg(long, env = "MARTELLO_HEAD_TIMEOUT", value_name = "SECONDS", default_value_t = Seconds(Limits::default().head_read))]
    head_timeout: Seconds,
    /// Seconds for a request's body, else 408.
    #[arg(long, env = "MARTELLO_BODY_TIMEOUT", value_name = "SECONDS", default_value_t = Seconds(Limits::default().body_read))]
    body_timeout: Seconds,
    /// Seconds without a request on a kept connection. Longer than a balancer in front keeps an idle one.
    #[arg(long, env = "MARTELLO_IDLE_TIMEOUT", value_name = "SECONDS", default_value_t = Seconds(Limits::default().idle))]
    idle_timeout: Seconds,
    /// Seconds without the client taking a byte of the answer.
    #[arg(long, env = "MARTELLO_WRITE_TIMEOUT", value_name = "SECONDS", default_value_t = Seconds(Limits::default().write_stall))]
    write_timeout: Seconds,
    /// Seconds in which a client may read the last answer after it.
    #[arg(long, env = "MARTELLO_LINGER", value_name = "SECONDS", default_value_t = Seconds(Limits::default().linger))]
    linger: Seconds,
    /// While stopping: seconds in which a kept connection may bring one more request.
    #[arg(long, env = "MARTELLO_DRAIN_LINGER", value_name = "SECONDS", default_value_t = Seconds(Limits::default().drain_linger))]
    drain_linger: Seconds,
    /// While stopping: seconds until everything is closed, answered or not.
    #[arg(long, env = "MARTELLO_GRACE", value_name = "SECONDS", default_value_t = Seconds(Limits::default().drain_grace))]
    grace: Seconds,
    #[command(flatten)]
    overload: OverloadArgs,
}

/// What is done when more is asked for than can be answered.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Overload")]
struct OverloadArgs {
    /// Predictions in flight at once; more are answered 503 before they are read.
    #[arg(long, env = "MARTELLO_MAX_PREDICTIONS_IN_FLIGHT", value_name = "COUNT", default_value_t = Limits::default().predictions_in_flight)]
    max_predictions_in_flight: usize,
    /// Seconds that a request may wait for the model while more comes than can be answered; who would wait longer is
    /// answered 503 before it is read.
    #[arg(long, env = "MARTELLO_QUEUE_DELAY", value_name = "SECONDS", default_value_t = Seconds(Limits::default().queue_delay))]
    queue_delay: Seconds,
    /// The same while it is only a burst, and how long a burst may be.
    #[arg(long, env = "MARTELLO_BURST_DELAY", value_name = "SECONDS", default_value_t = Seconds(Limits::default().burst_delay))]
    burst_delay: Seconds,
    /// Threads for predictions that take long.
    #[arg(long, env = "MARTELLO_WORKERS", value_name = "COUNT", default_value_t = Limits::default().workers)]
    workers: usize,
    /// Seconds for the answer to a prediction, else 504; a caller may ask for less.
    #[arg(long, env = "MARTELLO_ANSWER_TIMEOUT", value_name = "SECONDS", default_value_t = Seconds(Limits::default().answer))]
    answer_timeout: Seconds,
}

impl LimitArgs {
    pub(super) fn limits(&self) -> Limits {
        Limits {
            connections: self.max_connections,
            head_read: self.head_timeout.0,
            idle: self.idle_timeout.0,
            write_stall: self.write_timeout.0,
            header_fields: self.max_header_fields,
            header_bytes: self.max_header_bytes,
            body_bytes: self.max_body_bytes,
            body_read: self.body_timeout.0,
            answer: self.overload.answer_timeout.0,
            predictions_in_flight: self.overload.max_predictions_in_flight,
            queue_delay: self.overload.queue_delay.0,
            burst_delay: self.overload.burst_delay.0,
            workers: self.overload.workers,
            rows: self.max_rows,
            columns: self.max_columns,
            listed_errors: self.max_listed_errors,
            echoed_input: self.max_echoed_input,
            inline_rows: self.inline_rows,
            inline_time: self.inline_time.0,
            drain_linger: self.drain_linger.0,
            drain_grace: self.grace.0,
            linger: self.linger.0,
        }
    }
}

/// A time in seconds, with a fraction if need be.
#[derive(Debug, Clone, Copy)]
struct Seconds(Duration);

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = text.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        // A deadline so far away that the clock cannot say it is a mistake.
        let seconds = seconds.filter(|time| *time <= Duration::from_secs(u32::MAX.into()));
        seconds.map(Self).ok_or_else(|| "a number of seconds, such as 30 or 0.5".to_owned())
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Flags {
        #[command(flatten)]
        limits: LimitArgs,
    }

    fn limits(flags: &[&str]) -> Limits {
        <Flags as clap::Parser>::try_parse_from([&["martello"], flags].concat()).unwrap().limits.limits()
    }

    #[test]
    fn without_flags_the_limits_are_those_of_the_library() {
        assert_eq!(limits(&[]), Limits::default());
    }

    #[test]
    fn every_limit_can_be_set() {
        let set = limits(&["--max-rows", "7", "--idle-timeout", "0.25", "--max-predictions-in-flight", "3"]);
        assert_eq!((set.rows, set.idle, set.predictions_in_flight), (7, Duration::from_millis(250), 3));
        for wrong in ["-1", "NaN", "soon", "1e300"] {
            assert!(wrong.parse::<Seconds>().is_err(), "{wrong}");
        }
    }
}
