//! The thread that writes the lines.

use std::{
    fs::OpenOptions,
    io::{self, BufWriter, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

use super::{AccessLog, AccessLogFormat};

/// Takes lines without ever waiting; clones share the thread, which ends, with everything written, after the last one.
#[derive(Debug, Clone)]
pub(crate) struct LogWriter {
    shared: Arc<Shared>,
    pub(super) format: AccessLogFormat,
}

#[derive(Debug)]
struct Shared {
    /// `None` once the log is closed.
    lines: Mutex<Option<SyncSender<String>>>,
    lost: Arc<AtomicU64>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl LogWriter {
    /// Opens the log.
    pub(crate) fn open(log: &AccessLog) -> io::Result<Self> {
        let to: Box<dyn Write + Send> = match &log.file {
            Some(path) => Box::new(OpenOptions::new().create(true).append(true).open(path)?),
            None => Box::new(io::stdout()),
        };
        let (sender, lines) = sync_channel(AccessLog::BACKLOG);
        let lost = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&lost);
        let name = "access-log".to_owned();
        let thread = std::thread::Builder::new().name(name).spawn(move || write(&lines, to, &counted))?;
        let shared = Shared { lines: Mutex::new(Some(sender)), lost, thread: Mutex::new(Some(thread)) };
        Ok(Self { shared: Arc::new(shared), format: log.format })
    }

    pub(super) fn put(&self, line: String) {
        let lines = self.shared.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.as_ref().is_some_and(|lines| lines.try_send(line).is_err()) {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns how many lines were not written.
    pub(crate) fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        *self.lines.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // It has the rest of the lines to write; that it panicked would have been reported.
            let _ended = thread.join();
        }
    }
}

fn write(lines: &Receiver<String>, to: Box<dyn Write + Send>, lost: &AtomicU64) {
    let (mut to, mut failing) = (BufWriter::new(to), false);
    while let Ok(first) = lines.recv() {
        // What came meanwhile goes with it; then nothing is kept back.
        let mut written = writeln!(to, "{first}");
        let mut count = 1;
        for line in lines.try_iter().take(AccessLog::BACKLOG) {
            written = written.and_then(|()| writeln!(to, "{line}"));
            count += 1;
        }
        let result = written.and_then(|()| to.flush());
        if let Err(error) = &result {
            lost.fetch_add(count, Ordering::Relaxed);
            if !failing {
                tracing::warn!(%error, "the access log cannot be written; requests go on without it");
            }
        }
        failing = result.is_err();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_written_when_the_last_handle_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        for run in 0..2 {
            let writer = LogWriter::open(&AccessLog::to_file(&path, AccessLogFormat::Combined)).unwrap();
            let other = writer.clone();
            for number in 0..500 {
                writer.put(format!("{run} {number}"));
            }
            drop(writer);
            assert_eq!(other.lost(), 0);
        }
        let written = std::fs::read_to_string(&path).unwrap();
        assert_eq!(written.lines().count(), 1_000, "the second run appends");
        assert!(written.ends_with("1 499\n"));
    }

    #[test]
    fn a_folder_is_no_log() {
        let folder = tempfile::tempdir().unwrap();
        assert!(LogWriter::open(&AccessLog::to_file(folder.path(), AccessLogFormat::Json)).is_err());
    }
}
