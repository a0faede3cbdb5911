//! A job that is asked to stop ends its run as killed and registers nothing, or it was too late and everything is there.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod support;

use std::future::ready;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use martello_registry_client::RunStatus;
use martello_trainer::{ErrorKind, TrainingJob};
use support::{Embedded, embedded, line, trained};
use tokio::task::yield_now;

/// Linux' number for opening without waiting for the other end.
const O_NONBLOCK: i32 = 0o4000;

async fn assert_stopped(world: &Embedded, job: &TrainingJob, stop: impl Future<Output = ()>) {
    let error = job.run_until(&world.registry, stop).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stopped, "{error}");
    assert!(!error.is_callers_fault());
    assert!(world.versions(job.model_name()).await.is_empty());
    assert!(world.registry.models().get_model(job.model_name()).await.unwrap_err().is_not_found());
}

/// A file that is read for as long as a test wants: its other end is open and nothing comes.
struct Endless {
    path: PathBuf,
    writer: Option<std::fs::File>,
}

impl Endless {
    fn new(folder: &Path) -> Self {
        let path = folder.join("endless.csv");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        Self { path, writer: None }
    }

    /// Returns once the job reads.
    async fn is_read(&mut self) {
        let mut options = std::fs::File::options();
        options.write(true).custom_flags(O_NONBLOCK);
        while self.writer.is_none() {
            // An error says that nobody reads yet.
            self.writer = options.open(&self.path).ok();
            yield_now().await;
        }
    }
}

#[tokio::test]
async fn before_its_run_it_leaves_none() {
    let world = embedded().await;
    let job = TrainingJob::from_dataset("line", line(1.0));
    assert_stopped(&world, &job, ready(())).await;
    assert!(world.runs("line").await.is_empty());
}

#[tokio::test]
async fn in_the_middle_its_run_is_killed_and_the_next_job_trains() {
    let world = embedded().await;
    let mut data = Endless::new(world.folder.path());
    let job = TrainingJob::from_csv(&data.path, "y").model("line");
    // The run is there while its data are read.
    assert_stopped(&world, &job, data.is_read()).await;
    let runs = world.runs("line").await;
    assert_eq!(runs.iter().map(|run| run.status).collect::<Vec<_>>(), [RunStatus::Killed]);
    assert!(runs[0].end_time.is_some());
    // The reader comes to its end, for nobody.
    drop(data);

    TrainingJob::from_dataset("line", line(1.0)).run(&world.registry).await.unwrap();
    assert!(world.load("models:/line/Production").await.is_ok());
    let killed = world.registry.tracking().get_run(&runs[0].run_id).await.unwrap();
    assert_eq!(killed.status, RunStatus::Killed);
}

#[tokio::test]
async fn while_it_waits_for_another_training_it_leaves_that_alone() {
    let world = embedded().await;
    let mut data = Endless::new(world.folder.path());
    let first = TrainingJob::from_csv(&data.path, "y").model("line");
    let registry = world.registry.clone();
    let first = tokio::spawn(async move { first.run(&registry).await });
    data.is_read().await;
    let second = TrainingJob::from_dataset("line", line(1.0));
    assert_stopped(&world, &second, tokio::time::sleep(Duration::from_millis(100))).await;
    assert_eq!(
        world.runs("line").await.iter().map(|run| run.status).collect::<Vec<_>>(),
        [RunStatus::Running]
    );
    // An empty file is no data.
    drop(data);
    assert_eq!(first.await.unwrap().unwrap_err().kind(), ErrorKind::InvalidData);
}

#[tokio::test]
async fn once_it_registers_it_comes_to_its_end() {
    let world = embedded().await;
    let job = TrainingJob::from_dataset("line", line(1.0));
    let registered = async {
        while world.versions("line").await.is_empty() {
            yield_now().await;
        }
    };
    let outcome = job.run_until(&world.registry, registered).await.unwrap();
    assert_eq!(trained(&outcome).version, 1);
    assert!(world.load("models:/line/Production").await.is_ok());
    assert_eq!(world.runs("line").await[0].status, RunStatus::Finished);
}
