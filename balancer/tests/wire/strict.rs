//! A reader that takes messages in one form only: the one in which they are passed on.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::BTreeMap;

use tokio::io::{AsyncRead, AsyncReadExt};

/// A message as it was written, names in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) line: String,
    pub(crate) fields: Vec<(String, Vec<u8>)>,
    pub(crate) content: Vec<u8>,
    pub(crate) trailers: Vec<(String, Vec<u8>)>,
}

/// What came instead of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoMessage {
    /// The connection ended between messages.
    End,
    /// It ended in the middle of one, whose last part came so far.
    Cut(Vec<u8>),
    /// Two readers could understand it differently.
    Unclear(String),
}

impl Message {
    pub(crate) fn values(&self, name: &str) -> Vec<&[u8]> {
        self.fields.iter().filter(|(known, _)| known == name).map(|(_, value)| &value[..]).collect()
    }

    pub(crate) fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    /// Of an answer.
    pub(crate) fn status(&self) -> u16 {
        self.line.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default()
    }
}

/// Reads what is there of a connection, message by message.
#[derive(Debug)]
pub(crate) struct Strict<R> {
    io: R,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Strict<R> {
    pub(crate) fn new(io: R) -> Self {
        Self { io, buffer: Vec::new() }
    }

    pub(crate) fn io(&mut self) -> &mut R {
        &mut self.io
    }

    /// Reads the next message; answers to be read have no content where their status says so.
    pub(crate) async fn next(&mut self) -> Result<Message, NoMessage> {
        let mut message = self.head().await?;
        let content = self.content(&mut message.trailers, &message.line, &message.fields).await;
        message.content = content.map_err(|end| match end {
            NoMessage::End => NoMessage::Cut(Vec::new()),
            other => other,
        })?;
        Ok(message)
    }

    async fn head(&mut self) -> Result<Message, NoMessage> {
        let end = self.until(b"\r\n\r\n").await?;
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        let mut lines = lines(&head[..end - 2])?.into_iter();
        let line = lines.next().and_then(|line| String::from_utf8(line.to_vec()).ok());
        let line = line.ok_or_else(|| unclear("a first line", &head))?;
        let fields: Vec<_> = lines.map(field).collect::<Result<_, _>>()?;
        Ok(Message { line, fields, ..Message::default() })
    }

    async fn content(
        &mut self,
        trailers: &mut Vec<(String, Vec<u8>)>,
        line: &str,
        fields: &[(String, Vec<u8>)],
    ) -> Result<Vec<u8>, NoMessage> {
        let mut framings = BTreeMap::new();
        for (name, value) in fields.iter().filter(|(name, _)| FRAMINGS.contains(&&**name)) {
            if framings.insert(&**name, &value[..]).is_some() || framings.len() > 1 {
                return Err(unclear("framed twice", line.as_bytes()));
            }
        }
        if let Some(coding) = framings.get("transfer-encoding") {
            return match *coding {
                b"chunked" => self.chunks(trailers).await,
                other => Err(unclear("a coding", other)),
            };
        }
        let length = framings.get("content-length").copied().unwrap_or(b"0");
        let digits =
            std::str::from_utf8(length).ok().filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
        let length: usize =
            digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| unclear("a length", length))?;
        let bodiless =
            ["HTTP/1.1 1", "HTTP/1.1 204", "HTTP/1.1 304"].iter().any(|start| line.starts_with(start));
        self.take(if bodiless { 0 } else { length }).await
    }

    async fn chunks(&mut self, trailers: &mut Vec<(String, Vec<u8>)>) -> Result<Vec<u8>, NoMessage> {
        let mut content = Vec::new();
        loop {
            let end = self.until(b"\r\n").await?;
            let line: Vec<u8> = self.buffer.drain(..end).collect();
            let digits = String::from_utf8_lossy(&line[..end - 2]).into_owned();
            let size = usize::from_str_radix(&digits, 16).map_err(|_| unclear("a size", &line))?;
            if format!("{size:x}") != digits {
                return Err(unclear("a size", &line));
            }
            if size == 0 {
                break;
            }
            content.extend(self.take(size).await?);
            if self.take(2).await? != b"\r\n" {
                return Err(unclear("the end of a chunk", &self.buffer));
            }
        }
        loop {
            let end = self.until(b"\r\n").await?;
            let line: Vec<u8> = self.buffer.drain(..end).collect();
            match lines(&line)?.first() {
                Some([]) | None => return Ok(content),
                Some(line) => trailers.push(field(line)?),
            }
        }
    }

    async fn until(&mut self, what: &[u8]) -> Result<usize, NoMessage> {
        let mut from = 0;
        loop {
            let found = self.buffer[from..].windows(what.len()).position(|window| window == what);
            if let Some(at) = found {
                return Ok(from + at + what.len());
            }
            from = self.buffer.len().saturating_sub(what.len() - 1);
            self.fill().await?;
        }
    }

    async fn take(&mut self, size: usize) -> Result<Vec<u8>, NoMessage> {
        while self.buffer.len() < size {
            self.fill().await?;
        }
        Ok(self.buffer.drain(..size).collect())
    }

    async fn fill(&mut self) -> Result<(), NoMessage> {
        match self.io.read_buf(&mut self.buffer).await {
            Ok(1..) => Ok(()),
            _ if self.buffer.is_empty() => Err(NoMessage::End),
            _ => Err(NoMessage::Cut(self.buffer.clone())),
        }
    }
}

const FRAMINGS: [&str; 2] = ["content-length", "transfer-encoding"];

fn unclear(what: &str, bytes: &[u8]) -> NoMessage {
    NoMessage::Unclear(format!("{what}: {}", bytes.escape_ascii()))
}

fn lines(bytes: &[u8]) -> Result<Vec<&[u8]>, NoMessage> {
    let text = bytes.strip_suffix(b"\r\n").ok_or_else(|| unclear("an end", bytes))?;
    let mut lines = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        let last = lines.len() == text.iter().filter(|byte| **byte == b'\n').count();
        let line =
            if last { line } else { line.strip_suffix(b"\r").ok_or_else(|| unclear("a line", line))? };
        if line.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            return Err(unclear("a control character", line));
        }
        lines.push(line);
    }
    Ok(lines)
}

fn field(line: &[u8]) -> Result<(String, Vec<u8>), NoMessage> {
    let colon = line.iter().position(|byte| *byte == b':').ok_or_else(|| unclear("a field", line))?;
    let name = &line[..colon];
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    if name.is_empty() || !name.iter().all(token) {
        return Err(unclear("a name", line));
    }
    Ok((String::from_utf8_lossy(name).to_ascii_lowercase(), line[colon + 1..].trim_ascii().to_vec()))
}
