//! A name server that says what it is told to (RFC 1035): one name, its addresses, or one of the ways to fail.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// What the server says of every name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Zone {
    Addresses(Vec<Ipv4Addr>),
    /// No such name (RFC 1035, RCODE 3): what Docker says of a service without a running container.
    NoSuchName,
    /// The server failed (RCODE 2).
    Failure,
    /// The same addresses, after this time.
    Late(Duration, Vec<Ipv4Addr>),
    Nothing,
}

/// The time to live of every record, in seconds: Docker's. What follows it misses a change for ten minutes.
const TTL: u32 = 600;

const A: u16 = 1;

/// A running server; dropping it ends it.
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    _serving: JoinSet<()>,
}

impl NameServer {
    pub(crate) async fn start(zone: Zone) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = socket.local_addr().expect("it is bound");
        let zone = Arc::new(Mutex::new(zone));
        let mut serving = JoinSet::new();
        serving.spawn(serve(Arc::new(socket), Arc::clone(&zone)));
        Self { address, zone, _serving: serving }
    }

    pub(crate) fn say(&self, zone: Zone) {
        *self.zone.lock().expect("nobody panics with it") = zone;
    }
}

async fn serve(socket: Arc<UdpSocket>, zone: Arc<Mutex<Zone>>) {
    let mut query = [0; 1_500];
    while let Ok((length, from)) = socket.recv_from(&mut query).await {
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

fn answer(query: &[u8], zone: &Zone) -> Option<Vec<u8>> {
    let (code, addresses): (u8, &[Ipv4Addr]) = match zone {
        Zone::Addresses(list) | Zone::Late(_, list) => (0, list),
        Zone::NoSuchName => (3, &[]),
        Zone::Failure => (2, &[]),
        Zone::Nothing => return None,
    };
    let name_ends = 12 + query.get(12..)?.iter().position(|byte| *byte == 0)? + 1;
    let question = query.get(12..name_ends + 4)?;
    let kind = u16::from_be_bytes([query[name_ends], query[name_ends + 1]]);
    let addresses = if kind == A { addresses } else { &[] };
    let mut answer = query[..2].to_vec();
    // An answer, authoritative, recursion available; one question, so many answers, nothing else.
    answer.extend([0x85, 0x80 | code, 0, 1, 0, addresses.len() as u8, 0, 0, 0, 0]);
    answer.extend(question);
    for address in addresses {
        // The name is the question's: a pointer to byte 12 (RFC 1035, section 4.1.4).
        answer.extend([0xc0, 12, 0, 1, 0, 1]);
        answer.extend(TTL.to_be_bytes());
        answer.extend([0, 4]);
        answer.extend(address.octets());
    }
    Some(answer)
}
