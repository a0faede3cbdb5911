//! Endpoints in this process that do what a test's script says.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use martello_balancer::{Balance, policy::Policy};
use tower::{Service, util::BoxCloneSyncService};

/// A request is its own number.
pub(crate) type Endpoint = BoxCloneSyncService<u64, (usize, u64), String>;

/// What an endpoint does with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Answer,
    AnswerAfter(Duration),
    Fail,
    FailAfter(Duration),
    NeverAnswer,
}

/// Counts what reached an endpoint.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reached(Arc<AtomicU64>);

impl Reached {
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Returns an endpoint that acts on its `n`th request (from 0) as `script(n)` says and answers with its
/// own index and the request.
pub(crate) fn endpoint(
    index: usize,
    script: impl Fn(u64) -> Act + Send + Sync + 'static,
) -> (Endpoint, Reached) {
    let reached = Reached::default();
    let (script, count) = (Arc::new(script), reached.clone());
    let service = tower::service_fn(move |request: u64| {
        let act = script(count.0.fetch_add(1, Ordering::SeqCst));
        async move {
            match act {
                Act::Answer => Ok((index, request)),
                Act::AnswerAfter(wait) => {
                    tokio::time::sleep(wait).await;
                    Ok((index, request))
                }
                Act::Fail => Err(format!("endpoint {index} failed")),
                Act::FailAfter(wait) => {
                    tokio::time::sleep(wait).await;
                    Err(format!("endpoint {index} failed late"))
                }
                Act::NeverAnswer => std::future::pending().await,
            }
        }
    });
    (BoxCloneSyncService::new(service), reached)
}

/// Calls a balance once.
pub(crate) async fn ask<P, C>(
    balance: &Balance<Endpoint, P, C>,
    request: u64,
) -> Result<(usize, u64), martello_balancer::BalanceError<String>>
where
    P: Policy,
    C: martello_balancer::Protocol<u64, (usize, u64), String>,
{
    balance.clone().call(request).await
}
