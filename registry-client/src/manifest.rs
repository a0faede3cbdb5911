//! What belongs to a published model: each file with its size and checksum, written last.
//!
//! A folder with a manifest is complete; the manifest's own checksum names the content, in the registry (`mt.manifest_blake3`) and
//! in the cache.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{ArtifactPath, Digest, Error, Result};

/// The manifest's name in the model folder.
pub const MANIFEST_FILE: &str = "manifest.json";

/// A model folder has a dozen files; this stops a manifest that would exhaust memory.
const MAX_MANIFEST_FILES: usize = 10_000;

/// How large a manifest may be: [`MAX_MANIFEST_FILES`] with paths of common length.
pub(crate) const MAX_MANIFEST_BYTES: usize = 4 << 20;

const FORMAT: u32 = 1;

/// The files of a model folder, by path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    format: u32,
    files: Vec<ManifestFile>,
}

/// One file of a model folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Relative to the model folder.
    pub path: ArtifactPath,
    /// In bytes.
    pub size: u64,
    /// Of the content.
    pub blake3: Digest,
}

impl Manifest {
    /// Returns the manifest of these files, in order of their paths.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` when there are none, too many, two with one path, or one that is a folder of another.
    pub fn new(mut files: Vec<ManifestFile>) -> Result<Self> {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self::check_paths(files.iter().map(|file| &file.path))?;
        Ok(Self { format: FORMAT, files })
    }

    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// `Integrity` when it is not one, or not of a format known here.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let bad = |why: &str| Error::integrity(format!("{MANIFEST_FILE} cannot be used: {why}"));
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(bad("it is larger than 4 MiB"));
        }
        let manifest: Self =
            serde_json::from_slice(bytes).map_err(|e| bad("it is not a manifest").with_source(e))?;
        if manifest.format != FORMAT {
            return Err(bad("it was written by a newer version of this crate"));
        }
        match refusal(manifest.paths()) {
            Some(why) => Err(bad(&why)),
            None => Ok(manifest),
        }
    }

    /// Returns the files, by path.
    pub fn files(&self) -> &[ManifestFile] {
        &self.files
    }

    /// Returns the size of all files together, in bytes.
    pub fn total_size(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
    }

    /// Returns the bytes to store; equal manifests have equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("a manifest holds only numbers and texts")
    }

    /// Returns the checksum of [`to_bytes`](Self::to_bytes): the name of the content.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_bytes())
    }

    /// Checks that files with these paths make a model folder.
    ///
    /// # Errors
    ///
    /// `InvalidArgument`, as for [`new`](Self::new).
    pub(crate) fn check_paths<'a>(paths: impl ExactSizeIterator<Item = &'a ArtifactPath>) -> Result<()> {
        match refusal(paths) {
            Some(why) => Err(Error::invalid(format!("these files make no model folder: {why}"))),
            None => Ok(()),
        }
    }

    fn paths(&self) -> impl ExactSizeIterator<Item = &ArtifactPath> {
        self.files.iter().map(|file| &file.path)
    }
}

fn refusal<'a>(paths: impl ExactSizeIterator<Item = &'a ArtifactPath>) -> Option<String> {
    let count = paths.len();
    if count == 0 {
        return Some("there are none".into());
    }
    if count > MAX_MANIFEST_FILES {
        return Some(format!("more than {MAX_MANIFEST_FILES}"));
    }
    let paths: BTreeSet<&str> = paths.map(ArtifactPath::as_str).collect();
    if paths.len() < count {
        return Some("two have the same path".into());
    }
    for path in &paths {
        if path.match_indices('/').any(|(at, _)| paths.contains(&path[..at])) {
            return Some(format!("{path} lies below another file"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> ManifestFile {
        ManifestFile { path: path.parse().unwrap(), size: 1, blake3: Digest::of(b"x") }
    }

    #[test]
    fn a_manifest_survives_the_way_to_disk_whatever_the_order_of_files() {
        let manifest = Manifest::new(vec![file("b"), file("a/c")]).unwrap();
        let same = Manifest::new(vec![file("a/c"), file("b")]).unwrap();
        assert_eq!(Manifest::parse(&manifest.to_bytes()).unwrap(), manifest);
        assert_eq!(manifest.digest(), same.digest());
    }

    #[test]
    fn files_that_make_no_folder_are_refused() {
        let check = |paths: &[&str]| {
            let files = paths.iter().map(|path| file(path)).collect();
            assert_eq!(
                Manifest::new(files).unwrap_err().kind(),
                crate::ErrorKind::InvalidArgument,
                "{paths:?}"
            );
        };
        check(&[]);
        check(&["a", "a"]);
        check(&["a", "a/b"]);
    }

    #[test]
    fn bytes_that_are_no_manifest_are_an_integrity_error() {
        let future = br#"{"format":2,"files":[]}"#;
        let escape = br#"{"format":1,"files":[{"path":"../x","size":1,"blake3":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}]}"#;
        for bytes in [&b""[..], b"{}", b"[]", future, escape] {
            assert_eq!(Manifest::parse(bytes).unwrap_err().kind(), crate::ErrorKind::Integrity);
        }
    }
}
