//! The faults: what happens to the replicas, or to the balancer, while requests come.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal::{SIGCONT, SIGSTOP};
use tokio::time::sleep;

use super::load::{self, Ledger, Load};
use super::name_server::{NameServer, Zone};
use super::proxy::{self, Kind, Proxy, Upstream};
use super::replica::{Mode, Replica};

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    Scale,
    NamesFail,
    Terminate,
    Kill,
    KillTwo,
    Freeze,
    FreezeTwo,
    Silent,
    Error,
    NewError,
    NewSilent,
    Reset,
    Close,
    Idle,
    HotSwap,
    HandOver,
    OutageKilled,
    OutageError,
    OutageReset,
}

impl Fault {
    pub(crate) const ALL: [Self; 20] = [
        Self::None,
        Self::Scale,
        Self::NamesFail,
        Self::Terminate,
        Self::Kill,
        Self::KillTwo,
        Self::Freeze,
        Self::FreezeTwo,
        Self::Silent,
        Self::Error,
        Self::NewError,
        Self::NewSilent,
        Self::Reset,
        Self::Close,
        Self::Idle,
        Self::HotSwap,
        Self::HandOver,
        Self::OutageKilled,
        Self::OutageError,
        Self::OutageReset,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Scale => "scale 1 → 4 → 2 by DNS",
            Self::NamesFail => "DNS: SERVFAIL, NXDOMAIN, no address, no answer, late",
            Self::Terminate => "SIGTERM of each in turn, a new one later",
            Self::Kill => "SIGKILL of each in turn, a new one later",
            Self::KillTwo => "two of three killed at once",
            Self::Freeze => "one of three frozen, then continued",
            Self::FreezeTwo => "two of three frozen, then continued",
            Self::Silent => "one takes requests and never answers, its probe does",
            Self::Error => "one of four answers 500 at once",
            Self::NewError => "a fourth joins that answers 500 from the start",
            Self::NewSilent => "a fourth joins that never answers, its probe does",
            Self::Reset => "one resets in the middle of each body",
            Self::Close => "all close silently after each 100th answer",
            Self::Idle => "all close connections that are idle for 5 s",
            Self::HotSwap => "our replicas swap their model, twice",
            Self::HandOver => "hand-over to a second balancer",
            Self::OutageKilled => "outage: all killed",
            Self::OutageError => "outage: all answer 500",
            Self::OutageReset => "outage: all reset",
        }
    }

    /// Whether it needs nothing but processes that start and end, so that it can be tried with any server.
    pub(crate) fn fits_any_server(self) -> bool {
        use Fault::{
            Freeze, FreezeTwo, HandOver, Idle, Kill, KillTwo, NamesFail, None, OutageKilled, Scale, Terminate,
        };
        matches!(
            self,
            None | Scale
                | NamesFail
                | Terminate
                | Kill
                | KillTwo
                | Freeze
                | FreezeTwo
                | Idle
                | HandOver
                | OutageKilled
        )
    }

    /// Whether a replica keeps requests waiting, so that throughput is the question.
    pub(crate) fn keeps_waiting(self) -> bool {
        matches!(self, Self::Freeze | Self::FreezeTwo | Self::Silent | Self::NewSilent)
    }

    /// The share of the replicas that goes on answering meanwhile.
    pub(crate) fn sound_share(self) -> f64 {
        match self {
            Self::Freeze | Self::Silent => 2.0 / 3.0,
            Self::FreezeTwo => 1.0 / 3.0,
            Self::NewSilent => 3.0 / 4.0,
            _ => 1.0,
        }
    }

    pub(crate) fn is_outage(self) -> bool {
        matches!(self, Self::OutageKilled | Self::OutageError | Self::OutageReset)
    }
}

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Between a replica's end and the start of the next one, and for the length of a fault.
    pub(crate) step: Duration,
}

/// What one load under one fault came to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    pub(crate) kinds: Vec<(String, u64)>,
    pub(crate) slowest: Duration,
    /// Answers while the fault lasted, a second.
    pub(crate) rate: f64,
    /// What reached the replicas in an outage for each request that was sent.
    pub(crate) amplification: Option<f64>,
    /// The slowest answer in an outage, from a second after it began.
    pub(crate) told_after: Option<Duration>,
    /// From the start of the first replica after an outage to the first answer.
    pub(crate) back_after: Option<Duration>,
}

struct World {
    replicas: Vec<Replica>,
    names: Option<NameServer>,
    proxy: Proxy,
    ledger: Arc<Ledger>,
    pace: Pace,
    data: PathBuf,
}

/// Runs one load through one balancer under one fault.
pub(crate) async fn run(fault: Fault, load: Load, kind: Kind, pace: Pace) -> Outcome {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let mut world = World::make(fault, kind, folder.path(), pace).await;
    let load = match (fault, load) {
        // Clients that pause for about as long as the replicas keep a connection.
        (Fault::Idle, Load::Closed(clients, _)) => Load::Closed(clients, Duration::from_secs(4)),
        (_, load) => load,
    };
    let running = load::start(load, world.proxy.address, &world.ledger);
    world.warm_up(fault).await;
    let mut outcome = Outcome::default();
    let (before, began) = (world.ledger.answered(), Instant::now());
    world.ledger.take_slowest();
    world.happen(fault, &mut outcome).await;
    outcome.rate = (world.ledger.answered() - before) as f64 / began.elapsed().as_secs_f64();
    world.go_on(fault).await;
    world.ledger.stop();
    running.join_all().await;
    let ledger = &world.ledger;
    outcome.answered = ledger.answered();
    outcome.failed = ledger.failed();
    outcome.kinds = ledger.kinds().into_iter().collect();
    outcome.slowest = outcome.slowest.max(ledger.slowest());
    outcome
}

impl World {
    async fn make(fault: Fault, kind: Kind, folder: &Path, pace: Pace) -> Self {
        if fault == Fault::HotSwap {
            return Self::of_predictions(kind, folder, pace).await;
        }
        let joins = matches!(fault, Fault::NewError | Fault::NewSilent);
        let by_name = joins || matches!(fault, Fault::Scale | Fault::NamesFail);
        let count = if joins || matches!(fault, Fault::Scale | Fault::Error) { 4 } else { 3 };
        let mut replicas = vec![Replica::start(SocketAddr::from(([127, 0, 0, 2], 0))).await];
        let port = replicas[0].address.port();
        for number in 1..count {
            replicas.push(Replica::start(SocketAddr::from(([127, 0, 0, 2 + number], port))).await);
        }
        let (names, upstream) = if by_name {
            let now = addresses(&replicas, if fault == Fault::Scale { 1 } else { 3 });
            let names = NameServer::start(Zone::Addresses(now.clone())).await;
            let server = names.address;
            (Some(names), Upstream::Name { server, port, now })
        } else {
            (None, Upstream::Fixed(replicas.iter().map(|replica| replica.address).collect()))
        };
        let mode = match fault {
            Fault::Close => Mode::Close,
            Fault::Idle => Mode::Idle,
            _ => Mode::Sound,
        };
        for replica in &mut replicas {
            replica.behave(mode).await;
        }
        match fault {
            Fault::NewError => drop(replicas[3].behave(Mode::Error).await),
            Fault::NewSilent => drop(replicas[3].behave(Mode::Silent).await),
            _ => {}
        }
        let proxy = Proxy::start(kind, upstream, folder, &[]).await;
        Self { replicas, names, proxy, ledger: Arc::default(), pace, data: folder.into() }
    }

    /// Three replicas of ours that serve a model of which there are two versions.
    async fn of_predictions(kind: Kind, folder: &Path, pace: Pace) -> Self {
        martello(folder, &["train"]).await;
        martello(folder, &["train", "--retrain"]).await;
        let mut replicas = Vec::new();
        for _ in 0..3 {
            replicas.push(Replica::serve(folder).await);
        }
        let upstream = Upstream::Fixed(replicas.iter().map(|replica| replica.address).collect());
        let proxy = Proxy::start(kind, upstream, folder, &[]).await;
        let ledger = Arc::new(Ledger::of_predictions());
        Self { replicas, names: None, proxy, ledger, pace, data: folder.into() }
    }

    /// Waits until requests are answered, and every replica has told what it is.
    async fn warm_up(&self, fault: Fault) {
        self.more(if fault == Fault::Idle { 60 } else { 200 }).await;
    }

    /// Waits for the next answers, so that what follows a fault is seen.
    async fn go_on(&self, fault: Fault) {
        self.more(if fault == Fault::Idle { 1 } else { 200 }).await;
        sleep(Duration::from_millis(200)).await;
    }

    async fn more(&self, answers: u64) {
        let (from, began) = (self.ledger.answered(), Instant::now());
        while self.ledger.answered() < from + answers && began.elapsed() < Duration::from_secs(30) {
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn happen(&mut self, fault: Fault, outcome: &mut Outcome) {
        let step = self.pace.step;
        match fault {
            Fault::None => sleep(step).await,
            Fault::Scale => self.scale().await,
            Fault::NamesFail => self.fail_names().await,
            Fault::Terminate | Fault::Kill => self.replace_each(fault == Fault::Kill).await,
            Fault::KillTwo => {
                let [one, two, ..] = &mut self.replicas[..] else { unreachable!("there are three") };
                tokio::join!(one.kill(), two.kill());
                sleep(step).await;
            }
            Fault::Freeze => self.freeze(1).await,
            Fault::FreezeTwo => self.freeze(2).await,
            Fault::Silent => self.misbehave(Mode::Silent).await,
            Fault::Error => self.misbehave(Mode::Error).await,
            Fault::NewError | Fault::NewSilent => {
                self.scale_to(4).await;
                self.is_asked(3).await;
                sleep(step * 3).await;
            }
            Fault::Reset => self.misbehave(Mode::Reset).await,
            Fault::Close => sleep(step * 2).await,
            Fault::Idle => sleep(Duration::from_secs(10)).await,
            Fault::HotSwap => {
                for version in ["1", "2"] {
                    martello(&self.data, &["registry", "promote", "linear_regression_model", version]).await;
                    for replica in &self.replicas {
                        serves(replica.address, version).await;
                    }
                }
            }
            Fault::HandOver => {
                for _ in 0..2 {
                    self.proxy.hand_over().await;
                }
            }
            Fault::OutageKilled | Fault::OutageError | Fault::OutageReset => {
                self.outage(fault, outcome).await
            }
        }
    }

    async fn scale(&mut self) {
        self.scale_to(4).await;
        self.is_asked(3).await;
        sleep(self.pace.step).await;
        self.scale_to(2).await;
        for replica in &mut self.replicas[2..] {
            replica.terminate().await;
        }
        sleep(self.pace.step).await;
    }

    /// Waits until a new replica is asked: taking the next one away before is not one in turn but two at once.
    async fn is_asked(&mut self, place: usize) {
        // A balancer that does not see it is not waited for longer.
        let began = Instant::now();
        while self.replicas[place].reached().await == 0 && began.elapsed() < Duration::from_secs(10) {
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn scale_to(&mut self, count: usize) {
        let now = addresses(&self.replicas, count);
        self.names.as_ref().expect("they are found by name").say(Zone::Addresses(now.clone()));
        self.proxy.scale(&now).await;
    }

    async fn fail_names(&mut self) {
        let names = self.names.as_ref().expect("they are found by name");
        let all = addresses(&self.replicas, 3);
        let late = Zone::Late(Duration::from_secs(3), all.clone());
        for zone in [Zone::Failure, Zone::NoSuchName, Zone::Addresses(Vec::new()), Zone::Nothing, late] {
            names.say(zone);
            let (before, began) = (names.asked(), Instant::now());
            // A balancer that does not ask again is not waited for longer.
            while names.asked() == before && began.elapsed() < Duration::from_secs(3) {
                sleep(Duration::from_millis(20)).await;
            }
            sleep(self.pace.step).await;
        }
        names.say(Zone::Addresses(all));
    }

    async fn replace_each(&mut self, at_once: bool) {
        for place in 0..self.replicas.len() {
            let address = self.replicas[place].address;
            if at_once {
                self.replicas[place].kill().await;
            } else {
                self.replicas[place].terminate().await;
            }
            sleep(self.pace.step).await;
            self.replicas[place] = Replica::start(address).await;
            self.is_asked(place).await;
            sleep(self.pace.step / 2).await;
        }
    }

    async fn freeze(&self, count: usize) {
        for replica in &self.replicas[..count] {
            replica.signal(SIGSTOP);
        }
        sleep(self.pace.step * 5).await;
        for replica in &self.replicas[..count] {
            replica.signal(SIGCONT);
        }
    }

    async fn misbehave(&mut self, mode: Mode) {
        self.replicas[0].behave(mode).await;
        sleep(self.pace.step * if mode == Mode::Silent { 5 } else { 2 }).await;
        self.replicas[0].behave(Mode::Sound).await;
    }

    async fn outage(&mut self, fault: Fault, outcome: &mut Outcome) {
        let mode = if fault == Fault::OutageError { Mode::Error } else { Mode::Reset };
        let (sent, mut reached) = (self.ledger.sent.load(std::sync::atomic::Ordering::SeqCst), 0);
        for replica in &mut self.replicas {
            if fault == Fault::OutageKilled {
                replica.kill().await;
            } else {
                reached += replica.behave(mode).await;
            }
        }
        // Those that were waiting for a replica when it began have been told by then.
        sleep(Duration::from_secs(1)).await;
        outcome.slowest = self.ledger.take_slowest();
        sleep(self.pace.step).await;
        outcome.told_after = Some(self.ledger.take_slowest());
        if fault != Fault::OutageKilled {
            let mut now = 0;
            for replica in &mut self.replicas {
                now += replica.reached().await;
            }
            let sent = self.ledger.sent.load(std::sync::atomic::Ordering::SeqCst) - sent;
            outcome.amplification = Some((now - reached) as f64 / sent as f64);
        }
        let answered = self.ledger.answered();
        if fault == Fault::OutageKilled {
            let address = self.replicas[0].address;
            self.replicas[0] = Replica::start(address).await;
        } else {
            self.replicas[0].behave(Mode::Sound).await;
        }
        let began = Instant::now();
        while self.ledger.answered() == answered && began.elapsed() < Duration::from_secs(30) {
            sleep(Duration::from_millis(1)).await;
        }
        outcome.back_after = Some(began.elapsed());
    }
}

fn addresses(replicas: &[Replica], count: usize) -> Vec<IpAddr> {
    replicas.iter().take(count).map(|replica| replica.address.ip()).collect()
}

/// Runs our own command to its end, over the registry in a folder.
async fn martello(data: &Path, arguments: &[&str]) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_martello"));
    let output = command.args(arguments).env("MARTELLO_DATA_DIR", data).output().await;
    let output = output.expect("our own binary can be started");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Waits until a replica serves this version.
async fn serves(address: SocketAddr, version: &str) {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        let health = proxy::get(address, "/v2/models/linear_regression_model").await.unwrap_or_default();
        if health.contains(&format!(r#""versions":["{version}"]"#)) {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("{address} never served version {version}");
}
