//! HTTP/1.1 as a client speaks it, without a socket: requests as bytes, and answers from bytes split at any place.
//!
//! A general client keeps a task, a queue and a read buffer for every connection. A generator with 10,000 connections
//! of which nearly all wait needs none of them: here an answer holds bytes of its own only while its head has arrived
//! in part, or for a check that reads the body. It reads tolerantly, as clients do, since nobody is protected by
//! strictness here; what cannot be understood at all is counted as a failure.

mod answer;
mod body;
mod chunked;
mod framing;
mod head;
#[cfg(test)]
mod properties;
mod request;

pub(crate) use answer::{Answer, Expected};
pub(crate) use request::RequestHead;
