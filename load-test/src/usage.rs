//! CPU time and memory of processes: the generator's own, and the server's when its pid is known.

use std::fs;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};

/// Clock ticks a second in `/proc/<pid>/stat`: `USER_HZ`, 100 in the kernel's interface on every
/// architecture that Rust's standard library supports there (proc(5)).
const TICKS_PER_SECOND: u64 = 100;

/// What one process used while a test ran.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessUsage {
    /// The process.
    pub pid: u32,
    /// Processor time, user and system, of all its threads during the test.
    pub cpu: Duration,
    /// The most memory (resident set, bytes) that it held at any time since it started.
    pub peak_memory: u64,
}

impl ProcessUsage {
    /// A process that is not known.
    #[cfg(feature = "histogram-log")]
    pub(crate) fn none() -> Self {
        Self { pid: 0, cpu: Duration::ZERO, peak_memory: 0 }
    }
}

impl Serialize for ProcessUsage {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut fields = serializer.serialize_struct("ProcessUsage", 3)?;
        fields.serialize_field("pid", &self.pid)?;
        fields.serialize_field("cpu_seconds", &self.cpu.as_secs_f64())?;
        fields.serialize_field("peak_memory_bytes", &self.peak_memory)?;
        fields.end()
    }
}

/// Measures one process from now on; the last reading stands when it ends before the test does.
#[derive(Debug)]
pub(crate) struct Meter {
    pid: u32,
    cpu_before: Duration,
    now: Reading,
}

#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    cpu: Duration,
    peak_memory: u64,
}

impl Meter {
    pub(crate) fn own() -> Self {
        let now = read_own();
        Self { pid: std::process::id(), cpu_before: now.cpu, now }
    }

    pub(crate) fn of(pid: u32) -> Result<Self> {
        let gone = || {
            let message =
                format!("process {pid} cannot be watched; is it running, and is this Linux with /proc");
            Error::new(ErrorKind::TooFewResources, message)
        };
        let now = read(pid).ok_or_else(gone)?;
        Ok(Self { pid, cpu_before: now.cpu, now })
    }

    pub(crate) fn refresh(&mut self) {
        let reading = if self.pid == std::process::id() { Some(read_own()) } else { read(self.pid) };
        if let Some(reading) = reading {
            self.now = reading;
        }
    }

    pub(crate) fn usage(&self) -> ProcessUsage {
        let cpu = self.now.cpu.saturating_sub(self.cpu_before);
        ProcessUsage { pid: self.pid, cpu, peak_memory: self.now.peak_memory }
    }
}

/// `getrusage` counts CPU to the microsecond. Its memory peak includes what the parent held when it
/// forked this process, so `/proc` is asked first.
fn read_own() -> Reading {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return Reading::default() };
    let time = |seconds: i64, micros: i64| {
        Duration::from_secs(seconds.unsigned_abs()) + Duration::from_micros(micros.unsigned_abs())
    };
    let (user, system) = (usage.user_time(), usage.system_time());
    let cpu = time(user.tv_sec(), user.tv_usec()) + time(system.tv_sec(), system.tv_usec());
    let peak = || {
        let unit = if cfg!(target_vendor = "apple") { 1 } else { 1024 };
        usage.max_rss().unsigned_abs() * unit
    };
    Reading { cpu, peak_memory: peak_memory(std::process::id()).unwrap_or_else(peak) }
}

fn read(pid: u32) -> Option<Reading> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(Reading { cpu: cpu_time(&stat)?, peak_memory: peak_memory(pid)? })
}

/// Fields 14 and 15 of `/proc/<pid>/stat`, counted after the command name, which may hold anything.
fn cpu_time(stat: &str) -> Option<Duration> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

fn peak_memory(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_behind_a_command_name_with_spaces_and_brackets() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 1 0";
        assert_eq!(cpu_time(stat), Some(Duration::from_secs(2)));
        assert_eq!(cpu_time("garbage"), None);
        assert_eq!(cpu_time("7 (a) S 1"), None);
    }

    #[test]
    fn work_done_by_this_process_shows_as_its_cpu_time() {
        let mut meter = Meter::own();
        let mut sum = 0_u64;
        while meter.usage().cpu < Duration::from_millis(20) {
            (0..100_000_u64).for_each(|number| sum = std::hint::black_box(sum ^ number));
            meter.refresh();
        }
        assert!(meter.usage().peak_memory > 100_000);
    }

    #[test]
    fn a_process_that_does_not_exist_is_named() {
        let error = Meter::of(u32::MAX).unwrap_err();
        assert!(error.to_string().contains("4294967295"), "{error}");
    }
}
