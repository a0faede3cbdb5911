//! Model serving with replicas.
