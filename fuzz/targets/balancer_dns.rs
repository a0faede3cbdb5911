//! The bytes of a name server, by a real query: whatever it says, what is found has a port and a share each, and there is
//! no more of it than its answers can hold.
//!
//! An input is a row of answers, each with its length in front. The first byte of all says what is asked for, and whether
//! the answers have the question of the query or one of their own.
#![no_main]

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::sync::Mutex;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use martello_balancer::discovery::{NameServers, Resolve as _};
use tokio::net::UdpSocket;
use tokio::runtime::{Builder, Runtime};

/// How long an answer is waited for that was not understood; it takes no time to come.
const PATIENCE: Duration = Duration::from_millis(2);

/// Header and question of a query begin with these bytes.
const HEADER: usize = 12;

fuzz_target!(|input: &[u8]| {
    let [how, answers @ ..] = input else { return };
    let (name, own_question) = (if how & 1 == 0 { "a.test." } else { "_http._tcp.test." }, how & 2 != 0);
    static RUNTIME: LazyLock<Mutex<Runtime>> =
        LazyLock::new(|| Mutex::new(Builder::new_current_thread().enable_all().build().expect("a runtime")));
    let runtime = RUNTIME.lock().expect("nobody panics twice");
    runtime.block_on(async {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let server = socket.local_addr().expect("it is bound");
        let said: Vec<Vec<u8>> = split(answers).into_iter().map(<[u8]>::to_vec).collect();
        let records = said.iter().map(|answer| answer.len() / 4).sum::<usize>();
        let serving = tokio::spawn(serve(socket, said, own_question));
        let found = NameServers::new([server]).patience(PATIENCE).resolve(name, 8000).await;
        serving.abort();
        let Ok(found) = found else { return };
        assert!(found.endpoints.len() <= 256 * records.max(1), "{found:?}");
        assert!(found.endpoints.iter().all(|(address, _)| has_port(address, name)), "{found:?}");
    });
});

fn has_port(address: &SocketAddr, name: &str) -> bool {
    if name.starts_with('_') { address.port() != 0 } else { address.port() == 8000 }
}

/// Takes a row of answers apart; a length of one byte is that of the answer less the question.
fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut answers = Vec::new();
    while let [length, rest @ ..] = bytes {
        let (answer, behind) = rest.split_at(usize::from(*length).min(rest.len()));
        answers.push(answer);
        bytes = behind;
    }
    answers
}

/// Answers one query after the other, the last answer for ever.
async fn serve(socket: UdpSocket, answers: Vec<Vec<u8>>, own_question: bool) {
    let mut query = [0; 512];
    for number in 0.. {
        let Ok((length, from)) = socket.recv_from(&mut query).await else { return };
        let Some(said) = answers.get(number).or(answers.last()) else { return };
        let (head, records) = said.split_at(said.len().min(HEADER - 2));
        let mut answer = [&query[..2], head].concat();
        if !own_question {
            answer.resize(HEADER, 0);
            answer.extend(question(&query[..length]));
        }
        answer.extend(records);
        let _gone = socket.send_to(&answer, from).await;
    }
}

/// The question of a query: a name, its type and class.
fn question(query: &[u8]) -> &[u8] {
    let name = query[HEADER..].iter().position(|byte| *byte == 0).unwrap_or_default();
    query.get(HEADER..HEADER + name + 5).unwrap_or_default()
}
