//! Where an artifact is: which server, and the path below its root; and what can be asked of it there.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::artifact::ranges::{self, Opened, Ranges};
use crate::http::{Answer, Call, Http, Payload, Reply, Safety, ServerAnswer, Target};
use crate::{BoxFuture, ByteStream, Error, Result};

pub(super) const ARTIFACTS: &str = "/api/2.0/mlflow-artifacts/artifacts";

/// Where uploads in parts are begun and ended.
const MULTIPART: &str = "/api/2.0/mlflow-artifacts/mpu";

/// A transfer slower than this many bytes a second counts as dead: a tenth of a slow office line. The server fetches a whole
/// object from its storage before it sends the first byte (512 MiB: 4.6 s measured on a local one).
const MIN_BYTES_PER_SECOND: u64 = 128 << 10;

/// How much is asked for at once. 16 MiB: each question costs a server of MLflow 3 ms, and each answer that is awaited this much memory. 500 MB
/// came in 1.3 s; in parts of 8 MiB in 1.5 s, of 4 MiB in 1.8 s, as one stream in 2.1 s, and Python's client took 2.4 s.
pub(super) const PART_BYTES: u64 = 16 << 20;

/// An artifact behind a server.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) http: Http,
    pub(super) path: String,
}

/// What is asked about an upload in parts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Create,
    Complete,
    Abort,
}

impl Place {
    /// Sends the artifact as one stream.
    pub(super) async fn put(&self, payload: Payload) -> Result<()> {
        let doing = format!("upload {}", self.path);
        let extra = patience(payload.len());
        let mut call = Call::new(
            doing,
            Method::PUT,
            Target::new(ARTIFACTS).path(&self.path),
            payload,
            Safety::Repeatable,
        );
        call.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        call.extra_patience = extra;
        self.http.send(call).await.map(drop)
    }

    /// Opens the artifact: in parts, several at a time, where the server has it as a file of its own.
    pub(super) async fn open(&self) -> Result<ByteStream> {
        match ranges::open(Arc::new(self.clone()), PART_BYTES).await {
            Ok(Opened::Bytes(stream)) => Ok(stream),
            Ok(Opened::Fickle) => self.open_whole(Duration::ZERO).await,
            // An empty file has no first byte.
            Err(error) if status(&error) == Some(StatusCode::RANGE_NOT_SATISFIABLE.as_u16()) => {
                self.open_whole(Duration::ZERO).await
            }
            Err(error) => Err(error),
        }
    }

    /// Opens the artifact as one stream; the server may take so much longer than usual before it begins.
    pub(super) async fn open_whole(&self, extra: Duration) -> Result<ByteStream> {
        let mut call = self.download();
        call.extra_patience = extra;
        let reply = self.http.send(call).await?;
        Ok(reply.into_stream(self.doing(), self.http.options().idle_timeout))
    }

    /// Asks something about the artifact as JSON; `at` is the function's address.
    pub(super) async fn ask_json<T: DeserializeOwned>(&self, doing: &str, at: &str) -> Result<T> {
        let doing = format!("{doing} {}", self.path);
        self.http.json(Call::get(doing, Target::new(at).path(&self.path))).await
    }

    /// Takes a step of an upload in parts. The server wants the folder in the address and the file in the body.
    pub(super) async fn step(&self, step: Step, body: &(impl Serialize + Sync)) -> Result<Reply> {
        let folder = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let doing = format!("{step} {}", self.path);
        let body = serde_json::to_vec(body)
            .map_err(|e| Error::invalid(format!("cannot {doing}: it makes no JSON")).with_source(e))?;
        let target = Target::new(format!("{MULTIPART}/{}", step.name())).path(folder);
        let mut call =
            Call::new(doing, Method::POST, target, Payload::Memory(body.into()), Safety::Repeatable);
        call.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.http.send(call).await
    }

    fn download(&self) -> Call {
        let mut call = Call::get(self.doing(), Target::new(ARTIFACTS).path(&self.path));
        call.answer = Answer::Stream;
        call
    }
}

impl Ranges for Place {
    fn ask(&self, range: Range<u64>) -> BoxFuture<'_, Result<Reply>> {
        Box::pin(async move {
            let mut call = self.download();
            call.headers.insert(header::RANGE, range_header(&range)?);
            self.http.send(call).await
        })
    }

    fn doing(&self) -> Arc<str> {
        format!("download {}", self.path).into()
    }

    fn idle_timeout(&self) -> Duration {
        self.http.options().idle_timeout
    }
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Complete => "complete",
            Self::Abort => "abort",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "begin to upload",
            Self::Complete => "finish uploading",
            Self::Abort => "give up uploading",
        })
    }
}

/// Returns how much longer than other calls one may take that moves so many bytes.
pub(super) fn patience(bytes: u64) -> Duration {
    Duration::from_secs(bytes / MIN_BYTES_PER_SECOND)
}

/// Returns the status that an error was answered with.
pub(super) fn status(error: &Error) -> Option<u16> {
    std::error::Error::source(error)?.downcast_ref::<ServerAnswer>().map(ServerAnswer::status)
}

pub(super) fn range_header(range: &Range<u64>) -> Result<HeaderValue> {
    HeaderValue::try_from(format!("bytes={}-{}", range.start, range.end.saturating_sub(1)))
        .map_err(|e| Error::invalid("a range makes no header").with_source(e))
}
