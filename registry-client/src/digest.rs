//! BLAKE3 checksums ([specification](https://github.com/BLAKE3-team/BLAKE3-specs)).
//!
//! A model is copied at two gigabytes a second, and SHA-256 comes to 1.8 even with the processor's own instructions: the checksum
//! was what a transfer waited for. BLAKE3 takes a quarter of the time, and is as hard to forge.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How much is read at once while hashing: larger pieces were not faster.
pub(crate) const PIECE: usize = 64 << 10;

/// A BLAKE3 checksum; prints as 64 lower-case hexadecimal digits.
///
/// ```
/// use martello_registry_client::Digest;
///
/// let digest = Digest::of(b"");
/// assert!(digest.to_string().starts_with("af1349b9"));
/// assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest([u8; 32]);

/// Computes a [`Digest`] piece by piece, and counts.
#[derive(Default)]
pub(crate) struct Hasher {
    state: blake3::Hasher,
    bytes: u64,
}

// ===== impl Digest =====

impl Digest {
    /// Returns the checksum of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || Error::invalid(format!("not a blake3 checksum: {text:?}"));
        if text.len() != 64 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(bad());
        }
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).map_err(|_| bad())?;
        }
        Ok(Self(bytes))
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

/// Returns the checksum and the size of what is left of a file; blocks.
pub(crate) fn of_file(file: &mut File, path: &Path) -> Result<(Digest, u64)> {
    let mut hasher = Hasher::default();
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(read) => hasher.update(&piece[..read]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Error::io("read", path, e)),
        }
    }
}

// ===== impl Hasher =====

impl Hasher {
    pub(crate) fn update(&mut self, piece: &[u8]) {
        self.state.update(piece);
        self.bytes += piece.len() as u64;
    }

    /// Returns the checksum and the number of bytes.
    pub(crate) fn finish(self) -> (Digest, u64) {
        (Digest(self.state.finalize().into()), self.bytes)
    }
}
