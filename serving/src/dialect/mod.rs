//! The dialects in which a prediction can be asked for: each reads a body into a batch and writes the answer.

pub mod predict;
