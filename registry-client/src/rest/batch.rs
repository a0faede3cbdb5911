//! A batch of parameters, tags and metrics, cut into what the server takes at once.

use serde::Serialize;

use super::message::{MetricMessage, Pair, pairs};
use crate::{RunBatch, Tags};

/// The server refuses more parameters, more tags, more metrics or more entries in one batch.
const MAX_PARAMS: usize = 100;
const MAX_TAGS: usize = 100;
const MAX_ENTRIES: usize = 1_000;

/// One call's worth of a batch.
#[derive(Default, Serialize)]
pub(super) struct Batch<'a> {
    run_id: &'a str,
    metrics: Vec<MetricMessage>,
    params: Vec<Pair>,
    tags: Vec<Pair>,
}

/// Cuts a batch into what the server takes at once; nearly every batch is one piece. Parameters and tags, of which the server
/// may refuse one, come first.
pub(super) fn pieces<'a>(run_id: &'a str, batch: &RunBatch) -> Vec<Batch<'a>> {
    let mut pieces = Vec::new();
    let (mut params, mut tags) = (chunks(&batch.params, MAX_PARAMS), chunks(&batch.tags, MAX_TAGS));
    let mut metrics = batch.metrics.iter();
    loop {
        let mut piece = Batch { run_id, ..Batch::default() };
        piece.params = params.next().unwrap_or_default();
        piece.tags = tags.next().unwrap_or_default();
        let room = MAX_ENTRIES - piece.params.len() - piece.tags.len();
        piece.metrics = metrics.by_ref().take(room).map(MetricMessage::from).collect();
        if piece.params.is_empty() && piece.tags.is_empty() && piece.metrics.is_empty() && !pieces.is_empty()
        {
            return pieces;
        }
        pieces.push(piece);
    }
}

fn chunks(entries: &Tags, size: usize) -> std::vec::IntoIter<Vec<Pair>> {
    let all = pairs(entries);
    let mut chunks: Vec<Vec<Pair>> = Vec::new();
    for pair in all {
        match chunks.last_mut() {
            Some(last) if last.len() < size => last.push(pair),
            _ => chunks.push(vec![pair]),
        }
    }
    chunks.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_cut_into_what_the_server_takes_and_nothing_is_lost() {
        let mut batch = RunBatch::new();
        for at in 0..250 {
            batch = batch.param(format!("p{at:03}"), at).tag(format!("t{at:03}"), "x");
        }
        for at in 0..2_500 {
            batch = batch.metric(format!("m{at}"), f64::from(at));
        }
        let cut = pieces("r", &batch);
        assert!(cut.iter().all(|piece| piece.params.len() <= MAX_PARAMS && piece.tags.len() <= MAX_TAGS));
        assert!(
            cut.iter()
                .all(|piece| piece.params.len() + piece.tags.len() + piece.metrics.len() <= MAX_ENTRIES)
        );
        let total = |count: fn(&Batch<'_>) -> usize| cut.iter().map(count).sum::<usize>();
        assert_eq!(
            (total(|it| it.params.len()), total(|it| it.tags.len()), total(|it| it.metrics.len())),
            (250, 250, 2_500)
        );
    }

    #[test]
    fn an_empty_batch_still_asks_whether_the_run_can_be_written() {
        assert_eq!(pieces("r", &RunBatch::new()).len(), 1);
    }
}
