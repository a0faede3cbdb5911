//! Chunked bodies split anywhere, beside a reader that is written after the grammar of RFC 9112 section 7.1 and knows
//! nothing of pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use martello_balancer::fuzzing::{NARROW, Way, requests};
use martello_fuzz::wire::{same_however_split, way, ways};

const HEAD: &[u8] = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";

fuzz_target!(|input: &[u8]| {
    let Some((flags, cuts, chunks)) = ways(input) else { return };
    let bytes = [HEAD, chunks].concat();
    let way = way(flags);
    let ours = requests(&bytes, way);
    same_however_split(&ours, &requests(&bytes, Way { cuts: &cuts, ..way }), true);
    assert!(ours.waiting <= HEAD.len().max(chunks.len()));
    let read =
        ours.messages.first().map(|message| (&message.content[..], bytes.len() - ours.left - HEAD.len()));
    match by_the_grammar(chunks) {
        Ok(Some((content, length))) => assert_eq!(read, Some((&content[..], length))),
        Ok(None) => assert_eq!((read, ours.refused), (None, None)),
        Err(why) => assert!(read.is_none() && ours.refused.is_some(), "{why}: {ours:?}"),
    }
});

type Grammar<'a> = Result<Option<(Vec<u8>, usize)>, &'static str>;

/// The content and the length of its coding; nothing if more is to come.
fn by_the_grammar(chunks: &[u8]) -> Grammar<'_> {
    let (mut at, mut content) = (0, Vec::new());
    loop {
        let Some(line) = line(&chunks[at..])? else {
            return if chunks.len() - at >= 256 { Err("a long line") } else { Ok(None) };
        };
        let size = size(line)?;
        at += line.len() + 2;
        if size == 0 {
            break;
        }
        let data = &chunks[at..chunks.len().min(at.saturating_add(size))];
        content.extend_from_slice(data);
        if content.len() as u64 > NARROW.body_bytes {
            return Err("too large");
        }
        at += data.len();
        match &chunks[at..] {
            _ if data.len() < size => return Ok(None),
            [b'\r', b'\n', ..] => at += 2,
            [] | [b'\r'] => return Ok(None),
            _ => return Err("no end of a chunk"),
        }
    }
    let section = at;
    loop {
        let line = line(&chunks[at..])?;
        if line.map_or(chunks.len(), |line| at + line.len() + 2) - section > 8 * 1024 {
            return Err("a long trailer section");
        }
        let Some(line) = line else { return Ok(None) };
        at += line.len() + 2;
        if line.is_empty() {
            break;
        }
    }
    // Faults in a field are told when the section is whole, as those of a head are.
    let lines = chunks[section..at].split(|byte| *byte == b'\n').filter(|line| !matches!(line, [] | [b'\r']));
    let fields: Vec<_> = lines.map(|line| &line[..line.len() - 1]).collect();
    match fields.len() > 128 || !fields.into_iter().all(is_field) {
        true => Err("a malformed trailer section"),
        false => Ok(Some((content, at))),
    }
}

/// The line at the front without its end.
fn line(bytes: &[u8]) -> Result<Option<&[u8]>, &'static str> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
    bytes[..end].strip_suffix(b"\r").map(Some).ok_or("a bare LF")
}

/// `1*HEXDIG *( BWS ";" … )`.
fn size(line: &[u8]) -> Result<usize, &'static str> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, extension) = line.split_at(digits);
    let blanks = extension.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let control = extension.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t');
    if !extension.is_empty() && (control || extension.get(blanks) != Some(&b';')) {
        return Err("no extension");
    }
    if line.len() + 2 > 256 {
        return Err("a long line");
    }
    let digits = std::str::from_utf8(digits).map_err(|_| "no digits")?;
    match usize::from_str_radix(digits, 16) {
        Ok(size) if digits.len() <= 15 => Ok(size),
        _ => Err("no size"),
    }
}

fn is_field(line: &[u8]) -> bool {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else { return false };
    let (name, value) = line.split_at(colon);
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty()
        && name.iter().all(token)
        && value.iter().all(|byte| !byte.is_ascii_control() || *byte == b'\t')
}
