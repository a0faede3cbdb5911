//! The end of the stack: one attempt over hyper's pooled client.

use std::error::Error as StdError;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use tower::Service;

use super::connector::Client;
use super::decode::decode;
use super::failure::Reach;
use super::reply::{Reply, ReplyBody};
use super::{Answer, Call, Failure, Server};
use crate::store::BoxFuture;
use crate::{Error, ErrorKind};

/// How much of an error's body is read at all.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// Sends calls to one server.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    client: Client,
    server: Arc<Server>,
}

impl Wire {
    pub(crate) fn new(client: Client, server: Arc<Server>) -> Self {
        Self { client, server }
    }
}

impl Service<Call> for Wire {
    type Response = Reply;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<Reply, Failure>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        Box::pin(attempt(self.client.clone(), self.server.clone(), call))
    }
}

async fn attempt(client: Client, server: Arc<Server>, call: Call) -> Result<Reply, Failure> {
    let uri = server.uri(&call.target).map_err(Failure::lasting)?;
    let body = call.payload.open().await.map_err(Failure::lasting)?;
    let mut request = http::Request::new(body);
    *request.method_mut() = call.method.clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = call.headers.clone();
    let response = client.request(request).await.map_err(|error| unreachable(&call, &server, error))?;
    let (head, body) = response.into_parts();
    if !head.status.is_success() {
        let text = collect(&call, body, MAX_ERROR_BYTES).await.unwrap_or_default();
        return Err(decode(&call.doing, head.status, &head.headers, &text));
    }
    let body = match call.answer {
        Answer::Whole(limit) => ReplyBody::Whole(collect(&call, body, limit).await?),
        Answer::Stream => ReplyBody::Stream(body),
    };
    Ok(Reply { status: head.status, headers: head.headers, body })
}

async fn collect(call: &Call, body: Incoming, limit: usize) -> Result<Bytes, Failure> {
    match Limited::new(body, limit).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("cannot {}: the answer is larger than {limit} bytes", call.doing);
            Err(Failure::lasting(Error::new(ErrorKind::Protocol, message)))
        }
        Err(error) => {
            let message = format!("cannot {}: the answer broke off before its end", call.doing);
            let error = Error::new(ErrorKind::Unavailable, message).with_source(error);
            Err(Failure::passing(error, Reach::Unknown))
        }
    }
}

fn unreachable(call: &Call, server: &Server, error: hyper_util::client::legacy::Error) -> Failure {
    if let Some(local) = find::<Error>(&error) {
        // What was to be sent is at fault, not the way or the server.
        let message = format!("cannot {}: the file cannot be sent as it was announced", call.doing);
        return Failure::lasting(Error::new(local.kind(), message).with_source(error));
    }
    if error.is_connect() {
        let message = format!("cannot {}: cannot connect to {server}", call.doing);
        let is_tls = find::<rustls::Error>(&error).is_some();
        let error = Error::new(ErrorKind::Unavailable, message).with_source(error);
        // A certificate that is wrong now is wrong in a second.
        return Failure { transient: !is_tls, ..Failure::passing(error, Reach::NotProcessed) };
    }
    let message = format!("cannot {}: lost the connection to {server}", call.doing);
    Failure::passing(Error::new(ErrorKind::Unavailable, message).with_source(error), Reach::Unknown)
}

/// Looks for a cause of this type, inside I/O errors as well, which hide theirs from `source`.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
