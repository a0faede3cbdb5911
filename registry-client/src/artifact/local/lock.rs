//! One publisher at a time in one place, across processes.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{Claim, Digest, Error, ErrorKind, Location, Result, blocking};

/// How long to wait for another publisher: storing a large model takes a while.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How often to look whether the other one is done.
const RETRY: Duration = Duration::from_millis(20);

/// Takes the lock of a location. There are 256 lock files for all of them, so that they need never be deleted, which cannot be done
/// safely; two locations that share one only wait for each other. The operating system releases the lock of a process
/// that dies.
pub(super) async fn claim(locks: &Path, location: &Location) -> Result<Claim> {
    let digest = Digest::of(location.to_string().as_bytes()).to_string();
    claim_file(locks.join(&digest[..2]), &location.to_string(), "published").await
}

/// Takes the lock of a model. Of another kind than those of locations, so that whoever has one can take one of those.
pub(super) async fn claim_model(locks: &Path, name: &str) -> Result<Claim> {
    let digest = Digest::of(name.as_bytes()).to_string();
    claim_file(locks.join(format!("model-{}", &digest[..2])), &format!("the model {name:?}"), "changed").await
}

async fn claim_file(path: PathBuf, what: &str, done: &str) -> Result<Claim> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let file = path.clone();
        if let Some(lock) = blocking(move || try_lock(&file)).await? {
            return Ok(Claim::new(lock));
        }
        if Instant::now() >= deadline {
            let message =
                format!("{what} is being {done} by another process for over {} s", TIMEOUT.as_secs());
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        sleep(RETRY).await;
    }
}

fn try_lock(path: &PathBuf) -> Result<Option<File>> {
    let refused = |e| Error::io("lock", path, e);
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(refused)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(refused(e)),
    }
}
