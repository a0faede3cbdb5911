//! A disk that is full at any moment of a training: nothing half-made is registered, and the next training mends what was left.
//!
//! Needs a small file system of its own, so the right to mount one; without it, the test says that it was skipped.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use martello_registry_client::{Cache, Query, Registry, RunField, RunStatus, VersionField};
use martello_trainer::{Outcome, TrainingJob, WhenPresent};

/// A file system of 24 MiB, six times what the write-ahead log grows to, gone with the value.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=24m", "martello-test"])
            .arg(dir.path())
            .output();
        if mounted.is_ok_and(|it| it.status.success()) {
            return Some(Self(dir));
        }
        eprintln!("SKIPPED: a small file system cannot be mounted here");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Fills the disk but for so many bytes; returns the file that does.
    fn fill_but(&self, spare: usize) -> PathBuf {
        let path = self.path().join("filler");
        let mut filler = fs::File::create(&path).unwrap();
        while filler.write_all(&[1; 4096]).is_ok() {}
        let len = filler.metadata().unwrap().len();
        filler.set_len(len.saturating_sub(spare as u64)).unwrap();
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.path()).output());
    }
}

async fn with_status(registry: &Registry, status: RunStatus) -> usize {
    let query = Query::new().equals(RunField::Status, status.as_str());
    registry.tracking().search_runs(&query).await.unwrap().items.len()
}

/// Every version that can be seen can be fetched.
async fn check_versions(registry: &Registry, job: &TrainingJob, scratch: &Path) -> usize {
    let cache = Cache::open(scratch).unwrap();
    let query = Query::new().equals(VersionField::Name, job.model_name());
    let versions = registry.models().search_versions(&query).await.unwrap().items;
    for version in &versions {
        let uri = format!("models:/{}/{}", version.name, version.version).parse().unwrap();
        registry.fetch(&uri, &cache).await.unwrap();
    }
    versions.len()
}

#[tokio::test]
async fn a_training_that_runs_out_of_disk_leaves_nothing_half_made() {
    let Some(disk) = SmallDisk::mount() else { return };
    let scratch = tempfile::tempdir().unwrap();
    let data = disk.path().join("data");
    let registry = Registry::embedded(&data).await.unwrap();
    let job = TrainingJob::linear_regression().when_present(WhenPresent::Retrain);
    job.run(&registry).await.unwrap();
    let (mut failed, mut trained, mut left_running) = (0, 0, 0);
    for spare in (0..50).step_by(3).map(|pages| pages * 4096) {
        let filler = disk.fill_but(spare);
        match job.run(&registry).await {
            Ok(_) => trained += 1,
            Err(error) => {
                failed += 1;
                assert!(!error.to_string().is_empty());
            }
        }
        fs::remove_file(filler).unwrap();
        check_versions(&registry, &job, scratch.path()).await;
        left_running += with_status(&registry, RunStatus::Running).await;
        // With room again, the next training works, and ends what nobody could end before.
        assert!(matches!(job.run(&registry).await.unwrap(), Outcome::Trained { .. }), "{spare}");
        assert_eq!(with_status(&registry, RunStatus::Running).await, 0, "{spare}");
        for version in registry.models().search_versions(&Query::new()).await.unwrap().items.iter().skip(2) {
            // Room for the next round.
            fs::remove_dir_all(version.source.strip_prefix("file://").unwrap()).unwrap();
            registry.models().delete_version(&version.name, version.version).await.unwrap();
        }
    }
    assert!(failed > 0 && trained > 0, "{failed} failed, {trained} trained, {left_running} runs were left");
    drop(registry);
    let reopened = Registry::embedded(&data).await.unwrap();
    assert!(check_versions(&reopened, &job, scratch.path()).await > 0);
}
