//! Clients that ask for the largest files and do not read them keep nobody else waiting.

#![cfg(feature = "docs")]
#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod fixture;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fixture::{Client, GOOD, GOOD_ANSWER, PATIENCE, Sum, get, post};
use martello_serving::server::{Drain, Server};
use martello_serving::{Api, Limits, ServedModel, Slot};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// Bytes that the kernel may keep on either side of a connection: far fewer than each file has, so that the replica has the
/// rest on its hands.
const BUFFER: u32 = 4 << 10;

const READERS: usize = 300;

const OTHERS: usize = 16;

const FILES: [&str; 3] = ["/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/openapi.json"];

/// Serves as many predictions at a time as are asked for, out of small buffers; sheds nobody where a machine is busy.
async fn serve() -> SocketAddr {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_send_buffer_size(BUFFER).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1024).unwrap();
    let address = listener.local_addr().unwrap();
    let limits = Limits {
        predictions_in_flight: OTHERS,
        queue_delay: PATIENCE,
        burst_delay: PATIENCE,
        ..Limits::default()
    };
    let api = Api::new(Slot::holding(ServedModel::new("m", Sum::of_three())), limits.clone());
    let server = Server::new(listener, limits, Drain::new());
    tokio::spawn(server.serve(api, std::future::pending()));
    address
}

async fn asks_and_does_not_read(address: SocketAddr, path: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(BUFFER).unwrap();
    let mut reader = socket.connect(address).await.unwrap();
    reader.write_all(get(path).as_bytes()).await.unwrap();
    reader
}

/// Asks again and again until it is told that it is enough, and once more.
async fn ask(address: SocketAddr, enough: Arc<AtomicBool>) {
    let mut client = Client::to(address).await;
    let mut more = true;
    while more {
        more = !enough.load(Ordering::SeqCst);
        client.send(post("/predict", GOOD)).await;
        let answer = client.answer().await.unwrap();
        assert_eq!((answer.status, answer.text()), (200, GOOD_ANSWER));
    }
    for path in ["/health", "/metrics", "/docs", "/openapi.json"] {
        client.send(get(path)).await;
        assert_eq!(client.answer().await.unwrap().status, 200, "{path}");
    }
}

/// Lets others ask while something is done.
async fn beside_others<T>(address: SocketAddr, done: impl Future<Output = T>) -> T {
    let enough = Arc::default();
    let others: JoinSet<()> = (0..OTHERS).map(|_| ask(address, Arc::clone(&enough))).collect();
    let result = done.await;
    enough.store(true, Ordering::SeqCst);
    others.join_all().await;
    result
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_are_answered_while_nobody_reads_the_largest_files() {
    for path in FILES {
        let address = serve().await;
        let mut coming: JoinSet<_> = (0..READERS).map(|_| asks_and_does_not_read(address, path)).collect();
        let all = async {
            let mut readers = Vec::new();
            while let Some(reader) = coming.join_next().await {
                readers.push(reader.unwrap());
            }
            readers
        };
        let mut readers = beside_others(address, all).await;
        // What was not read is still there for who reads it after all.
        let first = async {
            let mut first = [0; 17];
            for reader in &mut readers {
                reader.read_exact(&mut first).await.unwrap();
                assert_eq!(&first, b"HTTP/1.1 200 OK\r\n", "{path}");
            }
        };
        beside_others(address, first).await;
    }
}
