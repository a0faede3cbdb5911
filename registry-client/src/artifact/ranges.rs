//! Downloads in ranges over several connections, handed out in order; a part that breaks off is asked for again where it broke.
//!
//! [RFC 9110, section 14](https://www.rfc-editor.org/rfc/rfc9110#section-14) has the ranges, and its entity tags tell whether all of
//! them are of one file.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_util::stream;
use http::header::{CONTENT_RANGE, ETAG};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::under_way::UnderWay;
use crate::http::Reply;
use crate::{BoxFuture, ByteStream, Error, ErrorKind, Result};

/// How many parts are on their way at a time: as many as `mlflow server` has workers, unless it is told otherwise.
const PARALLEL_PARTS: usize = 4;

/// How often in a row a part is taken up again with nothing in between: each time has retries of its own.
const MAX_RESUMPTIONS: u32 = 3;

/// How much of a part is handed out at once: each piece wakes two threads.
const PIECE_BYTES: usize = 1 << 20;

/// Whoever can be asked for some bytes of one file.
pub(super) trait Ranges: Send + Sync + 'static {
    /// Asks for a range; the answer may be anything that a server says to that.
    fn ask(&self, range: Range<u64>) -> BoxFuture<'_, Result<Reply>>;

    /// What is being read, for errors: `download 0/r/artifacts/model/weights.bin`.
    fn doing(&self) -> Arc<str>;

    /// How long nothing may come.
    fn idle_timeout(&self) -> Duration;
}

/// How a server answers who asks for the first part of a file.
pub(super) enum Opened {
    /// These are the file's bytes.
    Bytes(ByteStream),
    /// It knows ranges, but not whether they are of one file: what it sends has a new tag each time, or none.
    Fickle,
}

/// What an answer says about the file that it is a part of.
#[derive(Clone, PartialEq, Eq)]
struct Tagged {
    tag: HeaderValue,
    size: u64,
}

/// Opens a file, in parts of this size if the server can.
pub(super) async fn open(source: Arc<dyn Ranges>, part_bytes: u64) -> Result<Opened> {
    let part_bytes = part_bytes.max(1);
    let first = source.ask(0..part_bytes).await?;
    if first.status != StatusCode::PARTIAL_CONTENT {
        return Ok(Opened::Bytes(first.into_stream(source.doing(), source.idle_timeout())));
    }
    let Some((file, came)) = read_head(&first.headers) else { return Ok(Opened::Fickle) };
    if came == (0..file.size) {
        return Ok(Opened::Bytes(first.into_stream(source.doing(), source.idle_timeout())));
    }
    if came != (0..part_bytes) {
        return Ok(Opened::Fickle);
    }
    let next = part_bytes..part_bytes.saturating_mul(2).min(file.size);
    let second = source.ask(next.clone()).await?;
    if second.status != StatusCode::PARTIAL_CONTENT
        || read_head(&second.headers) != Some((file.clone(), next.clone()))
    {
        return Ok(Opened::Fickle);
    }
    let mut download =
        Download { source, file, part_bytes, under_way: VecDeque::new(), unasked: 0, ready: Bytes::new() };
    download.begin(came, Some(first));
    download.begin(next, Some(second));
    download.ask();
    Ok(Opened::Bytes(download.into_stream()))
}

/// A download under way: one part is handed out, the next ones are on their way into memory.
struct Download {
    source: Arc<dyn Ranges>,
    file: Tagged,
    part_bytes: u64,
    under_way: VecDeque<UnderWay>,
    /// Where the next part begins that nobody has asked for.
    unasked: u64,
    /// What came of the last part.
    ready: Bytes,
}

impl Download {
    fn into_stream(self) -> ByteStream {
        Box::pin(stream::unfold(Some(self), |download| async move {
            let mut download = download?;
            match download.next().await {
                Ok(Some(piece)) => Some((Ok(piece), Some(download))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        }))
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.ready.is_empty() {
            let Some(part) = self.under_way.pop_front() else { return Ok(None) };
            self.ready = part.bytes().await?;
            self.ask();
        }
        Ok(Some(self.ready.split_to(PIECE_BYTES.min(self.ready.len()))))
    }

    /// Asks for the parts that may be on their way now.
    fn ask(&mut self) {
        while self.unasked < self.file.size && self.under_way.len() < PARALLEL_PARTS {
            let end = self.unasked.saturating_add(self.part_bytes).min(self.file.size);
            self.begin(self.unasked..end, None);
        }
    }

    fn begin(&mut self, range: Range<u64>, answer: Option<Reply>) {
        self.unasked = range.end;
        let part = read_part(self.source.clone(), self.file.clone(), range, answer);
        self.under_way.push_back(UnderWay::begin(part));
    }
}

/// Returns all bytes of a range, beginning with an answer that is there already.
async fn read_part(
    source: Arc<dyn Ranges>,
    file: Tagged,
    range: Range<u64>,
    mut answer: Option<Reply>,
) -> Result<Bytes> {
    let wanted = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
    // Copied, since a piece keeps the whole buffer that it was read into.
    let mut bytes = BytesMut::with_capacity(wanted);
    let mut resumptions = 0;
    loop {
        let before = bytes.len();
        let rest = range.start + before as u64..range.end;
        let reply = match answer.take() {
            Some(reply) => reply,
            None => source.ask(rest.clone()).await?,
        };
        if reply.status != StatusCode::PARTIAL_CONTENT
            || read_head(&reply.headers) != Some((file.clone(), rest))
        {
            return Err(Error::integrity(format!(
                "cannot {}: the file changed while it was read",
                source.doing()
            )));
        }
        let broke_off =
            fill(&mut bytes, reply.into_stream(source.doing(), source.idle_timeout()), wanted).await;
        if bytes.len() == wanted {
            return Ok(bytes.freeze());
        }
        resumptions = if bytes.len() > before { 0 } else { resumptions + 1 };
        if resumptions > MAX_RESUMPTIONS {
            let message = format!("cannot {}: it breaks off again and again", source.doing());
            let error = Error::new(ErrorKind::Unavailable, message);
            return Err(match broke_off {
                Err(cause) => error.with_source(cause),
                Ok(()) => error,
            });
        }
        tracing::debug!(doing = %source.doing(), at = range.start + bytes.len() as u64, "the transfer broke off, asking for the rest");
    }
}

/// Reads until there is as much as wanted, the stream ends, or it breaks off.
async fn fill(bytes: &mut BytesMut, mut stream: ByteStream, wanted: usize) -> Result<()> {
    while let Some(piece) = next(&mut stream).await.transpose()? {
        let left = wanted - bytes.len();
        bytes.extend_from_slice(&piece[..left.min(piece.len())]);
    }
    Ok(())
}

async fn next(stream: &mut ByteStream) -> Option<Result<Bytes>> {
    poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx)).await
}

/// Reads which file an answer is a part of, and which part; nothing where that cannot be told.
fn read_head(headers: &HeaderMap) -> Option<(Tagged, Range<u64>)> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok();
    let tag = headers.get(ETAG).filter(|tag| !tag.as_bytes().starts_with(b"W/"))?.clone();
    let (range, size) = text(CONTENT_RANGE)?.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    Some((Tagged { tag, size: size.parse().ok()? }, first..last.checked_add(1)?))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::http::ReplyBody;

    const PART: u64 = 10;

    /// A server that answers in its own way: the range, and how often it was asked before.
    struct Server<F>(F, AtomicUsize);

    impl<F: Fn(Range<u64>, usize) -> Reply + Send + Sync + 'static> Ranges for Server<F> {
        fn ask(&self, range: Range<u64>) -> BoxFuture<'_, Result<Reply>> {
            let reply = (self.0)(range, self.1.fetch_add(1, Ordering::Relaxed));
            Box::pin(async move { Ok(reply) })
        }

        fn doing(&self) -> Arc<str> {
            "download it".into()
        }

        fn idle_timeout(&self) -> Duration {
            Duration::from_secs(1)
        }
    }

    fn content(size: u64) -> Vec<u8> {
        (0..size).map(|at| at as u8).collect()
    }

    fn whole(size: u64) -> Reply {
        Reply {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: ReplyBody::Whole(content(size).into()),
        }
    }

    /// Announces a range, and sends the first `sent` bytes of it.
    fn part(range: Range<u64>, size: u64, tag: &str, sent: usize) -> Reply {
        let range = range.start..range.end.min(size);
        let mut headers = HeaderMap::new();
        headers.insert(ETAG, tag.parse().unwrap());
        let announced = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        headers.insert(CONTENT_RANGE, announced.parse().unwrap());
        let mut bytes = content(size)[range.start as usize..range.end as usize].to_vec();
        bytes.truncate(sent);
        Reply { status: StatusCode::PARTIAL_CONTENT, headers, body: ReplyBody::Whole(bytes.into()) }
    }

    async fn read(
        answer: impl Fn(Range<u64>, usize) -> Reply + Send + Sync + 'static,
    ) -> Option<Result<Vec<u8>>> {
        let opened = open(Arc::new(Server(answer, AtomicUsize::new(0))), PART).await.unwrap();
        let Opened::Bytes(mut stream) = opened else { return None };
        let mut all = Vec::new();
        while let Some(piece) = next(&mut stream).await {
            match piece {
                Ok(piece) => all.extend_from_slice(&piece),
                Err(error) => return Some(Err(error)),
            }
        }
        Some(Ok(all))
    }

    #[tokio::test]
    async fn a_file_comes_whole_and_in_order_whatever_its_size() {
        for size in [1, PART - 1, PART, PART + 1, 2 * PART, 7 * PART + 3] {
            let read = read(move |range, _| part(range, size, "\"1\"", usize::MAX)).await;
            assert_eq!(read.unwrap().unwrap(), content(size), "{size}");
        }
    }

    #[tokio::test]
    async fn a_server_without_ranges_sends_it_whole() {
        assert_eq!(read(|_, _| whole(35)).await.unwrap().unwrap(), content(35));
    }

    #[tokio::test]
    async fn a_server_that_cannot_tell_what_its_ranges_are_of_is_not_asked_for_them() {
        assert!(read(|range, nth| part(range, 35, &format!("\"{nth}\""), usize::MAX)).await.is_none());
        assert!(read(|range, _| part(range, 35, "W/\"1\"", usize::MAX)).await.is_none());
        let at_first = |range, nth| if nth == 0 { part(range, 35, "\"1\"", usize::MAX) } else { whole(35) };
        assert!(read(at_first).await.is_none());
    }

    #[tokio::test]
    async fn a_part_that_breaks_off_goes_on_where_it_broke() {
        let read = read(|range, _| part(range, 35, "\"1\"", 3)).await;
        assert_eq!(read.unwrap().unwrap(), content(35));
    }

    #[tokio::test]
    async fn a_part_that_never_comes_and_a_file_that_is_replaced_are_errors() {
        let silent = read(|range, nth| part(range, 35, "\"1\"", if nth < 2 { 10 } else { 0 })).await;
        assert_eq!(silent.unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
        let tag = |nth| if nth < 2 { "\"1\"" } else { "\"2\"" };
        let replaced = read(move |range, nth| part(range, 35, tag(nth), usize::MAX)).await;
        assert_eq!(replaced.unwrap().unwrap_err().kind(), ErrorKind::Integrity);
    }
}
