//! Who may change what a replica serves.

/// Whether clients may load and unload models, by the repository extension of the Open Inference Protocol.
///
/// Whoever reaches the port could then take a model out of service: so it is off unless it is asked for, as in Triton.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Repository {
    /// Clients may list models. Loading and unloading is answered 403.
    #[default]
    ReadOnly,
    /// Clients may also take listed models out of service and put them back.
    Controlled,
}
