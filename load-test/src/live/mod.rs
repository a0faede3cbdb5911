//! The live page, as Locust's users know it: start, stop, change the users while the test runs, watch, download.

mod control;
mod page;
mod routes;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::error::{Error, ErrorKind, Result};
use crate::live::control::Control;
use crate::plan::{Goal, PlanBuilder};
use crate::report::Report;

/// Connections to the page at the same time: several browsers with several tabs.
const MAX_CONNECTIONS: usize = 64;

/// How long a request may take to arrive, so that a silent connection does not hold one of them.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// A server of one page from which a test is started, changed and stopped.
///
/// Everything comes out of the program; the page loads nothing from elsewhere. It has no password: let it listen on
/// a loopback address unless everybody who reaches it may start load.
#[derive(Debug)]
pub struct LivePage {
    listener: TcpListener,
    local_addr: SocketAddr,
    control: Arc<Control>,
}

impl LivePage {
    /// Checks the plan and listens on `address`; `goal` is what the page suggests for the first start.
    ///
    /// Users and run time of the plan are not used: tests run until they are stopped.
    ///
    /// # Errors
    /// Those of [`PlanBuilder::build`]; [`ErrorKind::Io`] if nobody can listen on the address.
    pub async fn bind(plan: PlanBuilder, goal: Goal, address: SocketAddr) -> Result<Self> {
        let refused =
            |error| Error::new(ErrorKind::Io, format!("cannot listen on {address}")).caused_by(error);
        let control = Arc::new(Control::new(plan.until_stopped(), goal)?);
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let local_addr = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, local_addr, control })
    }

    /// Returns the address that the page is served at.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves until `shutdown` resolves; a test that runs then is stopped. Returns the last report, if there is one.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> Option<Report> {
        let mut shutdown = std::pin::pin!(shutdown);
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let place = Arc::clone(&places).acquire_owned();
            let accepted = async { (place.await, self.listener.accept().await) };
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                (place, accepted) = accepted => {
                    // Out of descriptors, or a client that left again: the next one may fare better.
                    let Ok((stream, _)) = accepted else { tokio::time::sleep(Duration::from_millis(50)).await; continue };
                    let control = Arc::clone(&self.control);
                    connections.spawn(async move {
                        let _place = place;
                        let answer = service_fn(move |request| routes::answer(Arc::clone(&control), request));
                        let mut server = http1::Builder::new();
                        server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
                        // An error is a browser that left.
                        let _ = server.serve_connection(TokioIo::new(stream), answer).await;
                    });
                }
            }
            while connections.try_join_next().is_some() {}
        }
        self.control.finish().await
    }
}
