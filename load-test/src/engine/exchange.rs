//! One request and its answer on an open connection.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use http_body_util::Full;
use hyper::body::Incoming;

use crate::check::Check;
use crate::engine::connection::Connection;
use crate::failure::FailureKind;
use crate::record::Sample;

/// What an answer is held against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'a> {
    pub(super) check: &'a Check,
    pub(super) max_body: u64,
    pub(super) endpoint_header: &'a HeaderName,
}

/// Why an exchange failed, and whether the request certainly never left this process.
#[derive(Debug)]
pub(super) enum Fault {
    /// The connection was already over when the request came; another one may be tried.
    NotSent,
    Failed(FailureKind),
}

impl From<FailureKind> for Fault {
    fn from(kind: FailureKind) -> Self {
        Self::Failed(kind)
    }
}

/// Sends `request` and reads the answer to its end; what was seen until then is in `sample`.
pub(super) async fn exchange(
    connection: &mut Connection,
    request: Request<Full<Bytes>>,
    rules: Rules<'_>,
    sample: &mut Sample,
) -> Result<(), Fault> {
    let response = connection.send(request).await.map_err(|error| {
        // hyper cancels a request exactly when it could not begin to write it.
        if error.is_canceled() { Fault::NotSent } else { FailureKind::of_exchange(&error).into() }
    })?;
    let endpoint = response.headers().get(rules.endpoint_header);
    sample.endpoint = endpoint.and_then(|name| HeaderValue::from_bytes(name.as_bytes()).ok());
    // The fields of the head hold on to the buffer that they were read into: without them it serves the body too.
    let (status, body) = (response.status(), response.into_body());
    let kept = read_body(connection, body, rules, sample).await?;
    Ok(rules.check.judge(status, &kept)?)
}

/// Reads the body to its end, which keeps the connection usable; keeps it only if the check looks at it.
async fn read_body(
    connection: &mut Connection,
    mut body: Incoming,
    rules: Rules<'_>,
    sample: &mut Sample,
) -> Result<Vec<u8>, FailureKind> {
    let mut kept = Vec::new();
    while let Some(frame) = connection.frame(&mut body).await {
        let frame = frame.map_err(|error| FailureKind::of_exchange(&error))?;
        let Some(data) = frame.data_ref() else { continue };
        sample.bytes += data.len() as u64;
        if sample.bytes > rules.max_body {
            return Err(FailureKind::BodyTooLarge);
        }
        if rules.check.reads_the_body() {
            kept.extend_from_slice(data);
        }
    }
    Ok(kept)
}
