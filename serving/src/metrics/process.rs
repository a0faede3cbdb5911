//! Figures of the process, as Linux tells them; nothing elsewhere.

use std::time::Duration;

use super::exposition::Exposition;

/// Ticks per second of the times in `/proc`: `USER_HZ` is 100 on every architecture that Linux still builds for.
const TICKS_PER_SECOND: u64 = 100;

/// Writes Prometheus' conventional process metrics.
pub(super) fn write(out: &mut Exposition) {
    if let Some(time) = cpu_time() {
        out.family("process_cpu_seconds_total", "counter", "CPU time of the process.");
        out.sample("process_cpu_seconds_total", &[], time.as_secs_f64());
    }
    if let Some(bytes) = resident_bytes() {
        out.family("process_resident_memory_bytes", "gauge", "Resident memory of the process.");
        out.sample("process_resident_memory_bytes", &[], bytes);
    }
}

/// Returns the time on a CPU so far, in user and system mode.
pub(crate) fn cpu_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name, in parentheses, may hold spaces; utime and stime are the 12th and 13th field behind it.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}
