//! The codec against itself with bytes split anywhere, and against hyper's client with the same bytes.

mod answers;
mod by_hyper;

use http::{HeaderName, Method};
use proptest::prelude::*;

use crate::failure::FailureKind;
use crate::wire::properties::answers::{answers, coded, methods};
use crate::wire::{Answer, Expected};

static ENDPOINT: HeaderName = HeaderName::from_static("martello-endpoint");
const MAX_HEAD: usize = 8 * 1024;

/// Status, content and endpoint of an answer.
type Read = (u16, Vec<u8>, Option<Vec<u8>>);

/// What a client makes of some bytes after which the server first waits and then closes the connection.
#[derive(Debug, PartialEq)]
struct Outcome {
    read: Result<Read, FailureKind>,
    /// Whether that was known before the connection was closed.
    at_once: bool,
    /// Whether the connection, while it was open, could have served another request.
    reusable: bool,
}

fn ours<'b>(method: &Method, pieces: impl IntoIterator<Item = &'b [u8]>) -> Outcome {
    let (max_head, max_body) = (MAX_HEAD, u64::MAX);
    let mut answer =
        Answer::new(Expected { method, endpoint_header: &ENDPOINT, max_head, max_body, keeps_content: true });
    let mut ended = pieces.into_iter().try_for_each(|piece| answer.feed(piece));
    let at_once = ended.is_err() || answer.is_whole();
    if !at_once {
        ended = answer.close();
    }
    let reusable = at_once && ended.is_ok() && answer.leaves_the_connection_open();
    let read = ended.map(|()| {
        let endpoint = answer.endpoint().map(|name| name.as_bytes().to_vec());
        (answer.status().unwrap().as_u16(), answer.content().to_vec(), endpoint)
    });
    Outcome { read, at_once, reusable }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_same_bytes_mean_the_same_wherever_they_are_split(
        method in methods(),
        bytes in answers(),
        split in any::<prop::sample::Index>(),
    ) {
        let expected = ours(&method, [&bytes[..]]);
        prop_assert_eq!(&ours(&method, bytes.chunks(1)), &expected);
        let (first, second) = bytes.split_at(split.index(bytes.len() + 1));
        prop_assert_eq!(&ours(&method, [first, second]), &expected);
    }

    #[test]
    fn content_survives_every_framing(content in prop::collection::vec(any::<u8>(), 0..300), size in 1..40_usize) {
        let chunks: Vec<u8> = content.chunks(size).flat_map(|chunk| coded(chunk, ";x=y")).collect();
        let length = content.len();
        let framings = [
            (format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n"), content.clone(), true),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(), [&chunks[..], b"0\r\n\r\n"].concat(), true),
            ("HTTP/1.0 200 OK\r\n\r\n".to_owned(), content.clone(), false),
        ];
        for (head, body, at_once) in framings {
            let bytes = [head.as_bytes(), &body].concat();
            for length in [bytes.len(), 1, size] {
                let outcome = ours(&Method::GET, bytes.chunks(length));
                prop_assert_eq!(outcome, Outcome { read: Ok((200, content.clone(), None)), at_once, reusable: at_once });
            }
        }
    }

    /// Beside trailers that hyper refuses and this codec ignores, the two differ in three things that are not tried here: more
    /// than 100 interim answers, which hyper reads until somebody loses patience; a content-length of 2^64 - 2 and
    /// above, which hyper calls a head that is too large; and list fields that are not ASCII, which hyper overlooks.
    #[test]
    fn hypers_client_reads_the_same(method in methods(), bytes in answers()) {
        if let Some(expected) = by_hyper::read(&method, &bytes) {
            prop_assert_eq!(ours(&method, [&bytes[..]]), expected, "{}", String::from_utf8_lossy(&bytes));
        }
    }
}
