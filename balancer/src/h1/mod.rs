//! HTTP/1.1 on the wire, both sides: heads, framing, limits and strictness in one place (RFC 9112).

mod body;
mod limits;

pub use body::Body;
pub use limits::Limits;
