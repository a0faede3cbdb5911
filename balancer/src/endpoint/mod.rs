//! A remote replica as a tower service: a pool of connections and one exchange at a time on each.

mod config;

pub use config::EndpointConfig;
