//! HTTP proxies: found where curl and Python find them, told what they must know and nothing more.
#![cfg(feature = "rest")]
#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use martello_registry_client::rest::{Credentials, HttpOptions, Proxies, RestOptions};
use martello_registry_client::{ErrorKind, Registry};

const SECRET: &str = "hunter2-s3cret";
const RUN: &str = r#"{"run":{"info":{"run_id":"r","experiment_id":"0","status":"RUNNING"}}}"#;

/// A proxy that answers plain requests itself and refuses tunnels; it remembers the heads.
struct Proxy {
    address: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, heard) = (listener.local_addr().unwrap().to_string(), Arc::new(Mutex::new(Vec::new())));
        let record = heard.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // The client may go away.
                let _ = answer(stream, &record);
            }
        });
        Self { address, heard }
    }

    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}

fn answer(mut stream: TcpStream, heard: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines().map_while(Result::ok);
    let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    heard.lock().unwrap().push(head.join("\n"));
    if head.first().is_some_and(|line| line.starts_with("CONNECT")) {
        return stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
    write!(stream, "{head}content-length: {}\r\n\r\n{RUN}", RUN.len())
}

fn registry(server: &str, proxies: Proxies) -> martello_registry_client::Result<Registry> {
    let http =
        HttpOptions { proxies, max_retries: 1, backoff: Duration::from_millis(1), ..HttpOptions::default() };
    let credentials = Some(Credentials::bearer("for-the-server"));
    Registry::mlflow(server, RestOptions { credentials, http, ..RestOptions::default() })
}

#[tokio::test]
async fn a_proxy_is_asked_for_the_whole_address_and_told_who_asks() {
    let proxy = Proxy::start();
    let proxies =
        Proxies { http: Some(format!("http://ann:{SECRET}@{}", proxy.address)), ..Proxies::default() };
    let registry = registry("http://registry.invalid:5000", proxies).unwrap();
    assert_eq!(registry.tracking().get_run("r").await.unwrap().run_id, "r");
    let heard = proxy.heard();
    assert!(
        heard[0].starts_with("GET http://registry.invalid:5000/api/2.0/mlflow/runs/get?run_id=r HTTP/1.1"),
        "{heard:?}"
    );
    let head = heard[0].to_ascii_lowercase();
    assert!(
        head.contains("proxy-authorization: basic ") && head.contains("authorization: bearer "),
        "{head}"
    );
    assert!(!format!("{registry:?}").contains(SECRET));
}

#[tokio::test]
async fn hosts_that_are_excepted_are_reached_without_it() {
    let proxy = Proxy::start();
    for (except, by_proxy) in [
        ("", true),
        ("elsewhere.invalid", true),
        ("registry.invalid", false),
        ("*", false),
        (".invalid", false),
    ] {
        let proxies =
            Proxies { http: Some(proxy.address.clone()), except: except.into(), ..Proxies::default() };
        let outcome = registry("http://registry.invalid", proxies).unwrap().tracking().get_run("r").await;
        assert_eq!((outcome.is_ok(), !proxy.heard().is_empty()), (by_proxy, by_proxy), "{except:?}");
    }
}

#[tokio::test]
async fn a_tunnel_is_asked_for_where_the_server_speaks_tls_and_the_proxy_never_sees_its_credentials() {
    let proxy = Proxy::start();
    let proxies =
        Proxies { https: Some(format!("http://ann:{SECRET}@{}", proxy.address)), ..Proxies::default() };
    let error =
        registry("https://registry.invalid", proxies).unwrap().tracking().get_run("r").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
    let heard = proxy.heard();
    assert!(heard[0].starts_with("CONNECT registry.invalid:443 HTTP/1.1"), "{heard:?}");
    assert!(heard[0].to_ascii_lowercase().contains("proxy-authorization: basic "));
    assert!(!heard.concat().to_ascii_lowercase().contains("bearer"), "{heard:?}");
}

#[test]
fn a_proxy_that_cannot_be_used_is_refused_by_its_address_without_its_secrets() {
    let socks = Proxies { http: Some(format!("socks5://ann:{SECRET}@proxy:1080")), ..Proxies::default() };
    assert!(!format!("{socks:?}").contains(SECRET));
    let error = registry("http://registry.invalid", socks.clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("proxy:1080") && !format!("{error:?}").contains(SECRET), "{error:?}");
    registry("https://registry.invalid", socks).unwrap();
}

/// Asks for an object of S3 and ends; does nothing in an ordinary test run.
#[cfg(feature = "s3")]
#[tokio::test]
async fn s3_process() {
    use martello_registry_client::{ArtifactStore, S3Artifacts, S3Options};

    let Ok(_) = std::env::var("MARTELLO_TEST_ASK_S3") else { return };
    let options =
        S3Options { endpoint: Some("http://s3.invalid:9000".into()), max_retries: 0, ..S3Options::default() };
    let store = S3Artifacts::new(options).unwrap();
    // What the proxy answers is no answer of S3.
    let _ = store.stat(&"s3://bucket/key".parse().unwrap(), &"file".parse().unwrap()).await;
}

#[cfg(feature = "s3")]
#[test]
fn s3_is_reached_by_the_proxies_of_the_environment() {
    let proxy = Proxy::start();
    for (except, by_proxy) in [("", true), ("s3.invalid", false)] {
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "s3_process"])
            .env("MARTELLO_TEST_ASK_S3", "1")
            .env("http_proxy", format!("http://{}", proxy.address))
            .env("no_proxy", except)
            .output()
            .unwrap();
        assert!(status.status.success());
        let heard = proxy.heard();
        assert_eq!(
            heard.iter().any(|head| head.contains("http://s3.invalid:9000/bucket/key/file")),
            by_proxy,
            "{heard:?}"
        );
    }
}
