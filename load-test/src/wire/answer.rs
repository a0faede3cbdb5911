//! One answer, from its first byte to its last.

use http::{HeaderName, HeaderValue, Method, StatusCode};

use crate::failure::FailureKind;
use crate::wire::head::Head;

/// The most interim answers (100 Continue, 103 Early Hints) before the final one: a server that works for minutes and
/// says so every few seconds stays below.
const MOST_INTERIM: usize = 100;

/// What is known of an answer before it comes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected<'a> {
    /// The method of the request, on which it depends whether there is a body.
    pub(crate) method: &'a Method,
    /// The field that names the replica which answered.
    pub(crate) endpoint_header: &'a HeaderName,
    /// The most bytes of a head.
    pub(crate) max_head: usize,
    /// The most bytes of content.
    pub(crate) max_body: u64,
    /// Whether the content is kept, and not only counted.
    pub(crate) keeps_content: bool,
}

/// An answer as far as it has arrived.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    expected: Expected<'a>,
    /// The start of a head whose end has not arrived.
    partial_head: Vec<u8>,
    interim: usize,
    head: Option<Head>,
    content_bytes: u64,
    content: Vec<u8>,
    /// Whether more bytes came than belong to this answer.
    surplus: bool,
}

impl<'a> Answer<'a> {
    pub(crate) fn new(expected: Expected<'a>) -> Self {
        let (partial_head, content) = (Vec::new(), Vec::new());
        Self { expected, partial_head, interim: 0, head: None, content_bytes: 0, content, surplus: false }
    }

    /// Takes the bytes that arrived next.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), FailureKind> {
        if self.partial_head.is_empty() {
            return self.read(bytes);
        }
        let mut joined = std::mem::take(&mut self.partial_head);
        joined.extend_from_slice(bytes);
        self.read(&joined)
    }

    /// Takes note that the server closed the connection.
    pub(crate) fn close(&mut self) -> Result<(), FailureKind> {
        self.head.as_mut().map_or(Err(FailureKind::Closed), |head| head.body.close())
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.head.as_ref().is_some_and(|head| head.body.is_over())
    }

    /// Whether the connection can serve the next request.
    pub(crate) fn leaves_the_connection_open(&self) -> bool {
        let kept =
            |head: &Head| head.keeps_alive && head.body.is_over() && !head.body.ends_with_the_connection();
        !self.surplus && self.head.as_ref().is_some_and(kept)
    }

    /// The status; `None` before the end of the final head.
    pub(crate) fn status(&self) -> Option<StatusCode> {
        self.head.as_ref().map(|head| head.status)
    }

    /// Which replica says that it answered.
    pub(crate) fn endpoint(&self) -> Option<&HeaderValue> {
        self.head.as_ref()?.endpoint.as_ref()
    }

    /// The length of the content so far, without its coding.
    pub(crate) fn content_bytes(&self) -> u64 {
        self.content_bytes
    }

    /// The content so far, if it is kept.
    pub(crate) fn content(&self) -> &[u8] {
        &self.content
    }

    fn read(&mut self, bytes: &[u8]) -> Result<(), FailureKind> {
        let rest = self.read_heads(bytes)?;
        if self.head.is_some() {
            self.read_body(rest)
        } else {
            self.partial_head.extend_from_slice(rest);
            Ok(())
        }
    }

    /// Reads on to the end of the final head, if it is there, and returns what was not read.
    fn read_heads<'b>(&mut self, mut bytes: &'b [u8]) -> Result<&'b [u8], FailureKind> {
        while self.head.is_none() {
            let window = &bytes[..bytes.len().min(self.expected.max_head)];
            match Head::parse(window, &self.expected)? {
                Some((head, length)) => {
                    bytes = &bytes[length..];
                    self.accept(head)?;
                }
                None if window.len() == self.expected.max_head => return Err(FailureKind::HeadTooLarge),
                None => break,
            }
        }
        Ok(bytes)
    }

    fn accept(&mut self, head: Head) -> Result<(), FailureKind> {
        if !head.is_interim() {
            self.head = Some(head);
            return Ok(());
        }
        self.interim += 1;
        if self.interim > MOST_INTERIM { Err(FailureKind::InvalidResponse) } else { Ok(()) }
    }

    fn read_body(&mut self, mut bytes: &[u8]) -> Result<(), FailureKind> {
        let Some(head) = &mut self.head else { return Ok(()) };
        while let Some(content) = head.body.next(&mut bytes)? {
            self.content_bytes += content.len() as u64;
            if self.content_bytes > self.expected.max_body {
                return Err(FailureKind::BodyTooLarge);
            }
            if self.expected.keeps_content {
                self.content.extend_from_slice(content);
            }
        }
        self.surplus |= !bytes.is_empty();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static ENDPOINT: HeaderName = HeaderName::from_static("martello-endpoint");
    const MAX_HEAD: usize = 200;

    fn answer(method: &Method) -> Answer<'_> {
        let (max_head, max_body) = (MAX_HEAD, 20);
        Answer::new(Expected { method, endpoint_header: &ENDPOINT, max_head, max_body, keeps_content: true })
    }

    /// What comes of `bytes`, in one piece and then byte by byte, when the server closes the connection after them.
    fn check(bytes: &str, expected: Result<(u16, &str, bool), FailureKind>) {
        for size in [bytes.len().max(1), 1] {
            let mut answer = answer(&Method::GET);
            let mut pieces = bytes.as_bytes().chunks(size);
            let mut read = pieces.try_for_each(|piece| answer.feed(piece));
            if !answer.is_whole() {
                read = read.and_then(|()| answer.close());
            }
            let content = std::str::from_utf8(answer.content()).unwrap();
            let open = answer.leaves_the_connection_open();
            let found = read.map(|()| (answer.status().unwrap().as_u16(), content, open));
            assert_eq!(found, expected, "{bytes:?} in pieces of {size}");
            assert!(found.is_err() || answer.content_bytes() == content.len() as u64);
        }
    }

    #[test]
    fn an_answer_ends_where_its_head_says() {
        check("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", Ok((200, "{}", true)));
        check(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            Ok((200, "{}", true)),
        );
        check("HTTP/1.1 200 OK\r\n\r\n{}", Ok((200, "{}", false)));
        check(
            "HTTP/1.0 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\n{}",
            Ok((200, "{}", true)),
        );
        check("HTTP/1.1 204 No Content\r\n\r\n", Ok((204, "", true)));
        check("HTTP/1.1 101 Switching Protocols\r\n\r\n", Ok((101, "", false)));
    }

    #[test]
    fn more_than_the_answer_makes_the_connection_useless_and_not_the_answer_wrong() {
        check("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n", Ok((200, "{}", false)));
    }

    #[test]
    fn what_is_cut_off_is_closed_and_what_makes_no_sense_is_invalid() {
        for cut in ["", "HTTP", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{"] {
            check(cut, Err(FailureKind::Closed));
        }
        let coded = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        check(&format!("{coded}2\r\n{{}}\r\n0\r\n"), Err(FailureKind::Closed));
        check(&format!("{coded}g\r\n"), Err(FailureKind::InvalidResponse));
        for wrong in [
            "220 mail ESMTP\r\n",
            "HTTP/2 200\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 099 X\r\n\r\n",
            "\0\0",
        ] {
            check(wrong, Err(FailureKind::InvalidResponse));
        }
    }

    #[test]
    fn interim_answers_are_skipped_as_long_as_they_are_few() {
        let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
        let last = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
        check(&format!("{interim}{last}"), Ok((200, "{}", true)));
        check(&format!("{}{last}", interim.repeat(MOST_INTERIM / 2)), Ok((200, "{}", true)));
        check(&interim.repeat(MOST_INTERIM), Err(FailureKind::InvalidResponse));
    }

    #[test]
    fn heads_and_bodies_are_read_up_to_their_limits() {
        let head = |length: usize| {
            let padding = "x".repeat(length - "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx: \r\n\r\n".len());
            format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx: {padding}\r\n\r\n")
        };
        check(&head(MAX_HEAD), Ok((200, "", true)));
        check(&head(MAX_HEAD + 1), Err(FailureKind::HeadTooLarge));
        check(
            &"x: y\r\n".repeat(MAX_HEAD).replacen("x: y", "HTTP/1.1 200 OK", 1),
            Err(FailureKind::HeadTooLarge),
        );
        let body =
            |length| format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{}", "x".repeat(length));
        check(&body(20), Ok((200, &"x".repeat(20), true)));
        check(&body(21), Err(FailureKind::BodyTooLarge));
    }

    #[test]
    fn an_answer_to_head_has_no_body_whatever_length_it_announces() {
        let mut answer = answer(&Method::HEAD);
        answer.feed(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\nMartello-Endpoint: a\r\n\r\n").unwrap();
        assert!(answer.is_whole() && answer.leaves_the_connection_open());
        assert_eq!(answer.endpoint().unwrap(), "a");
    }

    #[test]
    fn nothing_is_held_of_an_answer_that_nobody_reads() {
        let expected = Expected { keeps_content: false, ..answer(&Method::GET).expected };
        let mut answer = Answer::new(expected);
        answer.feed(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n12345").unwrap();
        answer.feed(b"6789").unwrap();
        assert_eq!((answer.is_whole(), answer.content_bytes()), (true, 9));
        assert_eq!((answer.content.capacity(), answer.partial_head.capacity()), (0, 0));
    }
}
