//! How much of a message is read before it is refused.

/// Limits on what comes in over one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes in a head (start line and fields). Default: 32 KiB for requests, what nginx takes in its
    /// four 8 KiB buffers; 64 KiB for answers, whose cookies may be many.
    pub head_bytes: usize,
    /// The most bytes in a request line. Default: 8 KiB, as RFC 9112 section 3 recommends at least 8,000.
    pub request_line_bytes: usize,
    /// The most fields in a head or trailer section, at most [`Limits::MAX_FIELDS`]. Default: 100, as Apache's
    /// `LimitRequestFields`.
    pub fields: usize,
    /// The most bytes in a body. Default: 10 MiB for requests, the replaced system's `client_max_body_size`;
    /// no limit for answers, which stream.
    pub body_bytes: u64,
}

impl Limits {
    /// The largest value that [`Limits::fields`] can have: parsed fields stand on the stack.
    pub const MAX_FIELDS: usize = 128;

    /// Returns the default limits on requests.
    pub const fn for_requests() -> Self {
        Self {
            head_bytes: 32 * 1024,
            request_line_bytes: 8 * 1024,
            fields: 100,
            body_bytes: 10 * 1024 * 1024,
        }
    }

    /// Returns the default limits on answers.
    pub const fn for_responses() -> Self {
        Self { head_bytes: 64 * 1024, request_line_bytes: 8 * 1024, fields: 100, body_bytes: u64::MAX }
    }
}
