//! The storage behind a server, reached by presigned URIs. They are secrets, and so is what a storage says about one that it refuses:
//! it may quote the signature.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use tokio::time::Instant;

use super::place::status;
use crate::http::{Call, Http, Reply, Server, Target, TlsOptions};
use crate::rest::{HttpOptions, MultipartOptions};
use crate::{Error, ErrorKind, Result};

/// How long a storage is left alone that could not be reached.
const LEFT_ALONE_FOR: Duration = Duration::from_secs(300);

/// Leave to do one thing with one object.
#[derive(Clone, Deserialize)]
pub(super) struct Presigned {
    url: String,
    #[serde(default)]
    headers: HashMap<String, String>,
}

/// The storages that servers have named.
#[derive(Debug, Clone)]
pub(super) struct Storages {
    options: HttpOptions,
    known: Arc<Mutex<HashMap<String, Storage>>>,
}

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct Storage {
    http: Http,
    reached: Arc<AtomicBool>,
    lost: Arc<Mutex<Option<Instant>>>,
}

// ===== impl Presigned =====

impl Presigned {
    /// Returns the URI, for whoever must be told which it was.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn target(&self) -> Result<Target> {
        Server::of(&self.url).map(|(_, target)| target)
    }

    /// Returns the headers that belong to the signature.
    pub(super) fn headers(&self) -> Result<HeaderMap> {
        let bad = || Error::invalid("the server wants a header for its storage that is none");
        self.headers
            .iter()
            .map(|(name, value)| {
                let name = HeaderName::try_from(name).map_err(|_| bad())?;
                let mut value = HeaderValue::try_from(value).map_err(|_| bad())?;
                value.set_sensitive(true);
                Ok((name, value))
            })
            .collect()
    }
}

impl fmt::Debug for Presigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Presigned([redacted])")
    }
}

// ===== impl Storages =====

impl Storages {
    /// Behaves towards storages as towards the server, which tells them nothing about who asks.
    pub(super) fn new(http: &HttpOptions, multipart: &MultipartOptions) -> Self {
        let tls = TlsOptions { trust: multipart.trust.clone(), client_certificate: None };
        Self { options: HttpOptions { tls, ..http.clone() }, known: Arc::default() }
    }

    /// Returns the storage that a URI leads to, unless it could not be reached lately.
    pub(super) fn of(&self, signed: &Presigned) -> Result<Option<Storage>> {
        let (server, _) = Server::of(&signed.url)?;
        let mut known = self.known.lock().expect("nothing panics while it holds the storages");
        let storage = match known.get(&server.to_string()) {
            Some(storage) => storage.clone(),
            None => {
                let name = server.to_string();
                let http = Http::new(server, None, &HeaderMap::new(), self.options.clone())?;
                let storage = Storage { http, reached: Arc::default(), lost: Arc::default() };
                known.insert(name, storage.clone());
                storage
            }
        };
        Ok(if storage.is_left_alone() { None } else { Some(storage) })
    }
}

// ===== impl Storage =====

impl Storage {
    /// Sends a call to where it is presigned for.
    pub(super) async fn send(&self, mut call: Call) -> Result<Reply> {
        if !self.reached.load(Ordering::Relaxed) {
            // Where nobody is, nobody is waited for: there is another way.
            call.max_retries = Some(1);
        }
        let doing = call.doing.clone();
        match self.http.send(call).await {
            Ok(reply) => {
                self.reached.store(true, Ordering::Relaxed);
                Ok(reply)
            }
            Err(error) => match status(&error) {
                Some(status) => {
                    self.reached.store(true, Ordering::Relaxed);
                    let message = format!("cannot {doing}: the storage behind the server answered {status}");
                    Err(Error::new(error.kind(), message))
                }
                None => Err(error),
            },
        }
    }

    /// Returns whether the error is that nobody is there, of whom nothing was ever heard; leaves it alone for a while then.
    pub(super) fn is_out_of_reach(&self, error: &Error) -> bool {
        if self.reached.load(Ordering::Relaxed)
            || !matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
        {
            return false;
        }
        tracing::warn!(
            storage = %self.http.server(), %error,
            "the storage behind the server cannot be reached from here: files go through the server"
        );
        *self.lost.lock().expect("nothing panics while it holds the time") = Some(Instant::now());
        true
    }

    pub(super) fn idle_timeout(&self) -> Duration {
        self.http.options().idle_timeout
    }

    fn is_left_alone(&self) -> bool {
        let lost = *self.lost.lock().expect("nothing panics while it holds the time");
        lost.is_some_and(|at| at.elapsed() < LEFT_ALONE_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(url: &str) -> Presigned {
        Presigned { url: url.into(), headers: HashMap::from([("x-secret".into(), "s3cret".into())]) }
    }

    #[test]
    fn a_presigned_uri_and_its_headers_are_never_printed() {
        let signed = signed("http://h/b/k?X-Amz-Signature=s3cret");
        let storages = Storages::new(&HttpOptions::default(), &MultipartOptions::default());
        let storage = storages.of(&signed).unwrap().unwrap();
        let printed = format!("{signed:?} {storages:?} {storage:?} {:?}", signed.headers().unwrap());
        assert!(!printed.contains("s3cret"), "{printed}");
        let broken =
            Presigned { url: "h?s3cret".into(), headers: HashMap::from([("a b".into(), "s3cret".into())]) };
        for error in [storages.of(&broken).unwrap_err(), broken.headers().unwrap_err()] {
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_storage_out_of_reach_is_left_alone_for_a_while_and_one_that_answered_is_not() {
        let storages = Storages::new(&HttpOptions::default(), &MultipartOptions::default());
        let signed = signed("http://h/b/k");
        let error = Error::new(ErrorKind::Unavailable, "nobody there");
        assert!(!storages.of(&signed).unwrap().unwrap().is_out_of_reach(&Error::integrity("changed")));
        assert!(storages.of(&signed).unwrap().unwrap().is_out_of_reach(&error));
        assert!(storages.of(&signed).unwrap().is_none());
        tokio::time::advance(LEFT_ALONE_FOR).await;
        let storage = storages.of(&signed).unwrap().unwrap();
        storage.reached.store(true, Ordering::Relaxed);
        assert!(!storage.is_out_of_reach(&error));
    }
}
