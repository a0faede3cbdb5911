//! One file a command: its arguments, and the library call that they become.

pub(crate) mod balance;
pub(crate) mod capacity;
pub(crate) mod healthcheck;
pub(crate) mod load;
pub(crate) mod registry;
pub(crate) mod serve;
pub(crate) mod train;
pub(crate) mod up;
