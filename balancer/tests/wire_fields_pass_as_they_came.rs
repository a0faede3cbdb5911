//! A balancer leaves fields as they came where it can; what arrives is the same as through a proxy that takes every
//! head apart (RFC 9110 section 7.6.1).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod wire;

use martello_balancer::{Balancer, StatusPaths};
use proptest::prelude::*;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use wire::{Client, Front, Replica, Reply, body, status};

/// The fields of a message but for their order across names and the case of these.
fn fields(message: &str) -> Vec<(String, String)> {
    let head = message.split_once("\r\n\r\n").unwrap().0;
    let mut fields: Vec<_> = head.lines().skip(1).map(|line| line.split_once(':').unwrap()).collect();
    fields.sort_by_key(|(name, _)| name.to_ascii_lowercase());
    fields.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect()
}

/// A balancer over one replica, until it is dropped.
async fn balancer(replica: std::net::SocketAddr) -> (std::net::SocketAddr, oneshot::Sender<()>) {
    let builder =
        Balancer::builder().listen("127.0.0.1:0").upstream(replica).status_paths(StatusPaths::none());
    let balancer = builder.bind().await.unwrap();
    let address = balancer.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(balancer.serve(async {
        let _ = stopped.await;
    }));
    (address, stop)
}

const ANSWER: &[u8] = b"HTTP/1.1 200 Fine\r\nServer: x\r\nConnection: keep-alive, x-hop\r\nX-Hop: 1\r\nX-Two:a\r\nx-two: b \r\n\
    Keep-Alive: timeout=5\r\nContent-Length: 2\r\nX-Last: \xe9\r\n\r\n{}";

async fn through_both(request: &str) -> [(u16, String); 2] {
    let replica = Replica::start(Reply::Answer(ANSWER)).await;
    let front = Front::start(replica.address).await;
    let (balancer, _stop) = balancer(replica.address).await;
    let mut heard = Vec::new();
    for (count, address) in [(1, front.address), (2, balancer)] {
        let answer = Client::connect(address).await.ask(request).await;
        let asked = replica.requests();
        let arrived = if asked.len() == count { asked[count - 1].clone() } else { String::new() };
        heard.push((status(&answer), arrived, fields(&answer)));
        if status(&answer) != 200 {
            // Nothing was asked, and the next one stands in its place.
            return [
                (heard[0].0, String::new()),
                (status(&Client::connect(balancer).await.ask(request).await), String::new()),
            ];
        }
    }
    assert_eq!(heard[0].2, heard[1].2, "the answers' fields for {request:?}");
    let [first, second] = [heard.remove(0), heard.remove(0)];
    assert_eq!(fields(&first.1), fields(&second.1), "{request:?}");
    assert_eq!(first.1.lines().next(), second.1.lines().next());
    [(first.0, body(&first.1).to_owned()), (second.0, body(&second.1).to_owned())]
}

#[test]
fn known_heads_arrive_alike() {
    let runtime = Runtime::new().unwrap();
    let heads = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /x?y HTTP/1.1\r\nhost:a\r\nAccept:  b \r\nX-Empty:\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 2\r\nHost: a\r\nConnection: close\r\n\r\n{}",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: x-a\r\nX-A: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nClose: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\nX-Real-IP: 6\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers, gzip\r\nConnection: te\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nProxy-Connection: keep-alive\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX_A: b\r\nX-B: c_d\r\nX_C: d\r\n\r\n",
        "GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a/b HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    ];
    for head in heads {
        let [typed, verbatim] = runtime.block_on(through_both(head));
        assert_eq!(typed, verbatim, "{head:?}");
        assert_eq!(typed.0, 200, "{head:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_head_arrives_alike(
        lines in prop::collection::vec(
            (
                "(?i)(x-a|x_b|via|te|close|trailer|connection|keep-alive|expect|cookie|accept|upgrade|x-real-ip|content-type|host)",
                ": ?",
                "(close|keep-alive|x-a|trailers|100-continue|a, b|[!-~]{0,6}|)",
                " {0,2}",
            ),
            0..7,
        ),
    ) {
        let lines: String = lines.into_iter().map(|(name, colon, value, end)| format!("{name}{colon}{value}{end}\r\n")).collect();
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
        let [typed, verbatim] = Runtime::new().unwrap().block_on(through_both(&request));
        prop_assert_eq!(typed, verbatim, "{:?}", request);
    }
}
