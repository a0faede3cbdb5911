//! Toy replicas and clients over loopback sockets.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod process;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::http1::{SendRequest, handshake},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use martello_balancer::{Balancer, BalancerBuilder, EndpointSnapshot, EndpointState, Replicas, Status};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// In place of a status: the end of the connection, or to anything but a GET no answer at all.
const RESET: u16 = 0;
const SILENT: u16 = 1;

/// A replica in this process that echoes the body of every request, with a status that may be changed.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) address: SocketAddr,
    pub(crate) reached: Arc<AtomicU64>,
    status: Arc<AtomicU16>,
    delay: Arc<AtomicU64>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Replica {
    pub(crate) fn start() -> Self {
        Self::start_at("127.0.0.1:0")
    }

    /// Starts where another one may have been before.
    pub(crate) fn start_at(address: &str) -> Self {
        let listener = std::net::TcpListener::bind(address).expect("the address is free");
        listener.set_nonblocking(true).expect("a listener can be made non-blocking");
        let address = listener.local_addr().expect("the listener is bound");
        let (reached, status) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU16::new(200)));
        // A runtime of its own, so that the replica can die with everything that it has under way.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime starts");
        let delay = Arc::new(AtomicU64::new(0));
        let (count, answer, after) = (Arc::clone(&reached), Arc::clone(&status), Arc::clone(&delay));
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("the runtime takes a listener");
            serve(listener, count, answer, after).await;
        });
        Self { address, reached, status, delay, runtime: Some(runtime) }
    }

    pub(crate) fn answer_with(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// Answers after this time.
    pub(crate) fn answer_slowly(&self, after: Duration) {
        self.delay.store(after.as_millis() as u64, Ordering::SeqCst);
    }

    /// Takes every request and closes its connection without an answer.
    pub(crate) fn reset(&self) {
        self.answer_with(RESET);
    }

    /// Takes every request, and answers none but the `GET`s of a probe.
    pub(crate) fn fall_silent(&self) {
        self.answer_with(SILENT);
    }

    pub(crate) fn reached(&self) -> u64 {
        self.reached.load(Ordering::SeqCst)
    }

    /// Closes every socket, and returns when all are closed.
    pub(crate) fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A runtime must not wait for its end on a thread of another one.
            let ending = std::thread::spawn(|| runtime.shutdown_timeout(Duration::from_secs(5)));
            ending.join().expect("a runtime ends");
        }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Echoes the body of every request, counted when its head has come, after some milliseconds, and declares itself
/// to be a pure function.
pub(crate) async fn serve(
    listener: TcpListener,
    reached: Arc<AtomicU64>,
    status: Arc<AtomicU16>,
    after: Arc<AtomicU64>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).expect("the socket is open");
        let (reached, status, after) = (Arc::clone(&reached), Arc::clone(&status), Arc::clone(&after));
        tokio::spawn(async move {
            let answer = service_fn(move |request: Request<Incoming>| {
                reached.fetch_add(1, Ordering::SeqCst);
                let after = Duration::from_millis(after.load(Ordering::SeqCst));
                echo(request, status.load(Ordering::SeqCst), after)
            });
            // A connection that breaks is part of what is tested.
            let _broken = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

async fn echo(
    request: Request<Incoming>,
    status: u16,
    after: Duration,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    if status == RESET {
        return Err(std::io::ErrorKind::ConnectionReset.into());
    }
    if status == SILENT && request.method() != http::Method::GET {
        std::future::pending::<()>().await;
    }
    let status = if status == SILENT { 200 } else { status };
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    tokio::time::sleep(after).await;
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = StatusCode::from_u16(status).expect("tests use real statuses");
    // A server that breaks says nothing about its functions; one that answers 500 with this header means it.
    if response.status().is_success() {
        response.headers_mut().insert("martello-pure", header::HeaderValue::from_static("?1"));
    }
    Ok(response)
}

/// A balancer that runs in the background.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) status: Status,
    pub(crate) replicas: Replicas,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    served: JoinSet<Result<(), martello_balancer::Error>>,
}

impl Running {
    pub(crate) async fn start(builder: BalancerBuilder) -> Self {
        let balancer = builder.listen("127.0.0.1:0").bind().await.expect("loopback has a free port");
        let (address, status, replicas) = (balancer.local_addr(), balancer.status(), balancer.endpoints());
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let mut served = JoinSet::new();
        served.spawn(balancer.serve(async { _ = stopped.await }));
        Self { address, status, replicas, stop: Some(stop), served }
    }

    pub(crate) async fn over(replicas: &[Replica]) -> Self {
        Self::start_ready(Balancer::builder().upstreams(replicas.iter().map(|replica| replica.address))).await
    }

    /// Starts, and returns when every upstream is ready: turns begin anew with each that joins.
    pub(crate) async fn start_ready(builder: BalancerBuilder) -> Self {
        let running = Self::start(builder).await;
        let is_ready = |endpoint: &EndpointSnapshot| endpoint.state == EndpointState::Ready;
        eventually("all are ready", || running.status.snapshot().endpoints.iter().all(is_ready)).await;
        running
    }

    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        let served = self.served.join_next().await.expect("it is running");
        served.expect("it does not panic").expect("it drains");
    }
}

/// One connection to a server.
pub(crate) struct Client {
    address: SocketAddr,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, sender: None }
    }

    /// Posts a body, on the connection that it has or on a new one.
    pub(crate) async fn post(&mut self, body: String) -> Result<Response<Bytes>, hyper::Error> {
        let request = Request::post("/predict").body(Full::new(Bytes::from(body)));
        self.send(request.expect("the request is valid")).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Response<Bytes> {
        let request = Request::get(path).body(Full::default()).expect("the request is valid");
        self.send(request).await.expect("the balancer answers")
    }

    pub(crate) async fn send(
        &mut self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Bytes>, hyper::Error> {
        request.headers_mut().insert(header::HOST, header::HeaderValue::from_static("localhost"));
        let mut sender = match self.sender.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => connect(self.address).await,
        };
        sender.ready().await?;
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        self.sender = Some(sender);
        Ok(Response::from_parts(head, body))
    }
}

async fn connect(address: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.expect("the server listens");
    stream.set_nodelay(true).expect("the socket is open");
    let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("a new connection is ready");
    tokio::spawn(connection);
    sender
}

/// Waits until something is so, and fails after ten seconds.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    let waiting = async {
        while !is_so() {
            ticks.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// How the requests of a closed loop of clients ended.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) answered: u64,
    pub(crate) failures: Vec<String>,
    /// The longest that any answer took.
    pub(crate) slowest: Duration,
}

/// Lets clients ask one request after the other until told to stop; each answer must be the echo of its
/// own request.
pub(crate) fn closed_loop(
    address: SocketAddr,
    clients: u64,
    stop: &Arc<std::sync::atomic::AtomicBool>,
) -> JoinSet<Tally> {
    let mut running = JoinSet::new();
    for client in 0..clients {
        let stop = Arc::clone(stop);
        running.spawn(async move {
            let (mut connection, mut tally) = (Client::new(address), Tally::default());
            for number in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let body = format!("{client}/{number}");
                let began = std::time::Instant::now();
                let answer = connection.post(body.clone()).await;
                tally.slowest = tally.slowest.max(began.elapsed());
                match answer {
                    Ok(answer) if answer.status() == 200 && answer.body() == body.as_bytes() => {
                        tally.answered += 1
                    }
                    Ok(answer) => {
                        tally.failures.push(format!("{body}: {} {:?}", answer.status(), answer.body()))
                    }
                    Err(error) => tally.failures.push(format!("{body}: {error:?}")),
                }
            }
            tally
        });
    }
    running
}

/// Adds the tallies of all clients up.
pub(crate) async fn total(mut running: JoinSet<Tally>) -> Tally {
    let mut total = Tally::default();
    while let Some(tally) = running.join_next().await {
        let tally = tally.expect("no client panics");
        total.answered += tally.answered;
        total.failures.extend(tally.failures);
        total.slowest = total.slowest.max(tally.slowest);
    }
    total
}
