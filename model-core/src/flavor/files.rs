//! A model folder as bytes in memory.

use std::collections::{BTreeMap, btree_map};
use std::fmt;

/// The files of a model folder: relative path, with `/` between its parts, → bytes.
///
/// A path is a key and nothing else here: no file system is ever asked for it.
///
/// ```
/// use martello_model_core::flavor::ModelFiles;
///
/// let files: ModelFiles = [("MLmodel".to_owned(), b"flavors: {}".to_vec())].into_iter().collect();
/// assert_eq!(files.get("MLmodel"), Some(&b"flavors: {}"[..]));
/// assert_eq!(files.len(), 1);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ModelFiles {
    files: BTreeMap<String, Vec<u8>>,
}

impl ModelFiles {
    /// Creates an empty folder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a file into the folder and returns the one that had this path before.
    pub fn insert(&mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Option<Vec<u8>> {
        self.files.insert(path.into(), bytes.into())
    }

    /// Takes a file out of the folder.
    pub fn remove(&mut self, path: &str) -> Option<Vec<u8>> {
        self.files.remove(path)
    }

    /// Returns the bytes of a file.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(Vec::as_slice)
    }

    /// Returns the files, ordered by path.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
    }

    /// Returns the number of files.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Returns true if there are no files.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

/// Shows paths and sizes: weights in a log help nobody.
impl fmt::Debug for ModelFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(path, bytes)| (path, format!("{} bytes", bytes.len()))))
            .finish()
    }
}

impl FromIterator<(String, Vec<u8>)> for ModelFiles {
    fn from_iter<I: IntoIterator<Item = (String, Vec<u8>)>>(files: I) -> Self {
        Self { files: files.into_iter().collect() }
    }
}

impl IntoIterator for ModelFiles {
    type Item = (String, Vec<u8>);
    type IntoIter = btree_map::IntoIter<String, Vec<u8>>;

    fn into_iter(self) -> Self::IntoIter {
        self.files.into_iter()
    }
}
