//! Reading a log back, with the line of every mistake.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::serialization::Deserializer;

use crate::error::{Error, ErrorKind, Result};
use crate::histogram_log::words::{EndWord, LATENESS, MARK, PlanWord, SCHEMA, SecondWord, Word, parse_tag};
use crate::record::{Latencies, Statistics};

/// The longest log that is read: a day of seconds, each with ten requests, is about 1 GB.
pub const MAX_LOG_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// The largest histogram that is unpacked, in bytes of its packed text: one of every value up to a day takes a tenth.
const MAX_HISTOGRAM: usize = 1024 * 1024;

/// One generator's log.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) name: String,
    pub(super) started: SystemTime,
    pub(super) plan: PlanWord,
    pub(super) seconds: Vec<Second>,
    /// Missing if the generator did not come to its end.
    pub(super) end: Option<EndWord>,
}

/// One second of one generator.
#[derive(Debug)]
pub(super) struct Second {
    pub(super) elapsed: Duration,
    pub(super) lasted: Duration,
    pub(super) users: usize,
    pub(super) held_users: Option<usize>,
    pub(super) statistics: Statistics,
}

impl Log {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let unread = |error| {
            Error::new(ErrorKind::Io, format!("histogram log {name} cannot be read")).caused_by(error)
        };
        let mut text = String::new();
        let file = File::open(path).map_err(unread)?;
        file.take(MAX_LOG_BYTES + 1).read_to_string(&mut text).map_err(unread)?;
        if text.len() as u64 > MAX_LOG_BYTES {
            return Err(Error::text(format!("histogram log {name} is longer than {MAX_LOG_BYTES} bytes")));
        }
        Parser::default().parse(name, &text)
    }
}

#[derive(Default)]
struct Parser {
    started: Option<SystemTime>,
    plan: Option<PlanWord>,
    /// What the histograms so far have of the second under way.
    open: Option<Statistics>,
    seconds: Vec<Second>,
    end: Option<EndWord>,
    deserializer: Deserializer,
}

impl Parser {
    fn parse(mut self, name: String, text: &str) -> Result<Log> {
        // A generator that was killed leaves half a line, which is not a mistake of anybody.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for (place, line) in whole.lines().enumerate() {
            self.line(line)
                .map_err(|what| Error::text(format!("histogram log {name}, line {}: {what}", place + 1)))?;
        }
        let missing = |what: &str| {
            Error::text(format!(
                "histogram log {name} has no {what}; was it written by `martello load --hdr`?"
            ))
        };
        let started = self.started.ok_or_else(|| missing("start time"))?;
        let plan = self.plan.ok_or_else(|| missing("plan"))?;
        Ok(Log { name, started, plan, seconds: self.seconds, end: self.end })
    }

    fn line(&mut self, line: &str) -> std::result::Result<(), String> {
        if let Some(word) = line.strip_prefix(MARK) {
            return self.word(word);
        }
        if let Some(start) = line.strip_prefix("#[StartTime: ") {
            let seconds = start.split(|c: char| c.is_whitespace() || c == ']').next();
            let seconds = seconds.and_then(|text| text.parse().ok());
            let since = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            self.started = since.and_then(|since| UNIX_EPOCH.checked_add(since));
            return Ok(());
        }
        if line.starts_with(['#', '"']) || line.is_empty() {
            return Ok(());
        }
        self.histogram(line)
    }

    fn word(&mut self, text: &str) -> std::result::Result<(), String> {
        let word: Word = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match word {
            Word::Plan(plan) if plan.schema != SCHEMA => {
                return Err(format!("expected schema {SCHEMA}, found {:?}", plan.schema));
            }
            Word::Plan(plan) => {
                self.open = Some(Statistics::new(plan.requests.len()));
                self.plan = Some(plan);
            }
            Word::Second(second) => {
                let requests = self.plan.as_ref().map_or(0, |plan| plan.requests.len());
                let empty = Statistics::new(requests);
                let mut statistics = self.open.replace(empty).ok_or("a second before the plan")?;
                statistics.add_counts(&second.counts);
                self.seconds.push(Second::new(&second, statistics).ok_or("expected times from 0")?);
            }
            Word::End(end) => self.end = Some(end),
        }
        Ok(())
    }

    fn histogram(&mut self, line: &str) -> std::result::Result<(), String> {
        let mut fields = line.splitn(5, ',');
        let mut field = || fields.next().ok_or("expected a tag, three numbers and a histogram");
        let tag = field()?.strip_prefix("Tag=").ok_or("expected a tag")?;
        for _ in 0..3 {
            field()?.parse::<f64>().map_err(|_| "expected a number before the histogram")?;
        }
        let packed = field()?;
        let latencies = self.unpack(packed)?;
        let open = self.open.as_mut().ok_or("a histogram before the plan")?;
        if tag == LATENESS {
            open.add_lateness(&latencies);
            return Ok(());
        }
        let (request, failed) = parse_tag(tag).ok_or("expected a tag such as 0:POST:/predict")?;
        if request >= open.by_request().len() {
            return Err(format!("the plan has no request {request}"));
        }
        open.add_requests(request, failed, &latencies);
        Ok(())
    }

    fn unpack(&mut self, packed: &str) -> std::result::Result<Latencies, String> {
        if packed.len() > MAX_HISTOGRAM {
            return Err(format!("a histogram of more than {MAX_HISTOGRAM} bytes"));
        }
        let bytes = BASE64.decode(packed.trim_end()).map_err(|error| format!("no base64: {error}"))?;
        let histogram = self.deserializer.deserialize(&mut bytes.as_slice());
        let histogram = histogram.map_err(|error| format!("no histogram in V2 encoding: {error}"))?;
        Latencies::from_histogram(&histogram).ok_or_else(|| "expected histograms of three digits".to_owned())
    }
}

impl Second {
    fn new(word: &SecondWord, statistics: Statistics) -> Option<Self> {
        let elapsed = Duration::try_from_secs_f64(word.elapsed_seconds).ok()?;
        let lasted = Duration::try_from_secs_f64(word.lasted_seconds).ok()?;
        Some(Self { elapsed, lasted, users: word.users, held_users: word.held_users, statistics })
    }
}
