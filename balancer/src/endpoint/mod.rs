//! A remote replica as a tower service: a pool of connections and one exchange at a time on each.
//!
//! The task that awaits an answer also writes the request and reads the answer: there is no task per connection to
//! be woken in between. Since the codec knows which bytes the kernel took, every error says honestly how far its
//! request had come, which is what makes a retry provably safe.

mod answer;
mod config;
mod connection;
mod exchange;
mod failure;
mod held;
mod pool;
mod service;
mod under_way;

pub use config::EndpointConfig;
pub use exchange::Exchange;
pub use service::HttpEndpoint;
