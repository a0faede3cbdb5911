//! The balancers that faults are tried on: ours, and nginx and HAProxy as Debian has them.
//!
//! Each is set up as well as its manual allows: connections to replicas are kept, for four seconds; what fails is asked
//! again elsewhere, although it is a POST; what takes two seconds is given up.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::sleep;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Martello,
    Nginx,
    Haproxy,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Martello => "martello",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
        }
    }

    pub(crate) fn is_installed(self) -> bool {
        let found = |name: &str| {
            ["/usr/sbin", "/usr/bin", "/usr/local/sbin"].iter().any(|dir| Path::new(dir).join(name).exists())
        };
        match self {
            Self::Martello => true,
            Self::Nginx | Self::Haproxy => found(self.name()),
        }
    }
}

/// Where a balancer finds its replicas.
#[derive(Clone, Debug)]
pub(crate) enum Upstream {
    Fixed(Vec<SocketAddr>),
    /// By the name `replica.test`, of which this name server knows.
    Name {
        server: SocketAddr,
        port: u16,
        now: Vec<IpAddr>,
    },
}

/// A balancer's process, ended with its handle.
pub(crate) struct Proxy {
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    child: Child,
    folder: PathBuf,
    flags: Vec<String>,
    upstream: Upstream,
}

impl Proxy {
    pub(crate) async fn start(kind: Kind, upstream: Upstream, folder: &Path, flags: &[&str]) -> Self {
        let address = free_address();
        let flags: Vec<String> = flags.iter().map(ToString::to_string).collect();
        let child = launch(kind, &upstream, folder, address, &flags).await;
        Self { kind, address, child, folder: folder.into(), flags, upstream }
    }

    /// Lets another process take the port over, and waits for the end of this one.
    pub(crate) async fn hand_over(&mut self) {
        let successor = launch(self.kind, &self.upstream, &self.folder, self.address, &self.flags).await;
        let mut before = std::mem::replace(&mut self.child, successor);
        match self.kind {
            // The successor has told it to end.
            Kind::Martello => {}
            Kind::Nginx => tell(&before, Signal::SIGQUIT),
            Kind::Haproxy => tell(&before, Signal::SIGUSR1),
        }
        let ended = tokio::time::timeout(Duration::from_secs(60), before.wait()).await;
        ended.expect("the one before ends").expect("the process is ours");
    }

    /// Tells it about another set of replicas in the way that it offers; ours follows the name server by itself.
    pub(crate) async fn scale(&mut self, now: &[IpAddr]) {
        if let Upstream::Name { now: known, .. } = &mut self.upstream {
            *known = now.to_vec();
        }
        if self.kind == Kind::Nginx {
            write_configuration(self.kind, &self.upstream, &self.folder, self.address);
            tell(&self.child, Signal::SIGHUP);
        }
    }

    /// Returns the resident memory of its processes, in megabytes.
    pub(crate) fn memory(&self) -> f64 {
        let own = self.child.id().expect("it was not waited for");
        let children =
            std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        let all = children.split_whitespace().filter_map(|id| id.parse().ok()).chain([own]);
        all.map(resident_megabytes).sum()
    }

    /// Returns what our own balancer's status says.
    pub(crate) async fn status(&self) -> serde_json::Value {
        let body = get(self.address, "/balancer/status").await.unwrap_or_default();
        serde_json::from_str(&body).unwrap_or_default()
    }
}

impl Drop for Proxy {
    /// nginx's workers outlive a master that is killed: it is told to end, and to end them.
    fn drop(&mut self) {
        if self.kind != Kind::Nginx || self.child.id().is_none() {
            return;
        }
        tell(&self.child, Signal::SIGTERM);
        let until = Instant::now() + Duration::from_secs(2);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn resident_megabytes(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or_default() / 1_024.0
}

fn tell(child: &Child, signal: Signal) {
    let id = child.id().expect("it was not waited for");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(id as i32), signal).expect("the process is ours");
}

async fn launch(
    kind: Kind,
    upstream: &Upstream,
    folder: &Path,
    address: SocketAddr,
    flags: &[String],
) -> Child {
    let mut command = match kind {
        Kind::Martello => martello(upstream, folder, address, flags),
        Kind::Nginx | Kind::Haproxy => {
            let file = write_configuration(kind, upstream, folder, address);
            let mut command = Command::new(format!("/usr/sbin/{}", kind.name()));
            match kind {
                Kind::Nginx => command.arg("-c").arg(file).arg("-p").arg(folder),
                _ => command.args(["-db", "-f"]).arg(file),
            };
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command
        }
    };
    let mut child = command.kill_on_drop(true).spawn().expect("the balancer can be started");
    if kind == Kind::Martello {
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let line = lines.next_line().await.expect("it is text").unwrap_or_default();
        assert!(line.contains("balancing on"), "the balancer said {line:?}");
        // What it says later must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        return child;
    }
    while TcpStream::connect(address).await.is_err() {
        assert!(child.try_wait().expect("the process is ours").is_none(), "{} ended at once", kind.name());
        sleep(Duration::from_millis(10)).await;
    }
    // Its checks of the replicas' health and its own lookups have had their first round.
    sleep(Duration::from_millis(300)).await;
    child
}

fn martello(upstream: &Upstream, folder: &Path, address: SocketAddr, flags: &[String]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_martello"));
    command.args(["balance", "--listen", &address.to_string(), "--probe-path", "/health"]).args(flags);
    if super::replica::python().is_some() {
        // FastAPI says nothing of its functions, so we do.
        command.args(["--assume-pure", "/predict"]);
    }
    command.arg("--hand-over").arg(folder.join("hand-over"));
    match upstream {
        Upstream::Fixed(list) => {
            let list: Vec<String> = list.iter().map(ToString::to_string).collect();
            command.args(["--upstream", &list.join(",")]);
        }
        Upstream::Name { server, port, .. } => {
            command.args([
                "--upstream",
                &format!("replica.test:{port}"),
                "--dns-server",
                &server.to_string(),
            ]);
        }
    }
    if std::env::var_os("FAULTS_LOG").is_some() {
        command.args(["--log", "info"]);
    }
    command.stdout(Stdio::piped());
    command
}

fn write_configuration(kind: Kind, upstream: &Upstream, folder: &Path, address: SocketAddr) -> PathBuf {
    let file = folder.join(format!("{}.conf", kind.name()));
    let text =
        if kind == Kind::Nginx { nginx(upstream, folder, address) } else { haproxy(upstream, address) };
    std::fs::write(&file, text).expect("the folder takes a file");
    file
}

fn nginx(upstream: &Upstream, folder: &Path, address: SocketAddr) -> String {
    let list: Vec<SocketAddr> = match upstream {
        Upstream::Fixed(list) => list.clone(),
        Upstream::Name { port, now, .. } => now.iter().map(|address| (*address, *port).into()).collect(),
    };
    let servers: String = list.iter().fold(String::new(), |mut all, one| {
        let _text = writeln!(all, "server {one};");
        all
    });
    let folder = folder.display();
    format!(
        "worker_processes 1; daemon off; pid {folder}/nginx-{}.pid; error_log /dev/null;
worker_rlimit_nofile 20000; events {{ worker_connections 16384; }}
http {{
    access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    keepalive_requests 1000000; keepalive_timeout 75s;
    upstream replicas {{ {servers} keepalive 512; keepalive_timeout 4s; keepalive_requests 1000000; }}
    server {{
        listen {address} reuseport;
        location / {{
            proxy_pass http://replicas; proxy_http_version 1.1; proxy_set_header Connection \"\";
            proxy_connect_timeout 2s; proxy_read_timeout 2s;
            proxy_next_upstream error timeout http_500 http_502 http_503 http_504 non_idempotent;
        }}
    }}
}}
",
        address.port()
    )
}

fn haproxy(upstream: &Upstream, address: SocketAddr) -> String {
    let mut servers = String::new();
    match upstream {
        Upstream::Fixed(list) => {
            for (number, one) in list.iter().enumerate() {
                let _text = writeln!(
                    servers,
                    "    server s{number} {one} check inter 1s fall 2 rise 1 pool-purge-delay 4s observe layer7 error-limit 10 on-error mark-down"
                );
            }
        }
        Upstream::Name { port, .. } => {
            let _text = writeln!(
                servers,
                "    server-template s 8 replica.test:{port} check inter 1s fall 2 rise 1 resolvers r resolve-prefer ipv4 init-addr none pool-purge-delay 4s"
            );
        }
    }
    let resolvers = match upstream {
        Upstream::Fixed(_) => String::new(),
        Upstream::Name { server, .. } => format!(
            "resolvers r\n    nameserver n {server}\n    hold valid 1s\n    hold obsolete 0s\n    timeout resolve 1s\n    timeout retry 1s\n    accepted_payload_size 8192\n"
        ),
    };
    format!(
        "global
    nbthread 1
    maxconn 10100
    no strict-limits
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 2s
    timeout queue 2s
    option redispatch 1
    option httpchk GET /health
    retries 3
    retry-on all-retryable-errors
    http-reuse always
{resolvers}
frontend f
    bind {address}
    default_backend b
backend b
    balance roundrobin
{servers}"
    )
}

fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("it is bound")
}

/// Asks for a path; returns the body of the answer.
pub(crate) async fn get(at: SocketAddr, path: &str) -> Option<String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = TcpStream::connect(at).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    Some(answer.split_once("\r\n\r\n")?.1.to_owned())
}
