//! The requests of the admin API.

use std::{convert::Infallible, future::Future, net::SocketAddr, num::NonZeroU16, pin::Pin};

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tower::Service;

use super::{
    AdminToken,
    guard::{Refused, admit},
};
use crate::{Body, Replicas, Status};

/// Answers the requests of the admin API.
#[derive(Debug, Clone)]
pub(crate) struct AdminService {
    replicas: Replicas,
    status: Status,
    token: Option<AdminToken>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Newcomer {
    address: SocketAddr,
    weight: Option<NonZeroU16>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Weight {
    weight: NonZeroU16,
}

/// An answer that is no success: its status, what failed, and in a word why.
type Refusal = (StatusCode, String, &'static str);
type Answer = Result<(StatusCode, Value), Refusal>;

impl AdminService {
    pub(crate) fn new(replicas: Replicas, status: Status, token: Option<AdminToken>) -> Self {
        Self { replicas, status, token }
    }

    async fn answer(self, request: Request<Body>) -> Answer {
        if let Err(refused) = admit(self.token.as_ref(), request.headers()) {
            return Err(refusal(refused));
        }
        let (head, body) = request.into_parts();
        let path: Vec<&str> = head.uri.path().split('/').skip(1).collect();
        let method = Verb::of(&head.method);
        match (method, &path[..]) {
            (Verb::Read, ["status"]) => Ok((StatusCode::OK, json!(self.status.snapshot()))),
            (Verb::Read, ["endpoints"]) => Ok((StatusCode::OK, json!(self.status.snapshot().endpoints))),
            (Verb::Post, ["endpoints"]) => self.add(read(body).await?),
            (Verb::Read, ["endpoints", address]) => self.show(address),
            (Verb::Delete, ["endpoints", address]) => self.remove(known(address)?),
            (Verb::Post, ["endpoints", address, "drain"]) => self.drain(known(address)?),
            (Verb::Put, ["endpoints", address, "weight"]) => {
                let address = known(address)?;
                self.weigh(address, read(body).await?)
            }
            (_, ["status" | "endpoints"] | ["endpoints", _] | ["endpoints", _, "drain" | "weight"]) => {
                Err((StatusCode::METHOD_NOT_ALLOWED, "this method is not known here".into(), "method"))
            }
            _ => Err((StatusCode::NOT_FOUND, "there is nothing at this path".into(), "path")),
        }
    }

    fn show(&self, address: &str) -> Answer {
        let address = known(address)?;
        let snapshot = self.status.snapshot();
        let found = snapshot.endpoint(&address.to_string());
        found.map(|endpoint| (StatusCode::OK, json!(endpoint))).ok_or_else(|| unknown(address))
    }

    fn add(&self, Newcomer { address, weight }: Newcomer) -> Answer {
        if address.port() == 0 {
            return Err((StatusCode::UNPROCESSABLE_ENTITY, "an address needs a port".into(), "body"));
        }
        if !self.replicas.add_weighted(address, weight.unwrap_or(NonZeroU16::MIN)) {
            return Err((StatusCode::CONFLICT, format!("{address} is in already"), "known-endpoint"));
        }
        let (_, shown) = self.show(&address.to_string())?;
        Ok((StatusCode::CREATED, shown))
    }

    fn weigh(&self, address: SocketAddr, Weight { weight }: Weight) -> Answer {
        if !self.replicas.set_weight(address, weight) {
            return Err(unknown(address));
        }
        self.show(&address.to_string())
    }

    fn drain(&self, address: SocketAddr) -> Answer {
        if !self.replicas.addresses().contains(&address) {
            return Err(unknown(address));
        }
        // It ends when the replica has answered what it has; whoever asked can see that in the status.
        tokio::spawn(self.replicas.drain(address));
        Ok((StatusCode::ACCEPTED, json!({ "address": address, "state": "draining" })))
    }

    fn remove(&self, address: SocketAddr) -> Answer {
        if !self.replicas.remove(address) {
            return Err(unknown(address));
        }
        Ok((StatusCode::OK, json!({ "address": address, "state": "removed" })))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Read,
    Post,
    Put,
    Delete,
    Other,
}

impl Verb {
    fn of(method: &Method) -> Self {
        match *method {
            Method::GET | Method::HEAD => Self::Read,
            Method::POST => Self::Post,
            Method::PUT => Self::Put,
            Method::DELETE => Self::Delete,
            _ => Self::Other,
        }
    }
}

fn known(address: &str) -> Result<SocketAddr, Refusal> {
    // The brackets of an IPv6 address may come percent-encoded.
    let address = address.replace("%5B", "[").replace("%5D", "]").replace("%3A", ":");
    let address = address.replace("%5b", "[").replace("%5d", "]").replace("%3a", ":");
    address.parse().map_err(|_| {
        (StatusCode::NOT_FOUND, "that is no address such as 127.0.0.1:9001".into(), "unknown-endpoint")
    })
}

fn unknown(address: SocketAddr) -> Refusal {
    (StatusCode::NOT_FOUND, format!("there is no replica {address}"), "unknown-endpoint")
}

fn refusal(refused: Refused) -> Refusal {
    match refused {
        Refused::Token => (
            StatusCode::UNAUTHORIZED,
            "the token is missing or wrong: send Authorization: Bearer TOKEN".into(),
            "token",
        ),
        Refused::WebPage => {
            let told =
                "web pages may not use this; programs ask for 127.0.0.1 or localhost, and send no Origin";
            (StatusCode::FORBIDDEN, told.into(), "origin")
        }
    }
}

async fn read<T: DeserializeOwned>(body: Body) -> Result<T, Refusal> {
    let body = body.collect().await.map_err(|error| (StatusCode::BAD_REQUEST, error.to_string(), "body"))?;
    serde_json::from_slice(&body.to_bytes()).map_err(|error| {
        (StatusCode::UNPROCESSABLE_ENTITY, format!("the body cannot be used: {error}"), "body")
    })
}

fn render(answer: Answer) -> Response<Body> {
    let (status, value) = match answer {
        Ok((status, value)) => (status, value),
        Err((status, detail, reason)) => (status, json!({ "detail": detail, "reason": reason })),
    };
    let mut response = Response::new(Body::from(format!("{value}\n")));
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::UNAUTHORIZED {
        fields.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        fields.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE"));
    }
    response
}

impl Service<Request<Body>> for AdminService {
    type Response = Response<Body>;
    type Error = Infallible;
    // Boxed: an operator's requests are few.
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { Ok(render(this.answer(request).await)) })
    }
}
