//! Your own model and your own tower layer in a replica: a model in five lines, and a layer that tells how long each answer took.
//!
//! `cargo run --example custom_layer`
//!
//! ```text
//! 200 OK {"prediction":22.5}
//! server-timing: replica;dur=0.061
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt;
use martello::balancer::{Body, EndpointConfig, HttpEndpoint};
use martello::prelude::*;
use pin_project_lite::pin_project;
use tower::{Layer, Service, ServiceExt};

/// A model that nobody trained: the mean of its columns.
#[derive(Debug)]
struct Mean(Arc<Signature>);

impl Model for Mean {
    fn signature(&self) -> &Arc<Signature> {
        &self.0
    }

    fn predict(&self, batch: &Batch) -> Result<Predictions, model_core::Error> {
        let columns = self.0.inputs().len();
        let rows = batch.numbers().chunks_exact(columns);
        Ok(Predictions::Numbers(rows.map(|row| row.iter().sum::<f64>() / columns as f64).collect()))
    }
}

/// Adds `Server-Timing` (W3C) to every answer.
#[derive(Debug, Clone, Copy)]
struct ServerTimingLayer;

impl<S> Layer<S> for ServerTimingLayer {
    type Service = ServerTiming<S>;

    fn layer(&self, inner: S) -> ServerTiming<S> {
        ServerTiming { inner }
    }
}

#[derive(Debug, Clone)]
struct ServerTiming<S> {
    inner: S,
}

impl<S, R, B> Service<R> for ServerTiming<S>
where
    S: Service<R, Response = Response<B>>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = ServerTimingFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        ServerTimingFuture { since: Instant::now(), inner: self.inner.call(request) }
    }
}

pin_project! {
    struct ServerTimingFuture<F> {
        since: Instant,
        #[pin]
        inner: F,
    }
}

impl<F, B, E> Future for ServerTimingFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        let timing = format!("replica;dur={:.3}", this.since.elapsed().as_secs_f64() * 1e3);
        if let Ok(value) = HeaderValue::from_str(&timing) {
            response.headers_mut().insert("server-timing", value);
        }
        Poll::Ready(Ok(response))
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let columns = ["low", "high"].map(Column::double);
    let model = Mean(Arc::new(Signature::new(columns.to_vec(), vec![Column::unnamed(DataType::Double)])?));
    let replica = Replica::builder()
        .listen("127.0.0.1:0")
        .model(Arc::new(model))
        .layer(ServerTimingLayer)
        .bind()
        .await?;
    let address = replica.local_addr();
    tokio::spawn(replica.serve(std::future::pending()));

    let request = Request::post("/predict")
        .header("host", address.to_string())
        .header("content-type", "application/json");
    let request = request.body(Body::from(r#"{"low": 20.0, "high": 25.0}"#))?;
    let answer = HttpEndpoint::new(address, EndpointConfig::default()).oneshot(request).await?;
    let (head, body) = answer.into_parts();
    println!("{} {}", head.status, String::from_utf8_lossy(&body.collect().await?.to_bytes()));
    println!("server-timing: {}", head.headers["server-timing"].to_str()?);
    Ok(())
}
