//! What 10,000 users cost the generator itself.
//!
//! Starts a small hyper server as a process of its own, puts the users on it, and prints CPU and
//! memory of both sides.
//!
//! ```text
//! cargo run --release -p martello-load-test --example ten_thousand_users -- [USERS] [SECONDS]
//! ```
//!
//! Expect, for 10,000 users and 60 s, no failed request, 5,700 requests/s once all users are at work,
//! and for this process about a fifth of a core and 25 MB.

#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::convert::Infallible;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use martello_load_test::{Check, Plan, RequestTemplate};
use tokio::net::TcpListener;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The argument that makes this program the server.
const SERVE: &str = "serve";

// One thread is enough for either side, and leaves the other core to the other.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == SERVE) {
        return serve().await;
    }
    let number = |place: usize, default: u64| arguments.get(place).map_or(Ok(default), |text| text.parse());
    load(usize::try_from(number(0, 10_000)?)?, Duration::from_secs(number(1, 60)?)).await
}

async fn load(users: usize, run_time: Duration) -> Result<()> {
    let (server, url) = start_server()?;
    let body = r#"{"feature1":5.3,"feature2":2.1,"feature3":0.8}"#;
    let predict =
        RequestTemplate::post("/predict").json(body).check(Check::success().and_body_contains("prediction"));
    let plan =
        Plan::builder(url).users(users).run_time(run_time).request(predict).watch_process(server.0.id());
    let report = plan.build()?.run(|tick| println!("{tick}")).await?;
    println!("{report}");
    Ok(())
}

/// A process that ends with this value.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing can be done about a process that is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_server() -> Result<(Server, String)> {
    let mut command = Command::new(std::env::current_exe()?);
    let mut child = command.arg(SERVE).stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().ok_or("the server has no output")?;
    let server = Server(child);
    let mut address = String::new();
    BufReader::new(output).read_line(&mut address)?;
    Ok((server, format!("http://{}", address.trim())))
}

async fn serve() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(predict));
        tokio::spawn(connection);
    }
}

async fn predict(request: Request<Incoming>) -> std::result::Result<Response<Full<Bytes>>, Infallible> {
    // A body that breaks off ends its connection; there is nobody left to answer.
    let _ = request.into_body().collect().await;
    let mut response = Response::new(Full::new(Bytes::from_static(b"{\"prediction\":321.307}")));
    response.headers_mut().insert("martello-endpoint", http::HeaderValue::from_static("toy"));
    Ok(response)
}
