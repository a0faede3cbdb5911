//! Uploads that pass the server by: it presigns the parts, they go to the storage behind it, and it puts them together.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, header};
use serde::{Deserialize, Serialize};

use super::place::{Place, Step, patience};
use super::storage::{Presigned, Storage, Storages};
use crate::artifact::promise::Kept;
use crate::artifact::source::{Cut, Source, send_parts};
use crate::http::{Call, Payload, Safety};
use crate::{Content, Digest, Error, ErrorKind, Result};

/// How many parts are on their way, and in memory, at a time.
const PARALLEL_PARTS: usize = 4;

/// S3 takes no more parts.
const MAX_PARTS: u64 = 10_000;

/// How an upload ended that did not fail.
pub(super) enum Sent {
    /// The storage has it.
    Whole(Digest),
    /// The storage has all parts, and whether they were put together nobody knows: the artifact itself must tell.
    Unsure(Digest, Box<Unfinished>, Error),
    /// Nothing was sent: this server cannot do it, or its storage cannot be reached from here.
    NotThisWay,
}

#[derive(Serialize)]
struct Create<'a> {
    path: &'a str,
    num_parts: u64,
}

#[derive(Deserialize)]
struct Created {
    upload_id: Option<String>,
    #[serde(default)]
    credentials: Vec<Credential>,
}

#[derive(Deserialize)]
struct Credential {
    part_number: u64,
    #[serde(flatten)]
    signed: Presigned,
}

#[derive(Serialize)]
struct Complete<'a> {
    path: &'a str,
    upload_id: &'a Option<String>,
    parts: &'a [Part],
}

/// A part that the storage has. Azure's are known by their URI, the others by their tag.
#[derive(Serialize)]
struct Part {
    part_number: u64,
    etag: String,
    url: String,
}

#[derive(Serialize)]
struct Abort<'a> {
    path: &'a str,
    upload_id: &'a Option<String>,
}

/// An upload whose parts are not put together. Dropped, it tells the server to forget them.
pub(super) struct Unfinished {
    place: Place,
    id: Option<String>,
    over: bool,
}

/// Sends a file in parts of this size, and returns the checksum of what was sent.
pub(super) async fn upload(
    place: &Place,
    storages: &Storages,
    content: Content,
    kept: &Kept,
    part_bytes: u64,
) -> Result<Sent> {
    if !place.path.contains('/') {
        // The server has no address for an upload into no folder.
        return Ok(Sent::NotThisWay);
    }
    let part_bytes = part_bytes.max(kept.size.div_ceil(MAX_PARTS)).max(1);
    let Some((unfinished, credentials)) = begin(place, kept.size.div_ceil(part_bytes).max(1)).await? else {
        return Ok(Sent::NotThisWay);
    };
    let storage = match credentials.first() {
        Some(first) => storages.of(&first.signed)?,
        None => None,
    };
    let Some(storage) = storage else {
        unfinished.abort().await;
        return Ok(Sent::NotThisWay);
    };
    let cut = Cut { size: kept.size, part_bytes, parallel: PARALLEL_PARTS };
    let (digest, parts) = match send_all(place, &storage, credentials, content, cut, kept).await {
        Ok(sent) => sent,
        Err(error) => {
            unfinished.abort().await;
            return if storage.is_out_of_reach(&error) { Ok(Sent::NotThisWay) } else { Err(error) };
        }
    };
    match unfinished.complete(&parts).await {
        Ok(()) => Ok(Sent::Whole(digest)),
        Err((unfinished, error)) => Ok(Sent::Unsure(digest, Box::new(unfinished), error)),
    }
}

/// Asks for an upload in so many parts; nothing where the server's storage takes none.
async fn begin(place: &Place, num_parts: u64) -> Result<Option<(Unfinished, Vec<Credential>)>> {
    let created = match place.step(Step::Create, &Create { path: name(place), num_parts }).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => return Ok(None),
        created => created?.into_bytes(),
    };
    let created: Created = serde_json::from_slice(&created).map_err(|_| {
        // The parser's message may quote a URI.
        Error::new(
            ErrorKind::Protocol,
            format!("cannot upload {}: the server presigned it in a way unknown here", place.path),
        )
    })?;
    let unfinished = Unfinished { place: place.clone(), id: created.upload_id, over: false };
    Ok(Some((unfinished, created.credentials)))
}

async fn send_all(
    place: &Place,
    storage: &Storage,
    credentials: Vec<Credential>,
    content: Content,
    cut: Cut,
    kept: &Kept,
) -> Result<(Digest, Vec<Part>)> {
    let mut source = Source::open(content).await?;
    let mut credentials = credentials.into_iter();
    let send = |_, bytes| send_part(place, storage, credentials.next(), bytes);
    let mut parts = send_parts(&mut source, cut, send).await?;
    // Before the parts are put together: until then nobody sees them.
    let digest = source.finish(&place.path, kept).await?;
    parts.sort_by_key(|part| part.part_number);
    Ok((digest, parts))
}

async fn send_part(
    place: &Place,
    storage: &Storage,
    credential: Option<Credential>,
    bytes: Bytes,
) -> Result<Part> {
    let Some(Credential { part_number, signed }) = credential else {
        let message =
            format!("cannot upload {}: the server presigned fewer parts than it was asked for", place.path);
        return Err(Error::new(ErrorKind::Protocol, message));
    };
    let doing: Arc<str> = format!("upload part {part_number} of {}", place.path).into();
    let (target, size) = (signed.target()?, bytes.len() as u64);
    let mut call = Call::new(doing, Method::PUT, target, Payload::Memory(bytes), Safety::Repeatable);
    call.headers = signed.headers()?;
    call.extra_patience = patience(size);
    let reply = storage.send(call).await?;
    let etag =
        reply.headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()).unwrap_or_default().to_owned();
    Ok(Part { part_number, etag, url: signed.url().to_owned() })
}

/// Returns the file's name: the server is told nothing else of where it is here.
fn name(place: &Place) -> &str {
    place.path.rsplit('/').next().unwrap_or_default()
}

impl Unfinished {
    async fn complete(mut self, parts: &[Part]) -> Result<(), (Self, Error)> {
        let complete = Complete { path: name(&self.place), upload_id: &self.id, parts };
        match self.place.step(Step::Complete, &complete).await {
            Ok(_) => {
                self.over = true;
                Ok(())
            }
            Err(error) => Err((self, error)),
        }
    }

    /// Takes note that the parts were put together after all.
    pub(super) fn ended(mut self) {
        self.over = true;
    }

    /// Tells the server to forget the parts; what it cannot be told now, the storage's rules for unfinished uploads must tidy.
    pub(super) async fn abort(mut self) {
        self.over = true;
        abort(self.place.clone(), self.id.clone()).await;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let (false, Ok(runtime)) = (self.over, tokio::runtime::Handle::try_current()) {
            runtime.spawn(abort(self.place.clone(), self.id.take()));
        }
    }
}

async fn abort(place: Place, id: Option<String>) {
    let body = Abort { path: name(&place), upload_id: &id };
    if let Err(error) = place.step(Step::Abort, &body).await {
        tracing::warn!(%error, "parts of an upload stay in the storage behind the server");
    }
}
