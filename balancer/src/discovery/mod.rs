//! Where the endpoints are: a fixed list, a name that is looked up again and again, or a source of your
//! own.
//!
//! A source tells the whole set whenever it changes ([`Discover`]); [`follow`] makes the difference to a
//! set of endpoints. Newcomers are in before leavers are out, and leavers drain.
//!
//! ```
//! use std::{net::SocketAddr, time::Duration};
//! use martello_balancer::{Balance, discovery::{Discover, follow}, policy::RoundRobin};
//!
//! /// Reads the endpoints from a file whenever it changes.
//! struct FromFile { path: std::path::PathBuf, last: String }
//!
//! impl Discover for FromFile {
//!     type Endpoint = SocketAddr;
//!     async fn next(&mut self) -> Option<Vec<SocketAddr>> {
//!         loop {
//!             let text = std::fs::read_to_string(&self.path).unwrap_or_default();
//!             if text != self.last {
//!                 self.last = text;
//!                 return Some(self.last.lines().filter_map(|line| line.parse().ok()).collect());
//!             }
//!             tokio::time::sleep(Duration::from_secs(1)).await;
//!         }
//!     }
//! }
//! ```

mod dns;
mod follow;
#[cfg(feature = "dns")]
mod name_servers;

use std::{future::Future, num::NonZeroU16};

pub(crate) use self::follow::follow_from;
#[cfg(feature = "dns")]
pub use self::name_servers::NameServers;
pub use self::{
    dns::{Dns, Found, Resolve, SystemResolver},
    follow::{Fixed, follow},
};

/// A source of endpoints.
pub trait Discover: Send + 'static {
    /// What tells one endpoint from another, and how to reach it.
    type Endpoint: Clone + Ord + std::fmt::Display + Send;

    /// Waits for the next set of endpoints, the first time for the first one. `None` means that the last
    /// set stays for good.
    ///
    /// The future may be dropped at any time and asked for again.
    fn next(&mut self) -> impl Future<Output = Option<Vec<Self::Endpoint>>> + Send;

    /// Returns the share of the traffic that an endpoint of the last set should get, relative to the others; 1 unless
    /// the source says otherwise.
    fn weight(&self, endpoint: &Self::Endpoint) -> NonZeroU16 {
        let _ = endpoint;
        NonZeroU16::MIN
    }
}
