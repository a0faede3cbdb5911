//! A name server that says what it is told to (RFC 1035): addresses and services, or one of the ways to fail.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// What the server says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Zone {
    /// The addresses of every name.
    Addresses(Vec<IpAddr>),
    /// The SRV records of every name, and the addresses of their targets.
    Services(Vec<Service>),
    /// No such name (RFC 1035, RCODE 3): what Docker says of a service without a running container.
    NoSuchName,
    /// The server failed (RCODE 2).
    Failure,
    /// The same addresses, after this time.
    Late(Duration, Vec<IpAddr>),
    /// IPv6 addresses, and a failure where IPv4 ones are asked for.
    OnlyLong(Vec<IpAddr>),
    Nothing,
}

/// One SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Service {
    pub(crate) priority: u16,
    pub(crate) weight: u16,
    pub(crate) port: u16,
    pub(crate) target: &'static str,
    pub(crate) address: IpAddr,
}

/// The time to live of every record, in seconds: Docker's. What follows it misses a change for ten minutes.
const TTL: u32 = 600;

const A: u16 = 1;
const AAAA: u16 = 28;
const SRV: u16 = 33;

/// A running server; dropping it ends it.
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    asked: Arc<AtomicU64>,
    _serving: JoinSet<()>,
}

impl NameServer {
    pub(crate) async fn start(zone: Zone) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = socket.local_addr().expect("it is bound");
        let (zone, asked) = (Arc::new(Mutex::new(zone)), Arc::new(AtomicU64::new(0)));
        let mut serving = JoinSet::new();
        serving.spawn(serve(Arc::new(socket), Arc::clone(&zone), Arc::clone(&asked)));
        Self { address, zone, asked, _serving: serving }
    }

    pub(crate) fn say(&self, zone: Zone) {
        *self.zone.lock().expect("nobody panics with it") = zone;
    }

    /// Returns how many queries came.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn serve(socket: Arc<UdpSocket>, zone: Arc<Mutex<Zone>>, asked: Arc<AtomicU64>) {
    let mut query = [0; 1_500];
    while let Ok((length, from)) = socket.recv_from(&mut query).await {
        asked.fetch_add(1, Ordering::SeqCst);
        let zone = zone.lock().expect("nobody panics with it").clone();
        let late = if let Zone::Late(late, _) = zone { late } else { Duration::ZERO };
        let Some(answer) = answer(&query[..length], &zone) else { continue };
        let socket = Arc::clone(&socket);
        tokio::spawn(async move {
            tokio::time::sleep(late).await;
            // A client that has gone away does not mind.
            let _gone = socket.send_to(&answer, from).await;
        });
    }
}

/// What is said of a name: a response code and the data of its records.
fn said(zone: &Zone, name: &str, kind: u16) -> (u8, Vec<Vec<u8>>) {
    let addresses = |list: &[IpAddr]| -> Vec<Vec<u8>> {
        let of_kind = list.iter().filter(|address| address.is_ipv4() == (kind == A));
        if kind == SRV { Vec::new() } else { of_kind.map(octets).collect() }
    };
    match zone {
        Zone::Addresses(list) | Zone::Late(_, list) => (0, addresses(list)),
        Zone::OnlyLong(list) if kind == AAAA => (0, addresses(list)),
        Zone::OnlyLong(_) | Zone::Failure => (2, Vec::new()),
        Zone::Services(list) if kind == SRV => (0, list.iter().map(service).collect()),
        Zone::Services(list) => {
            let known: Vec<IpAddr> =
                list.iter().filter(|one| one.target == name).map(|one| one.address).collect();
            if known.is_empty() { (3, Vec::new()) } else { (0, addresses(&known)) }
        }
        Zone::NoSuchName | Zone::Nothing => (3, Vec::new()),
    }
}

fn octets(address: &IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn service(one: &Service) -> Vec<u8> {
    let mut data = [one.priority, one.weight, one.port].map(u16::to_be_bytes).concat();
    for label in one.target.split('.').filter(|label| !label.is_empty()) {
        data.push(label.len() as u8);
        data.extend(label.bytes());
    }
    data.push(0);
    data
}

fn answer(query: &[u8], zone: &Zone) -> Option<Vec<u8>> {
    if *zone == Zone::Nothing {
        return None;
    }
    let name_ends = 12 + query.get(12..)?.iter().position(|byte| *byte == 0)? + 1;
    let question = query.get(12..name_ends + 4)?;
    let kind = u16::from_be_bytes([query[name_ends], query[name_ends + 1]]);
    let (code, records) = said(zone, &name(&query[12..name_ends]), kind);
    let mut answer = query[..2].to_vec();
    // An answer, authoritative, recursion available; one question, so many answers, nothing else.
    answer.extend([0x85, 0x80 | code, 0, 1, 0, records.len() as u8, 0, 0, 0, 0]);
    answer.extend(question);
    for data in records {
        // The name is the question's: a pointer to byte 12 (RFC 1035, section 4.1.4).
        answer.extend([0xc0, 12]);
        answer.extend(kind.to_be_bytes());
        answer.extend([0, 1]);
        answer.extend(TTL.to_be_bytes());
        answer.extend((data.len() as u16).to_be_bytes());
        answer.extend(data);
    }
    Some(answer)
}

/// The labels of a name, as text with a dot at the end.
fn name(mut labels: &[u8]) -> String {
    let mut name = String::new();
    while let [length, rest @ ..] = labels {
        if *length == 0 {
            break;
        }
        let (label, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        name.push_str(&String::from_utf8_lossy(label).to_ascii_lowercase());
        name.push('.');
        labels = rest;
    }
    name
}
