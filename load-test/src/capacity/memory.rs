//! The memory limit of a control group, as containers have it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::capacity::quota::read;
use crate::error::{Error, ErrorKind, Result};

/// The memory limit of one control group, version 1 (`memory.limit_in_bytes`) or 2 (`memory.max`).
///
/// Swap is kept from hiding the limit where the kernel lets it. What was there before is written back when this value
/// is dropped.
#[derive(Debug)]
pub struct MemoryLimit {
    folder: PathBuf,
    version: Version,
    /// What is written back; nothing where somebody else sets the limits.
    before: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Version {
    fn file(self) -> &'static str {
        match self {
            Self::One => "memory.limit_in_bytes",
            Self::Two => "memory.max",
        }
    }

    /// What stands for no limit.
    fn none(self) -> &'static str {
        match self {
            Self::One => "-1",
            Self::Two => "max",
        }
    }

    /// The file that limits swap, and what allows none beyond `bytes` of memory.
    fn swap(self, bytes: u64) -> (&'static str, String) {
        match self {
            Self::One => ("memory.memsw.limit_in_bytes", bytes.to_string()),
            Self::Two => ("memory.swap.max", "0".to_owned()),
        }
    }

    /// The file that counts processes which the kernel killed for want of memory.
    fn kills(self) -> &'static str {
        match self {
            Self::One => "memory.oom_control",
            Self::Two => "memory.events",
        }
    }
}

impl MemoryLimit {
    /// Opens the group at `folder`, for example `/sys/fs/cgroup/memory/docker/<id>` or `/sys/fs/cgroup/<slice>`.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the folder is no control group with a memory limit, or cannot be read.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self> {
        let folder = folder.into();
        let found = [Version::One, Version::Two].into_iter().find(|one| folder.join(one.file()).exists());
        let Some(version) = found else {
            let message = format!(
                "{} is no control group with a memory limit: it has neither memory.limit_in_bytes nor memory.max",
                folder.display()
            );
            return Err(Error::new(ErrorKind::Io, message));
        };
        let before = read(&folder.join(version.file()))?;
        Ok(Self { folder, version, before: Some(before) })
    }

    /// Only reads: somebody else sets the limits, and puts them back.
    pub(super) fn watching(mut self) -> Self {
        self.before = None;
        self
    }

    /// Limits the group to so many bytes; `false` if its processes hold more than that and do not give it back.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the limit cannot be written, for example for lack of rights.
    pub fn limit(&self, bytes: u64) -> Result<bool> {
        match self.write(self.version.file(), &bytes.to_string()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => return Ok(false),
            Err(error) => return Err(self.unwritten(error)),
        }
        let (file, text) = self.version.swap(bytes);
        // A kernel without accounting of swap has no such file, and nothing to limit.
        let _ = self.write(file, &text);
        Ok(true)
    }

    /// Lets the group have all the memory there is.
    ///
    /// # Errors
    /// As [`limit`](Self::limit).
    pub fn lift(&self) -> Result<()> {
        let none = self.version.none();
        // Version 1 wants the limit with swap to be the higher one at every moment.
        let (swap, _) = self.version.swap(0);
        let _ = self.write(swap, none);
        self.write(self.version.file(), none).map_err(|error| self.unwritten(error))
    }

    /// Returns how many processes of the group, and of the groups below it, the kernel has killed for want of memory; 0 where it does
    /// not count.
    #[must_use]
    pub fn kills(&self) -> u64 {
        self.kills_in(&self.folder)
    }

    fn kills_in(&self, folder: &Path) -> u64 {
        let text = fs::read_to_string(folder.join(self.version.kills())).unwrap_or_default();
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        let here = count.and_then(|count| count.trim().parse().ok()).unwrap_or(0);
        match self.version {
            // Each group counts its own only.
            Version::One => here + folders(folder).map(|below| self.kills_in(&below)).sum::<u64>(),
            Version::Two => here,
        }
    }

    fn write(&self, file: &str, text: &str) -> io::Result<()> {
        fs::write(self.folder.join(file), text)
    }

    fn unwritten(&self, error: io::Error) -> Error {
        let path = self.folder.join(self.version.file());
        let message = format!("memory limit cannot be written to {}", path.display());
        Error::new(ErrorKind::Io, message).caused_by(error)
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        let Some(before) = self.before.take() else { return };
        let restored = self.lift().and_then(|()| {
            self.write(self.version.file(), before.trim()).map_err(|error| self.unwritten(error))
        });
        if let Err(error) = restored {
            tracing::warn!("{error}; the group keeps the last limit of the search");
        }
    }
}

/// The processes of a control group and of the groups below it.
pub(super) fn processes(folder: &Path) -> Result<Vec<u32>> {
    let text = read(&folder.join("cgroup.procs"))?;
    let mut found: Vec<u32> = text.lines().filter_map(|line| line.trim().parse().ok()).collect();
    // A group that goes away meanwhile has no processes.
    found.extend(folders(folder).flat_map(|below| processes(&below).unwrap_or_default()));
    Ok(found)
}

/// The groups directly below one.
fn folders(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_limited_and_restored() {
        let one =
            [("memory.limit_in_bytes", "9223372036854771712\n"), ("memory.oom_control", "oom_kill 3\n")];
        let two = [("memory.max", "104857600\n"), ("memory.events", "oom 9\noom_kill 3\n")];
        for files in [one, two] {
            let folder = tempfile::tempdir().unwrap();
            files.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
            let limit = MemoryLimit::open(folder.path()).unwrap();
            assert!(limit.limit(50 << 20).unwrap());
            let file = folder.path().join(files[0].0);
            assert_eq!(fs::read_to_string(&file).unwrap(), (50 << 20).to_string());
            assert_eq!(limit.kills(), 3);
            let below = folder.path().join("replica");
            fs::create_dir(&below).unwrap();
            fs::write(below.join(files[1].0), files[1].1).unwrap();
            assert_eq!(limit.kills(), if files[0].0 == "memory.max" { 3 } else { 6 });
            drop(limit);
            assert_eq!(fs::read_to_string(&file).unwrap(), files[0].1.trim());
        }
        let watched = tempfile::tempdir().unwrap();
        two.iter().for_each(|(name, text)| fs::write(watched.path().join(name), text).unwrap());
        let limit = MemoryLimit::open(watched.path()).unwrap().watching();
        fs::write(watched.path().join("memory.max"), "somebody else's").unwrap();
        drop(limit);
        assert_eq!(fs::read_to_string(watched.path().join("memory.max")).unwrap(), "somebody else's");
        let empty = tempfile::tempdir().unwrap();
        assert!(MemoryLimit::open(empty.path()).unwrap_err().to_string().contains("memory.max"));
    }
}
