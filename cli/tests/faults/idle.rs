//! Many clients that are connected and ask nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::proxy::{Kind, Proxy, Upstream};
use super::replica::Replica;

/// What connections without a request come to.
#[derive(Debug)]
pub(crate) struct Idle {
    /// How many could still be used at the end.
    pub(crate) kept: usize,
    /// Resident memory of the balancer's processes before and with them, in megabytes.
    pub(crate) before: f64,
    pub(crate) with: f64,
}

/// Connects so many clients, each of which asks once, waits, and asks once more.
pub(crate) async fn run(kind: Kind, clients: usize, wait: Duration) -> Idle {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let replica = Replica::start(([127, 0, 0, 1], 0).into()).await;
    let proxy = Proxy::start(kind, Upstream::Fixed(vec![replica.address]), folder.path(), &[]).await;
    let before = proxy.memory();
    // Not all at once: what is asked is whether they are kept, not how fast they come.
    let (arriving, mut connected) = (Arc::new(Semaphore::new(64)), JoinSet::new());
    for _ in 0..clients {
        let (arriving, address) = (Arc::clone(&arriving), proxy.address);
        connected.spawn(async move {
            let _turn = arriving.acquire_owned().await.ok()?;
            let mut stream = TcpStream::connect(address).await.ok()?;
            ask(&mut stream).await?;
            Some(stream)
        });
    }
    let streams: Vec<TcpStream> = connected.join_all().await.into_iter().flatten().collect();
    tokio::time::sleep(wait).await;
    let with = proxy.memory();
    let mut kept = 0;
    for mut stream in streams {
        kept += usize::from(ask(&mut stream).await.is_some());
    }
    Idle { kept, before, with }
}

async fn ask(stream: &mut TcpStream) -> Option<()> {
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: test\r\n\r\n").await.ok()?;
    let mut answer = [0; 1_024];
    let length = stream.read(&mut answer).await.ok()?;
    answer[..length].starts_with(b"HTTP/1.1 200").then_some(())
}
