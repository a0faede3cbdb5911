//! The client: one server, JSON in and out.

use http::{HeaderValue, Method, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{MultipartOptions, RestOptions};
use crate::http::{Call, Http, Payload, Safety, Server, Target};
use crate::{Error, Result};

/// Where MLflow's API begins.
const API: &str = "/api/2.0/mlflow/";

/// A client of an MLflow server: a cheap handle, clones share connections.
///
/// ```no_run
/// # async fn example() -> Result<(), martello_registry_client::Error> {
/// use martello_registry_client::rest::{MlflowClient, RestOptions};
/// use martello_registry_client::{ModelRegistry, Query};
///
/// let client = MlflowClient::new("http://127.0.0.1:5000", RestOptions::from_env()?)?;
/// for model in client.search_models(&Query::new()).await?.items {
///     println!("{} {:?}", model.name, model.aliases);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct MlflowClient {
    http: Http,
    multipart: MultipartOptions,
}

/// An answer of which nothing is needed.
#[derive(Deserialize)]
pub(super) struct Nothing {}

impl MlflowClient {
    /// Returns a client of the server at `http://host:port` or `https://host:port`, with or without a path. No connection is
    /// made before it is needed.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` when the URI, a certificate or a token cannot be used.
    pub fn new(uri: &str, options: RestOptions) -> Result<Self> {
        let (server, in_uri) = Server::parse(uri)?;
        let headers = options.headers()?;
        let credentials = options.credentials.or(in_uri);
        let http = Http::new(server, credentials.as_ref(), &headers, options.http)?;
        Ok(Self { http, multipart: options.multipart })
    }

    pub(crate) fn http(&self) -> &Http {
        &self.http
    }

    pub(crate) fn multipart(&self) -> &MultipartOptions {
        &self.multipart
    }

    /// Asks for something; `target` is below `/api/2.0/mlflow/`.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        doing: impl Into<String>,
        target: Target,
    ) -> Result<T> {
        self.http.json(Call::get(doing.into(), target)).await
    }

    /// Sends a JSON body.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        doing: impl Into<String>,
        method: Method,
        path: &str,
        body: &(impl Serialize + Sync),
        safety: Safety,
    ) -> Result<T> {
        let doing = doing.into();
        let body = serde_json::to_vec(body)
            .map_err(|e| Error::invalid(format!("cannot {doing}: it makes no JSON")).with_source(e))?;
        let mut call = Call::new(doing, method, api(path), Payload::Memory(body.into()), safety);
        call.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.http.json(call).await
    }

    /// Posts what may be posted twice.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        doing: impl Into<String>,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T> {
        self.send(doing, Method::POST, path, body, Safety::Repeatable).await
    }

    /// Posts what must not be done twice.
    pub(super) async fn post_once<T: DeserializeOwned>(
        &self,
        doing: impl Into<String>,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T> {
        self.send(doing, Method::POST, path, body, Safety::Once).await
    }
}

/// Returns the target of a function of the API.
pub(super) fn api(path: &str) -> Target {
    Target::new(format!("{API}{path}"))
}
