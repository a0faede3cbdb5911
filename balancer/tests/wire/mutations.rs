//! Requests made by the grammar of RFC 9112, with mistakes that are drawn from a seed.
#![allow(dead_code, reason = "each test binary uses its own part")]

/// Draws the same numbers for the same seed (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xd134_2543_de82_ef95))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    pub(crate) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// A request in its parts, before they are put together.
#[derive(Clone, Debug)]
struct Draft {
    method: Vec<u8>,
    target: Vec<u8>,
    version: Vec<u8>,
    fields: Vec<Vec<u8>>,
    end: &'static [u8],
    body: Vec<u8>,
}

/// Bytes that mean something to some reader.
const BYTES: &[u8] = b"\0\r\n \t\x0b\x0c\x7f\xff:,;_=\"0a";

const ENDS: &[&[u8]] =
    &[b"\n", b"\r", b"\r\r\n", b"\n\r", b"\0\r\n", b"\r\n ", b"\r\n\t", b" \r\n", b"\r\n\r\n", b"\x0b\r\n"];

const FRAMINGS: &[&str] = &[
    "Content-Length: 0",
    "Content-Length: 3",
    "Content-Length: 03",
    "Content-Length: +3",
    "Content-Length: -3",
    "Content-Length: 3, 3",
    "Content-Length: 3 3",
    "Content-Length: 0x3",
    "Content-Length: 1_0",
    "Content-Length:",
    "Content-Length: 3\t",
    "Content-Length : 3",
    "Content-Length\t: 3",
    "Content-Length: 40",
    "Content-Length: 99999999",
    "Content-Length: 18446744073709551617",
    "content-LENGTH:3",
    "Content_Length: 3",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: CHUNKED ",
    "Transfer-Encoding:chunked",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: chunked;q=1",
    "Transfer-Encoding: \"chunked\"",
    "Transfer-Encoding:\tchunked\t",
    "Transfer-Encoding: \x0bchunked",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding:\r\n chunked",
    "Transfer-Encoding",
    "Transfer_Encoding: chunked",
];

const CHUNKS: &[&str] = &[
    "0\r\n\r\n",
    "\r\n\r\n",
    "3\r\nabc\r\n0\r\n\r\n",
    "3\nabc\n0\n\n",
    "0x3\r\nabc\r\n0\r\n\r\n",
    "+3\r\nabc\r\n0\r\n\r\n",
    " 3\r\nabc\r\n0\r\n\r\n",
    "3 \r\nabc\r\n0\r\n\r\n",
    "1_0\r\nabc\r\n0\r\n\r\n",
    "3;\r\nabc\r\n0\r\n\r\n",
    "3;a=b;c=\"d\"\r\nabc\r\n0;x\r\n\r\n",
    "3;a\rb\r\nabc\r\n0\r\n\r\n",
    "3\r;a\r\nabc\r\n0\r\n\r\n",
    "3;a\nabc\r\n0\r\n\r\n",
    "3\r\nabcd\r\n0\r\n\r\n",
    "4\r\nabc\r\n0\r\n\r\n",
    "3\r\nabc0\r\n\r\n",
    "3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n",
    "3\r\nabc\r\n0\r\nContent-Length: 5\r\nX-Sum: 7\r\n\r\n",
    "3\r\nabc\r\n0\r\nX : y\r\n\r\n",
    "3\r\nabc\r\n0\r\nX: y\r\n z\r\n\r\n",
    "3\r\nabc\r\n0\r\nX: y\n\n",
    "3\r\nabc\r\n00000000000000000000\r\n\r\n",
    "ffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "10000000000000003\r\nabc\r\n0\r\n\r\n",
    "3\r\nabc\r\n0\r\n",
    "3\r\nabc\r\n",
    "25\r\nGET /inner HTTP/1.1\r\nHost: inner\r\n\r\n\r\n0\r\n\r\n",
];

const BODIES: &[&str] = &[
    "",
    "abc",
    "abcdef",
    "GET /inner HTTP/1.1\r\nHost: inner\r\n\r\n",
    "GET /inner HTTP/1.1\r\n",
    "\r\n",
    "\r\n\r\n",
];

const TARGETS: &[&str] = &[
    "/",
    "//a/b",
    "/a?b=c&d[]={e}",
    "/%00%0d%0a",
    "/a#b",
    "/a b",
    "/\t",
    "/\u{e9}",
    "*",
    "a",
    "http://a/x",
    "http://A/x",
    "http://b/x",
    "http://u@a/x",
    "http://a:99999/",
    "http:///x",
    "https://a/x",
    "ftp://a/x",
    "http://a/ HTTP/1.1\r\nX: ",
];

const HOSTS: &[&str] = &[
    "", "a", "A", "a:80", "a:", "a:99999", "a, b", "a b", "u@a", "a/b", "[::1]", "[::1", "a\tb", "a%zz",
    "\u{e9}", "b",
];

const OTHERS: &[&str] = &[
    "Connection: close",
    "Connection: keep-alive, x-a",
    "Connection: content-length",
    "Connection: host, x-case, transfer-encoding",
    "Connection: ,,",
    "Keep-Alive: timeout=5",
    "Proxy-Connection: close",
    "TE: trailers, gzip",
    "TE: gzip",
    "Trailer: x-sum",
    "Expect: 100-continue",
    "Expect: tea",
    "Max-Forwards: 0",
    "X-Forwarded-For: 1.2.3.4",
    "X_Forwarded_For: 1.2.3.4",
    "Forwarded: for=1.2.3.4",
    "X-A: \u{e9}",
    "X-A:",
    "X-A",
    ": x",
    "X A: b",
    "X-A : b",
    "(X): b",
    " X: folded",
];

impl Draft {
    fn new(dice: &mut Dice) -> Self {
        let mut fields: Vec<Vec<u8>> = vec![b"Host: a".to_vec(), b"X-A: b".to_vec()];
        let (method, body) = match dice.below(5) {
            0 | 1 => ("GET", ""),
            2 => {
                fields.push(b"Content-Length: 6".to_vec());
                ("POST", "abcdef")
            }
            3 => {
                fields.push(b"Transfer-Encoding: chunked".to_vec());
                ("POST", "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
            }
            _ => {
                fields.push(b"Transfer-Encoding: chunked".to_vec());
                ("PUT", "3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n")
            }
        };
        let target = dice.one(&["/", "/a?b=c", "http://a/x"]);
        Self {
            method: method.into(),
            target: target.into(),
            version: b"HTTP/1.1".to_vec(),
            fields,
            end: b"\r\n",
            body: body.into(),
        }
    }

    fn mutate(&mut self, dice: &mut Dice) {
        let at = dice.below(self.fields.len() + 1);
        match dice.below(14) {
            0 => {
                let again = self.fields[at.min(self.fields.len() - 1)].clone();
                self.fields.insert(at, again);
            }
            1..=3 => self.fields.insert(at, dice.one(FRAMINGS).into()),
            4 => self.fields.insert(at, dice.one(OTHERS).into()),
            5 => self.end = dice.one(ENDS),
            6 => {
                self.fields.retain(|field| !field.starts_with(b"Content-Length"));
                self.fields.push(b"Transfer-Encoding: chunked".to_vec());
                self.body = dice.one(CHUNKS).into();
            }
            7 => self.body = dice.one(BODIES).into(),
            8 => self.target = dice.one(TARGETS).into(),
            9 => self.fields[0] = format!("Host: {}", dice.one(HOSTS)).into(),
            10 => {
                let size = dice.one(&[100, 8_100, 33_000]);
                match dice.below(3) {
                    0 => self.fields.push([&b"X-Long: "[..], &vec![b'a'; size]].concat()),
                    1 => self.fields.push([&vec![b'x'; size], &b": b"[..]].concat()),
                    _ => self.target = [&b"/"[..], &vec![b'a'; size]].concat(),
                }
            }
            11 => {
                self.version =
                    dice.one(&["HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1", "HTTP/1.1 ", ""]).into()
            }
            12 => {
                self.method =
                    dice.one(&["OPTIONS", "DELETE", "BREW", "TRACE", "CONNECT", "G T", "get", ""]).into()
            }
            _ => self.body.truncate(dice.below(self.body.len())),
        }
    }

    fn bytes(&self, dice: &mut Dice) -> Vec<u8> {
        let odd = dice.below(self.fields.len() + 1);
        let line = [&self.method[..], b" ", &self.target, b" ", &self.version, b"\r\n"].concat();
        let mut bytes = line;
        for (at, field) in self.fields.iter().enumerate() {
            bytes.extend_from_slice(field);
            bytes.extend_from_slice(if at == odd { self.end } else { b"\r\n" });
        }
        bytes.extend_from_slice(if odd == self.fields.len() { self.end } else { b"\r\n" });
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// The request of a seed, and whether it has no mistake in it.
pub(crate) fn request(seed: u64) -> (Vec<u8>, bool) {
    let mut dice = Dice::new(seed);
    let mut draft = Draft::new(&mut dice);
    let mutations = dice.one(&[0, 1, 1, 1, 2, 2, 3]);
    for _ in 0..mutations {
        draft.mutate(&mut dice);
    }
    let mut bytes = draft.bytes(&mut dice);
    let strikes = if mutations == 0 { 0 } else { dice.one(&[0, 0, 0, 1, 2]) };
    for _ in 0..strikes {
        strike(&mut bytes, &mut dice);
    }
    (bytes, mutations == 0)
}

/// Inserts, removes or replaces one byte.
fn strike(bytes: &mut Vec<u8>, dice: &mut Dice) {
    if bytes.is_empty() {
        return;
    }
    let (at, byte) = (dice.below(bytes.len()), dice.one(BYTES));
    match dice.below(3) {
        0 => bytes.insert(at, byte),
        1 => bytes[at] = byte,
        _ => drop(bytes.remove(at)),
    }
}

const STATUS_LINES: &[&str] = &[
    "HTTP/1.1 200 OK",
    "HTTP/1.1 200 OK",
    "HTTP/1.0 200 OK",
    "HTTP/1.1 404 Not Found",
    "HTTP/1.1 204 No Content",
    "HTTP/1.1 304 Not Modified",
    "HTTP/1.1 205 Reset Content",
    "HTTP/1.1 200",
    "HTTP/1.1 200 \u{e9}",
    "HTTP/1.1 999 Odd",
    "HTTP/1.1 2OO OK",
    "HTTP/1.2 200 OK",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK",
    "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK",
];

const ANSWER_FIELDS: &[&str] = &[
    "Connection: close",
    "Connection: keep-alive",
    "Connection: x-a, content-length",
    "Keep-Alive: timeout=5",
    "Set-Cookie: a=b",
    "Upgrade: h2c",
    "Trailer: x-sum",
    "X-A\t: b",
    "X A: b",
    "X-A",
    " X: folded",
    "X-A: b\rc",
    "X-A: \u{e9}",
];

/// The answer of a seed.
pub(crate) fn answer(seed: u64) -> Vec<u8> {
    let mut dice = Dice::new(seed);
    let mut lines: Vec<&str> = vec![dice.one(STATUS_LINES), "X-A: b"];
    let body = match dice.below(3) {
        0 => {
            lines.push("Content-Length: 6");
            dice.one(&[
                "abcdef",
                "abcdef",
                "abcdefg",
                "abc",
                "abcdefHTTP/1.1 418 Smuggled\r\nContent-Length: 0\r\n\r\n",
            ])
        }
        1 => {
            lines.push("Transfer-Encoding: chunked");
            dice.one(CHUNKS)
        }
        _ => dice.one(&["", "abc", "HTTP/1.1 418 Smuggled\r\nContent-Length: 0\r\n\r\n"]),
    };
    for _ in 0..dice.one(&[0, 0, 1, 1, 2]) {
        let at = 1 + dice.below(lines.len());
        let line = if dice.below(3) > 0 { dice.one(FRAMINGS) } else { dice.one(ANSWER_FIELDS) };
        lines.insert(at, line);
    }
    let odd = dice.below(lines.len() * 4);
    let mut bytes = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        bytes.extend_from_slice(line.as_bytes());
        bytes.extend_from_slice(if at == odd { dice.one(ENDS) } else { b"\r\n" });
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body.as_bytes());
    for _ in 0..dice.one(&[0, 0, 0, 0, 1, 2]) {
        strike(&mut bytes, &mut dice);
    }
    bytes
}
