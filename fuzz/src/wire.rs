//! A reader of messages that knows one way only to write each of them: what the balancer passes on must be written so.

use martello_balancer::fuzzing::{Message, NARROW, Understood, Way};

/// Fields that never go further than one hop (RFC 9110 section 7.6.1).
const ONE_HOP: [&str; 6] = ["connection", "keep-alive", "proxy-connection", "te", "upgrade", "expect"];

/// What the proxy adds, each time anew.
const ADDED: [&str; 4] = ["x-forwarded-for", "x-forwarded-proto", "x-real-ip", "via"];

/// Two characters say how to read: which of the ways, and after how many bytes a read ends.
pub fn ways(input: &[u8]) -> Option<(u8, Vec<usize>, &[u8])> {
    let [flags, step, bytes @ ..] = input else { return None };
    let step = usize::from(step.saturating_sub(b'0'));
    let cuts = if step == 0 { Vec::new() } else { (step..bytes.len()).step_by(step).collect() };
    Some((*flags, cuts, bytes))
}

/// The way that the flags say, with the whole input in one read.
pub fn way(flags: u8) -> Way<'static> {
    Way {
        cuts: &[],
        verbatim: flags & 1 == 0,
        streams: flags & 2 != 0,
        underscores: flags & 4 != 0,
        known: flags & 16 == 0,
        limits: &NARROW,
    }
}

/// A message as it was written.
#[derive(Debug)]
pub struct Written<'a> {
    pub line: &'a str,
    pub fields: Vec<(&'a str, &'a [u8])>,
    /// What comes behind the head.
    pub rest: &'a [u8],
}

/// Takes a message apart that must be in the one form that is passed on.
pub fn take_apart(bytes: &[u8]) -> Written<'_> {
    let end =
        find(bytes, b"\r\n\r\n").unwrap_or_else(|| panic!("no end of a head in {}", bytes.escape_ascii()));
    let mut lines = lines(&bytes[..end + 2]).into_iter();
    let line = std::str::from_utf8(lines.next().expect("a first line")).expect("a first line in ASCII");
    Written { line, fields: lines.map(field).collect(), rest: &bytes[end + 4..] }
}

/// Lines that end with CR LF, without another CR or LF, a NUL, or a blank in front.
fn lines(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    while let Some(end) = find(bytes, b"\r\n") {
        let line = &bytes[..end];
        assert!(!line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)), "{}", line.escape_ascii());
        assert!(!matches!(line.first(), None | Some(b' ' | b'\t')), "{}", line.escape_ascii());
        lines.push(line);
        bytes = &bytes[end + 2..];
    }
    assert!(bytes.is_empty(), "a line without an end: {}", bytes.escape_ascii());
    lines
}

fn field(line: &[u8]) -> (&str, &[u8]) {
    let colon = line.iter().position(|byte| *byte == b':').expect("a colon");
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    assert!(!name.is_empty() && name.iter().all(|byte| is_token(*byte)), "{}", line.escape_ascii());
    assert!(value.iter().all(|byte| !byte.is_ascii_control() || *byte == b'\t'), "{}", line.escape_ascii());
    (std::str::from_utf8(name).expect("a token is ASCII"), value.trim_ascii())
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

impl Written<'_> {
    fn values(&self, name: &str) -> Vec<&[u8]> {
        let named = self.fields.iter().filter(|field| field.0.eq_ignore_ascii_case(name));
        named.map(|field| field.1).collect()
    }

    /// Nothing of the other hop may be here, and the content must be what was understood.
    pub fn check(&self, message: &Message, underscores: bool, bodiless: bool) {
        let upgrades =
            self.values("connection").iter().any(|options| options.eq_ignore_ascii_case(b"upgrade"));
        for name in ONE_HOP {
            match (name, &self.values(name)[..]) {
                (_, []) | ("te", [b"trailers"]) | ("connection", [b"te" | b"close"]) => {}
                // Of this hop, too: said anew.
                ("connection" | "upgrade", [_]) if upgrades => {}
                (_, values) => panic!("{name} goes on: {values:?}"),
            }
        }
        let named = self.fields.iter().filter(|field| field.0.contains('_')).count();
        assert!(underscores || named == 0, "a name with an underscore goes on: {:?}", self.fields);
        let (lengths, codings) = (self.values("content-length"), self.values("transfer-encoding"));
        assert!(lengths.len() + codings.len() <= 1, "framed twice: {:?}", self.fields);
        if bodiless {
            assert_eq!((self.rest, codings.len()), (&b""[..], 0));
        } else if let [coding] = codings[..] {
            assert_eq!(coding, b"chunked");
            let (content, trailers) = join(self.rest);
            assert_eq!((content, &trailers), (message.content.clone(), &message.trailers));
        } else {
            let length = lengths.first().map_or("0", |length| std::str::from_utf8(length).expect("digits"));
            assert_eq!(length.parse(), Ok(self.rest.len()), "content of another length");
            assert_eq!(self.rest, message.content);
        }
    }

    /// A request: its line, and one host.
    pub fn check_request(&self, message: &Message, underscores: bool) {
        assert_eq!(self.line, format!("{} {} HTTP/1.1", message.what, message.target));
        assert!(
            self.line.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && self.line.matches(' ').count() == 2
        );
        assert_eq!(self.values("host").len(), 1);
        self.check(message, underscores, false);
    }
}

/// Puts chunks together that must be written in the shortest way.
fn join(mut bytes: &[u8]) -> (Vec<u8>, Vec<(String, Vec<u8>)>) {
    let mut content = Vec::new();
    loop {
        let end = find(bytes, b"\r\n").expect("a size line");
        let digits = std::str::from_utf8(&bytes[..end]).expect("digits");
        let size = usize::from_str_radix(digits, 16).expect("a size");
        assert_eq!(digits, format!("{size:x}"));
        bytes = &bytes[end + 2..];
        if size == 0 {
            break;
        }
        content.extend_from_slice(&bytes[..size]);
        assert_eq!(bytes[size..size + 2], *b"\r\n");
        bytes = &bytes[size + 2..];
    }
    let section = bytes.strip_suffix(b"\r\n").expect("an empty line");
    let trailers = lines(section).into_iter().map(field);
    (content, trailers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_vec())).collect())
}

/// What does not depend on how the bytes arrived.
pub fn same_however_split(whole: &Understood, split: &Understood, pieces_are_kept: bool) {
    assert_eq!(whole.refused.is_some(), split.refused.is_some(), "{whole:?} {split:?}");
    assert_eq!((whole.left, whole.messages.len()), (split.left, split.messages.len()));
    for (one, other) in whole.messages.iter().zip(&split.messages) {
        let mut other = other.clone();
        // Trailers stand behind pieces only.
        if pieces_are_kept || !one.trailers.is_empty() {
            other.passed_on.clone_from(&one.passed_on);
        }
        assert_eq!(*one, other);
    }
}

/// A message without what is said of the hop or added by each proxy.
pub fn essence(message: &Message) -> Message {
    let mut essence = message.clone();
    essence.passed_on.clear();
    essence.keep_alive = true;
    essence.fields.retain(|(name, _)| {
        !ADDED.contains(&&**name) && !["content-length", "connection"].contains(&&**name)
    });
    essence.fields.sort_by(|one, other| one.0.cmp(&other.0));
    essence.trailers.sort_by(|one, other| one.0.cmp(&other.0));
    essence
}
