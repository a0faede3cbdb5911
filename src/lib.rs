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

/// What a program that uses all of Martello needs at hand: `use martello::prelude::*`.
///
/// Names that two crates share are left out, such as `Error` and `Limits`: reach them through the crate, which the prelude
/// brings into scope under its short name.
pub mod prelude {
    pub use crate::model_core::engine::{LinearRegression, LogisticRegression};
    pub use crate::model_core::preprocessing::Encoder;
    pub use crate::model_core::{
        self, Batch, Cell, Column, DataType, Model, NativeModel, Prediction, Predictions, Signature,
    };

    #[cfg(feature = "balancer")]
    pub use crate::balancer::{self, Balance, Balancer, policy::RoundRobin};
    #[cfg(feature = "load-test")]
    pub use crate::load_test::{self, Plan, RequestTemplate, ThinkTime};
    #[cfg(feature = "registry")]
    pub use crate::registry::{self, Cache, ModelUri, Registry, Stage};
    #[cfg(feature = "serving")]
    pub use crate::serving::{self, Predict, Replica, ServedModel, Slot};
    #[cfg(feature = "trainer")]
    pub use crate::trainer::{self, Dataset, Outcome, TrainingJob};
}
