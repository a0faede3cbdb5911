//! The room that a server under test is given: processors and memory, by a control group or by Docker.

use std::path::PathBuf;

use crate::capacity::hook::output;
use crate::capacity::memory::processes;
use crate::capacity::{CpuQuota, Hook, MemoryLimit};
use crate::error::{Error, ErrorKind, Result};

/// Where Docker's containers have their control groups, by the version of the kernel's interface.
const GROUPS: &str = "/sys/fs/cgroup";

/// Where the server under test runs, so that its limits can be set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Folder of the control group whose processor quota is set.
    pub cpu_group: Option<PathBuf>,
    /// Folder of the control group whose memory limit is set; version 2 has one folder for both.
    pub memory_group: Option<PathBuf>,
    /// Starts the server anew in that group; without it, its memory cannot be searched.
    pub restart: Option<Hook>,
    /// Name of a Docker container instead: `docker update` sets its limits, `docker restart` starts it anew.
    pub container: Option<String>,
}

/// A place whose limits are held; they are put back when it is dropped.
#[derive(Debug)]
pub(super) struct Room {
    cpu: Option<CpuQuota>,
    memory: Option<MemoryLimit>,
    group: Option<PathBuf>,
    restart: Option<Hook>,
    container: Option<Container>,
}

impl Room {
    pub(super) async fn open(place: &Place) -> Result<Self> {
        if let Some(name) = &place.container {
            if place.cpu_group.is_some() || place.memory_group.is_some() {
                return Err(Error::plan("a container has its own control group; name one or the other"));
            }
            let container = Container::find(name).await?;
            let (cpu, group) = (CpuQuota::open(container.folder("cpu"))?.watching(), container.folder("cpu"));
            let memory = MemoryLimit::open(container.folder("memory"))?.watching();
            let container = Some(container);
            return Ok(Self {
                cpu: Some(cpu),
                memory: Some(memory),
                group: Some(group),
                restart: None,
                container,
            });
        }
        let cpu = place.cpu_group.as_ref().map(CpuQuota::open).transpose()?;
        let memory = place.memory_group.as_ref().map(MemoryLimit::open).transpose()?;
        if memory.is_some() && place.restart.is_none() {
            return Err(Error::plan(
                "the memory of a server that runs already says little; name the command that starts it anew",
            ));
        }
        let group = place.cpu_group.clone().or_else(|| place.memory_group.clone());
        Ok(Self { cpu, memory, group, restart: place.restart.clone(), container: None })
    }

    pub(super) fn limits_cpu(&self) -> bool {
        self.cpu.is_some()
    }

    pub(super) fn limits_memory(&self) -> bool {
        self.memory.is_some()
    }

    /// The processes of the server, if its group is known.
    pub(super) fn processes(&self) -> Result<Vec<u32>> {
        self.group.as_deref().map_or(Ok(Vec::new()), processes)
    }

    pub(super) async fn limit_cpu(&self, cores: f64) -> Result<()> {
        match (&self.container, &self.cpu) {
            (Some(container), _) => container.limit_cpu(cores).await,
            (None, Some(quota)) => quota.limit(cores),
            (None, None) => Ok(()),
        }
    }

    /// Throttled periods and all periods so far.
    pub(super) fn periods(&self) -> Result<(u64, u64)> {
        self.cpu.as_ref().map_or(Ok((0, 0)), |quota| Ok((quota.throttled_periods()?, quota.periods()?)))
    }

    /// Starts the server with all the memory there is, and then limits it; `false` if it holds more than that already.
    pub(super) async fn restart_with_memory(&self, bytes: u64) -> Result<bool> {
        if let Some(container) = &self.container {
            container.lift_memory().await?;
            container.restart().await?;
            return container.limit_memory(bytes).await;
        }
        let Some(memory) = &self.memory else { return Ok(true) };
        memory.lift()?;
        if let Some(hook) = &self.restart {
            hook.run(&[]).await?;
        }
        memory.limit(bytes)
    }

    /// Lets the server have all the memory there is, and starts it anew.
    pub(super) async fn recover(&self) -> Result<()> {
        self.restart_with_memory(ALL_MEMORY).await.map(drop)
    }

    pub(super) fn kills(&self) -> u64 {
        self.memory.as_ref().map_or(0, MemoryLimit::kills)
    }

    /// Whether the kernel has killed the server for want of memory since it had killed so many, or its container was started.
    pub(super) async fn was_killed(&self, before: u64) -> Result<bool> {
        match &self.container {
            // Its control group, and what that had counted, went with it.
            Some(container) => container.was_killed().await,
            None => Ok(self.kills() > before),
        }
    }
}

/// A container of Docker's.
#[derive(Debug)]
struct Container {
    name: String,
    /// Its control group below the root of each hierarchy, for example `/docker/<id>`.
    path: String,
    /// It was started with `--cpus`, which Docker then wants to be asked for and not for a quota.
    has_cpus: bool,
    /// What `docker update` has to be told to put the limits back.
    before: Vec<String>,
}

/// What Docker takes for as much memory as there is: it has no word for it once a limit was set.
const ALL_MEMORY: u64 = 1 << 50;

impl Container {
    async fn find(name: &str) -> Result<Self> {
        let format = "{{.State.Pid}} {{.HostConfig.NanoCpus}} {{.HostConfig.CpuQuota}} {{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}";
        let inspect = ["inspect", "--type", "container", "--format", format, name];
        let found = output("docker", inspect.map(str::to_owned).to_vec()).await?;
        let mut fields = found.split(' ').map(|field| field.parse::<u64>().unwrap_or(0));
        let mut field = || fields.next().unwrap_or(0);
        let [pid, cpus, quota, memory, swap] = std::array::from_fn(|_| field());
        let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).map_err(|error| {
            Error::new(ErrorKind::Io, format!("container {name} does not run")).caused_by(error)
        })?;
        let path = group_of(&groups).ok_or_else(|| {
            Error::new(ErrorKind::Io, format!("the control group of container {name} cannot be found"))
        })?;
        let has_cpus = cpus > 0;
        let cpu = if has_cpus {
            format!("--cpus={}.{:09}", cpus / 1_000_000_000, cpus % 1_000_000_000)
        } else {
            format!("--cpu-quota={}", if quota == 0 { "-1".to_owned() } else { quota.to_string() })
        };
        let (memory, swap) = match (memory, swap) {
            (0, _) => (ALL_MEMORY, ALL_MEMORY.to_string()),
            // Docker's word for any amount.
            (memory, 0) => (memory, "-1".to_owned()),
            (memory, swap) => (memory, swap.to_string()),
        };
        let before = vec![cpu, format!("--memory={memory}"), format!("--memory-swap={swap}")];
        Ok(Self { name: name.to_owned(), path: path.to_owned(), has_cpus, before })
    }

    /// Its folder in the hierarchy of a controller; version 2 has one for all.
    fn folder(&self, controller: &str) -> PathBuf {
        let path = self.path.trim_start_matches('/');
        let one = PathBuf::from(GROUPS).join(controller).join(path);
        if one.exists() { one } else { PathBuf::from(GROUPS).join(path) }
    }

    async fn limit_cpu(&self, cores: f64) -> Result<()> {
        let limit = if self.has_cpus {
            vec![format!("--cpus={cores:.3}")]
        } else {
            vec!["--cpu-period=100000".to_owned(), format!("--cpu-quota={:.0}", cores * 1e5)]
        };
        self.update(limit).await
    }

    /// Docker refuses what the kernel refuses: less than the processes hold.
    async fn limit_memory(&self, bytes: u64) -> Result<bool> {
        // Never -1 for the swap: version 1 takes no more memory than memory with swap, and Docker sets that last.
        let limit = vec![format!("--memory={bytes}"), format!("--memory-swap={bytes}")];
        match self.update(limit).await {
            // Or it is dead already, or the limit is below what Docker takes at all.
            Err(error)
                if ["busy", "stopped", "Minimum memory limit"]
                    .iter()
                    .any(|word| error.to_string().contains(word)) =>
            {
                Ok(false)
            }
            updated => updated.map(|()| true),
        }
    }

    async fn update(&self, limits: Vec<String>) -> Result<()> {
        let arguments = std::iter::once("update".to_owned()).chain(limits).chain([self.name.clone()]);
        output("docker", arguments.collect()).await.map(drop)
    }

    /// A limit that was set by Docker comes back when the container starts again.
    async fn lift_memory(&self) -> Result<()> {
        self.limit_memory(ALL_MEMORY).await.map(drop)
    }

    async fn was_killed(&self) -> Result<bool> {
        let inspect = ["inspect", "--type", "container", "--format", "{{.State.OOMKilled}}", &self.name];
        Ok(output("docker", inspect.map(str::to_owned).to_vec()).await?.trim() == "true")
    }

    async fn restart(&self) -> Result<()> {
        output("docker", ["restart", "-t", "5", &self.name].map(str::to_owned).to_vec()).await.map(drop)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let mut command = std::process::Command::new("docker");
        command.arg("update").args(&self.before).arg(&self.name);
        if !command.output().is_ok_and(|output| output.status.success()) {
            tracing::warn!("container {} keeps the last limits of the search", self.name);
        }
    }
}

/// The path of the group with processors, from `/proc/<pid>/cgroup`: `4:cpu,cpuacct:/docker/<id>`, or `0::/…`.
fn group_of(groups: &str) -> Option<&str> {
    let fields = groups.lines().map(|line| line.splitn(3, ':').collect::<Vec<_>>());
    let mut named = fields.filter_map(|line| <[&str; 3]>::try_from(line).ok());
    let has_cpu =
        |controllers: &str| controllers.is_empty() || controllers.split(',').any(|one| one == "cpu");
    named.find(|[_, controllers, _]| has_cpu(controllers)).map(|[_, _, path]| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_of_a_process_is_found_in_both_versions() {
        let one = "9:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/system.slice\n";
        assert_eq!(group_of(one), Some("/docker/abc"));
        assert_eq!(group_of("0::/system.slice/docker-abc.scope\n"), Some("/system.slice/docker-abc.scope"));
        assert_eq!((group_of(""), group_of("9:cpuset:/x")), (None, None));
    }

    #[tokio::test]
    async fn a_place_that_contradicts_itself_is_refused() {
        let memory = tempfile::tempdir().unwrap();
        std::fs::write(memory.path().join("memory.max"), "max\n").unwrap();
        let place = Place { memory_group: Some(memory.path().into()), ..Place::default() };
        assert!(Room::open(&place).await.unwrap_err().to_string().contains("starts it anew"));
        let place = Place { container: Some("x".to_owned()), ..place };
        assert!(Room::open(&place).await.unwrap_err().to_string().contains("one or the other"));
    }
}
