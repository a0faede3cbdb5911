//! One operation on a registry, with what it cost this process; `benches/registry.py` runs it beside Python's client.
//!
//! `transfer TRACKING_URI publish FILE TIMES`, `transfer TRACKING_URI fetch MODEL TIMES` and `transfer TRACKING_URI alias MODEL TIMES` print
//! one line of JSON: CPU seconds and wall seconds of one repetition, and the most memory that was resident, in KiB.

#![allow(clippy::print_stdout, reason = "the line of JSON is what this program is for")]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use martello_registry_client::{Cache, NewRun, Publication, Registry, Stage};

/// How often the kernel counts a process's time: 100 times a second on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    let [address, operation, what, times] = arguments.as_slice() else {
        println!("nothing to do: benches/registry.py says what");
        return Ok(());
    };
    let registry = Registry::connect(address).await?;
    let times: u32 = times.parse()?;
    let (cpu, start) = (cpu_seconds()?, Instant::now());
    for _ in 0..times {
        match operation.as_str() {
            "publish" => publish(&registry, Path::new(what)).await?,
            "fetch" => fetch(&registry, what).await?,
            "alias" => drop(registry.models().get_version_by_alias(what, "champion").await?),
            other => return Err(format!("{other} is no operation").into()),
        }
    }
    let each = |seconds: f64| seconds / f64::from(times);
    let (cpu, wall) = (each(cpu_seconds()? - cpu), each(start.elapsed().as_secs_f64()));
    println!(r#"{{"cpu": {cpu}, "wall": {wall}, "peak_kib": {}}}"#, peak_kib()?);
    Ok(())
}

/// Publishes the file as a model of its name, and puts the version in charge.
async fn publish(registry: &Registry, file: &Path) -> Outcome<()> {
    let name = file.file_name().and_then(|it| it.to_str()).ok_or("the file has no name")?;
    let run = registry.tracking().create_run(NewRun::in_experiment("0")).await?;
    let publication = Publication::of(name, &run, Vec::new()).file("weights.bin", file);
    let version = registry.publish(publication).await?.version;
    registry.promote(name, version, Stage::Production, Some("champion")).await?;
    Ok(())
}

/// Fetches into an empty cache.
async fn fetch(registry: &Registry, name: &str) -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    registry.fetch(&format!("models:/{name}@champion").parse()?, &Cache::open(dir.path())?).await?;
    Ok(())
}

/// User and system time of this process.
fn cpu_seconds() -> Outcome<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, after_name) = stat.rsplit_once(')').ok_or("no process name")?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / TICKS_PER_SECOND)
}

fn peak_kib() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no peak")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
