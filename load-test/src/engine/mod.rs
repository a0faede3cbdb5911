//! The machinery that sends a plan's requests and measures them.
//!
//! One task per user drives its own connection, so that an answer wakes exactly one task.

mod conductor;
mod connection;
mod exchange;
mod ledger;
mod orders;
mod outstanding;
mod pacer;
mod pool;
mod session;
mod source;
mod staircase;
mod users;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tokio::sync::watch;

use crate::engine::outstanding::Outstanding;
use crate::error::Result;
use crate::plan::{Checked, Goal, Plan};
use crate::record::Recorder;
use crate::report::Report;
use crate::tick::Progress;
use crate::usage::Meter;

pub(crate) use ledger::{FailureSpan, FailureSpans, HistoryRow, StepRecord};
#[cfg(feature = "histogram-log")]
pub(crate) use ledger::{Holding, Ledger};

/// What all users of one run share.
#[derive(Debug)]
struct Shared {
    plan: Arc<Checked>,
    /// By target.
    addresses: Vec<Vec<SocketAddr>>,
    recorder: Recorder,
    at_work: AtomicUsize,
    outstanding: Outstanding,
}

pub(crate) async fn conduct(
    plan: &Plan,
    stop: impl Future<Output = ()>,
    goals: Option<watch::Receiver<Goal>>,
    on_second: impl FnMut(&Progress<'_>),
) -> Result<Report> {
    let preflight = plan.preflight()?;
    preflight.warnings().iter().for_each(|warning| tracing::debug!("{warning}"));
    let mut addresses = Vec::with_capacity(plan.0.aims.len());
    for aim in &plan.0.aims {
        addresses.push(aim.target.resolve().await?);
    }
    let mut meters = vec![Meter::own()];
    for pid in &plan.0.watched {
        meters.push(Meter::of(*pid)?);
    }
    let shared = Arc::new(Shared {
        plan: Arc::clone(&plan.0),
        addresses,
        recorder: Recorder::new(plan.0.requests().len()),
        at_work: AtomicUsize::new(0),
        outstanding: Outstanding::default(),
    });
    let measured = conductor::Conductor::new(shared, meters, goals, on_second).run(stop).await;
    Ok(Report::new(&plan.0, measured, preflight.into_warnings()))
}
