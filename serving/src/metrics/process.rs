//! Figures of the process, as Linux tells them; nothing elsewhere.

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Ticks per second of the times in `/proc`: `USER_HZ` is 100 on every architecture that Linux still builds for.
const TICKS_PER_SECOND: u64 = 100;

/// Writes Prometheus' conventional process metrics.
pub(super) fn encode(encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    if let Some(time) = cpu_time() {
        let (name, help) = ("process_cpu_seconds", "CPU time of the process");
        let family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        ConstCounter::new(time.as_secs_f64()).encode(family)?;
    }
    if let Some(bytes) = resident_bytes() {
        let (name, help) = ("process_resident_memory_bytes", "Resident memory of the process");
        let family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        ConstGauge::new(bytes).encode(family)?;
    }
    Ok(())
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
