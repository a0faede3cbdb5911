//! What a replica tells of itself, besides its answers.

use clap::{ArgAction, Args};
use martello_serving::layers::access_log::AccessLog;
use martello_serving::layers::observe::ObserveLayer;
use martello_serving::layers::orca::Orca;

/// What goes into logs and headers. The defaults are what costs next to nothing.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Observation")]
pub(super) struct ObserveArgs {
    /// Log a line for every answer, on standard error.
    #[arg(long, env = "MARTELLO_ACCESS_LOG")]
    access_log: bool,
    /// Give every request an id, which its answer and its log lines carry, and a span of the trace that it belongs to. A
    /// collector for spans turns it on.
    #[arg(long, env = "MARTELLO_REQUEST_IDS")]
    pub(super) request_ids: bool,
    /// Tell in every answer how busy the replica is (ORCA's endpoint-load-metrics), for balancers that weigh.
    #[arg(long, env = "MARTELLO_LOAD_REPORT", value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    load_report: bool,
}

impl ObserveArgs {
    pub(super) fn access_log(&self) -> ObserveLayer<Option<AccessLog>> {
        ObserveLayer::with(self.access_log.then_some(AccessLog))
    }

    pub(super) fn load_report(&self) -> ObserveLayer<Option<Orca>> {
        ObserveLayer::with(self.load_report.then(Orca::default))
    }
}
