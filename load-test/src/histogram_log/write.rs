//! Writing a log while a test runs.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};

use crate::error::{Error, ErrorKind, Result};
use crate::histogram_log::words::{EndWord, FAILED, LATENESS, MARK, PlanWord, SecondWord, Word, tag};
use crate::plan::Plan;
use crate::record::Latencies;
use crate::report::Report;
use crate::report::file::sync;
use crate::tick::{Progress, Tick};

/// The histograms of a test, written second by second: what was measured until then survives a crash.
///
/// ```no_run
/// use martello_load_test::{Plan, histogram_log::HistogramLog};
///
/// # async fn example() -> martello_load_test::Result<()> {
/// let plan = Plan::builder("http://127.0.0.1:8000").build()?;
/// let mut log = HistogramLog::create("first.hlog", &plan)?;
/// let report = plan.run_watched(std::future::pending(), |second| log.append(second)).await?;
/// log.finish(&report)?;
///
/// let report = martello_load_test::histogram_log::merge(["first.hlog", "second.hlog"])?;
/// println!("{report}");
/// # Ok(())
/// # }
/// ```
pub struct HistogramLog {
    path: PathBuf,
    file: BufWriter<File>,
    serializer: V2DeflateSerializer,
    tags: Vec<String>,
    /// The first failure, told at the end: a full disk must not end a test.
    failed: Option<io::Error>,
}

impl std::fmt::Debug for HistogramLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HistogramLog").field("path", &self.path).finish_non_exhaustive()
    }
}

impl HistogramLog {
    /// Creates the file and writes its head; call it right before the test, whose start it notes.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] with the path.
    pub fn create(path: impl Into<PathBuf>, plan: &Plan) -> Result<Self> {
        let path = path.into();
        let file = File::create(&path).map_err(|error| unwritten(&path, error))?;
        let requests = plan.0.requests().iter().enumerate();
        let tags = requests.map(|(place, one)| tag(place, one.method().as_str(), &one.name)).collect();
        let serializer = V2DeflateSerializer::new();
        let mut log = Self { path, file: BufWriter::new(file), serializer, tags, failed: None };
        log.head(plan).map_err(|error| unwritten(&log.path, error))?;
        Ok(log)
    }

    /// Writes the second that is just over.
    ///
    /// A failure is kept for [`finish`](Self::finish), so that it does not end the test.
    pub fn append(&mut self, progress: &Progress<'_>) {
        if self.failed.is_none() {
            self.failed = self.second(progress).err();
        }
    }

    /// Writes what is known at the end, and makes sure that all of it is on the disk.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] with the path if this or any second could not be written.
    pub fn finish(mut self, report: &Report) -> Result<()> {
        let written = match self.failed.take() {
            Some(error) => Err(error),
            None => self
                .word(&Word::End(EndWord::from(report)))
                .and_then(|()| self.file.flush())
                .and_then(|()| sync(self.file.get_ref())),
        };
        written.map_err(|error| unwritten(&self.path, error))
    }

    fn head(&mut self, plan: &Plan) -> io::Result<()> {
        let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        writeln!(self.file, "#[Latencies in microseconds, logged by martello-load-test]")?;
        writeln!(self.file, "#[Histogram log format version 1.3]")?;
        writeln!(self.file, "#[StartTime: {start:.3} (seconds since epoch)]")?;
        self.word(&Word::Plan(PlanWord::from(&*plan.0)))?;
        writeln!(
            self.file,
            "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\""
        )?;
        self.file.flush()
    }

    fn second(&mut self, progress: &Progress<'_>) -> io::Result<()> {
        let (tick, second) = (progress.tick(), progress.second());
        for (place, counts) in second.by_request().iter().enumerate() {
            let tag = self.tags[place].clone();
            self.histogram(&tag, tick, counts.latency_of_successes())?;
            self.histogram(&(tag + FAILED), tick, counts.latency_of_failures())?;
        }
        self.histogram(LATENESS, tick, second.lateness())?;
        self.word(&Word::Second(SecondWord {
            elapsed_seconds: tick.elapsed.as_secs_f64(),
            lasted_seconds: tick.lasted.as_secs_f64(),
            users: tick.users,
            held_users: progress.held_users(),
            counts: second.counts(),
        }))?;
        self.file.flush()
    }

    fn histogram(&mut self, tag: &str, tick: &Tick, latencies: &Latencies) -> io::Result<()> {
        if latencies.count() == 0 {
            return Ok(());
        }
        let mut bytes = Vec::new();
        self.serializer.serialize(latencies.histogram(), &mut bytes).map_err(io::Error::other)?;
        let seconds = |time: Duration| time.as_secs_f64();
        let start = seconds(tick.elapsed.saturating_sub(tick.lasted));
        // Readers expect the largest value in milliseconds, whatever the unit of the histogram.
        let most = seconds(latencies.max()) * 1e3;
        writeln!(
            self.file,
            "Tag={tag},{start:.3},{:.3},{most:.3},{}",
            seconds(tick.lasted),
            BASE64.encode(bytes)
        )
    }

    fn word(&mut self, word: &Word) -> io::Result<()> {
        writeln!(self.file, "{MARK}{}", serde_json::to_string(word)?)
    }
}

fn unwritten(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("histogram log cannot be written to {}", path.display()))
        .caused_by(error)
}
