//! The processor limit of a control group: real limits, as containers have them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};

/// The smallest quota that the kernel accepts (`min_cfs_quota_period`).
const SMALLEST: Duration = Duration::from_millis(1);

/// The period of a group that has none: the kernel's default.
const DEFAULT_PERIOD: Duration = Duration::from_millis(100);

/// The processor quota of one control group, version 1 (`cpu.cfs_quota_us`) or 2 (`cpu.max`).
///
/// The quota that was there before is written back when this value is dropped.
#[derive(Debug)]
pub struct CpuQuota {
    folder: PathBuf,
    version: Version,
    period: Duration,
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
            Self::One => "cpu.cfs_quota_us",
            Self::Two => "cpu.max",
        }
    }
}

impl CpuQuota {
    /// Opens the group at `folder`, for example `/sys/fs/cgroup/cpu/docker/<id>` or `/sys/fs/cgroup/<slice>`.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the folder is no control group with a processor limit, or cannot be read.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self> {
        let folder = folder.into();
        let found = [Version::One, Version::Two].into_iter().find(|one| folder.join(one.file()).exists());
        let Some(version) = found else {
            let message = format!(
                "{} is no control group with a processor limit: it has neither cpu.cfs_quota_us nor cpu.max",
                folder.display()
            );
            return Err(Error::new(ErrorKind::Io, message));
        };
        let before = read(&folder.join(version.file()))?;
        let written_period = match version {
            Version::One => read(&folder.join("cpu.cfs_period_us"))?,
            Version::Two => before.split_whitespace().nth(1).unwrap_or_default().to_owned(),
        };
        let period = written_period.trim().parse().map_or(DEFAULT_PERIOD, Duration::from_micros);
        Ok(Self { folder, version, period, before: Some(before) })
    }

    /// Only reads: somebody else sets the limits, and puts them back.
    pub(super) fn watching(mut self) -> Self {
        self.before = None;
        self
    }

    /// Limits the group to `cores` processors.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the limit cannot be written, for example for lack of rights.
    pub fn limit(&self, cores: f64) -> Result<()> {
        let quota = self.period.mul_f64(cores.max(0.0)).max(SMALLEST).as_micros();
        self.write(&match self.version {
            Version::One => quota.to_string(),
            Version::Two => format!("{quota} {}", self.period.as_micros()),
        })
    }

    /// Returns in how many periods so far the group wanted more than its quota (`nr_throttled`).
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the count cannot be read.
    pub fn throttled_periods(&self) -> Result<u64> {
        self.count("nr_throttled")
    }

    /// Returns how many periods there were so far in which the group did anything (`nr_periods`).
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the count cannot be read.
    pub fn periods(&self) -> Result<u64> {
        self.count("nr_periods")
    }

    fn count(&self, name: &str) -> Result<u64> {
        let text = read(&self.folder.join("cpu.stat"))?;
        let count = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        count.and_then(|count| count.trim().parse().ok()).ok_or_else(|| {
            Error::new(ErrorKind::Io, format!("{}/cpu.stat has no {name}", self.folder.display()))
        })
    }

    fn write(&self, text: &str) -> Result<()> {
        let path = self.folder.join(self.version.file());
        fs::write(&path, text).map_err(|error| {
            Error::new(ErrorKind::Io, format!("processor limit cannot be written to {}", path.display()))
                .caused_by(error)
        })
    }
}

impl Drop for CpuQuota {
    fn drop(&mut self) {
        let Some(before) = self.before.take() else { return };
        if let Err(error) = self.write(before.trim()) {
            tracing::warn!("{error}; the group keeps the last limit of the search");
        }
    }
}

pub(super) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| {
        Error::new(ErrorKind::Io, format!("{} cannot be read", path.display())).caused_by(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with these files, named and filled as the kernel does.
    fn group(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
        folder
    }

    #[test]
    fn both_versions_are_limited_and_restored() {
        let one = [
            ("cpu.cfs_quota_us", "-1\n"),
            ("cpu.cfs_period_us", "50000\n"),
            ("cpu.stat", "nr_periods 9\nnr_throttled 7\n"),
        ];
        let two = [("cpu.max", "max 100000\n"), ("cpu.stat", "usage_usec 5\nnr_throttled 7\n")];
        for (files, limited, restored) in
            [(&one[..], "12500", "-1"), (&two[..], "25000 100000", "max 100000")]
        {
            let folder = group(files);
            let file = folder.path().join(files[0].0);
            let quota = CpuQuota::open(folder.path()).unwrap();
            quota.limit(0.25).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), limited);
            assert_eq!(quota.throttled_periods().unwrap(), 7);
            drop(quota);
            assert_eq!(fs::read_to_string(&file).unwrap(), restored);
        }
    }

    #[test]
    fn a_folder_that_is_no_group_is_named() {
        let folder = group(&[]);
        let error = CpuQuota::open(folder.path()).unwrap_err();
        assert!(error.to_string().contains(&folder.path().display().to_string()), "{error}");
    }
}
