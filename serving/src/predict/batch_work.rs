//! A batch on a worker: asked about part by part, so that nobody's question can be given up on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use martello_model_core::Predictions;

use super::{PredictRequest, ask};
use crate::{Error, ErrorKind};

/// What a part of a batch takes, about. 10 ms: nobody notices how much longer given-up work runs, and a part is large enough
/// for whatever a model gains from many rows.
const PART: Duration = Duration::from_millis(10);

/// Says to a worker that nobody waits for its answer.
#[derive(Debug, Clone, Default)]
pub(super) struct GivenUp(Arc<AtomicBool>);

impl GivenUp {
    pub(super) fn say(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn was_said(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Asks about all rows, unless it is given up: a model answers the same however its rows are grouped.
pub(super) fn work(request: &PredictRequest, given_up: &GivenUp) -> Result<Predictions, Error> {
    let PredictRequest { served, batch } = request;
    let rows = batch.rows();
    if given_up.was_said() {
        return Err(nobody_waits());
    }
    let part = part(served.cost().of(rows), rows);
    if part >= rows {
        return timed(request, rows, || ask(served.model().as_ref(), batch));
    }
    let mut all: Option<Predictions> = None;
    for begin in (0..rows).step_by(part) {
        if given_up.was_said() {
            return Err(nobody_waits());
        }
        let part = batch.slice(begin..(begin + part).min(rows));
        let answer = timed(request, part.rows(), || ask(served.model().as_ref(), &part))?;
        if answer.len() != part.rows() {
            return Ok(answer);
        }
        match &mut all {
            None => all = Some(answer),
            Some(all) => all
                .append(answer)
                .map_err(|error| Error::new(ErrorKind::Prediction, error.to_string()).with_source(error))?,
        }
    }
    all.ok_or_else(|| Error::new(ErrorKind::WrongRows, "the batch has no rows"))
}

fn timed(
    request: &PredictRequest,
    rows: usize,
    ask: impl FnOnce() -> Result<Predictions, Error>,
) -> Result<Predictions, Error> {
    let begun = Instant::now();
    let answer = ask();
    request.served.cost().learn(rows, begun.elapsed());
    answer
}

/// Returns how many rows take about as long as a [`PART`].
fn part(all: Duration, rows: usize) -> usize {
    if all <= PART {
        return rows;
    }
    usize::try_from(rows as u128 * PART.as_nanos() / all.as_nanos()).unwrap_or(rows).max(1)
}

fn nobody_waits() -> Error {
    Error::new(ErrorKind::Prediction, "nobody waits for the answer any more")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_takes_about_ten_milliseconds() {
        let millis = Duration::from_millis;
        assert_eq!(part(Duration::ZERO, 5000), 5000);
        assert_eq!(part(millis(10), 5000), 5000);
        assert_eq!(part(millis(100), 5000), 500);
        assert_eq!(part(millis(100_000), 5000), 1);
    }
}
