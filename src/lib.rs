#![doc = include_str!("../README.md")]
//!
//! # The crates
//!
//! Each part is a crate of its own; this facade re-exports them, one feature each (all on by default).

#[doc(inline)]
pub use martello_model_core as model_core;

#[cfg(feature = "balancer")]
#[doc(inline)]
pub use martello_balancer as balancer;
#[cfg(feature = "load-test")]
#[doc(inline)]
pub use martello_load_test as load_test;
#[cfg(feature = "registry")]
#[doc(inline)]
pub use martello_registry_client as registry;
#[cfg(feature = "serving")]
#[doc(inline)]
pub use martello_serving as serving;
#[cfg(feature = "trainer")]
#[doc(inline)]
pub use martello_trainer as trainer;
