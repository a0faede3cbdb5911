//! What a server says that it can do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Deserialize;
use tokio::time::{Instant, timeout};

use crate::http::{Call, Http, Target};
use crate::rest::PassBy;

const SERVER_INFO: &str = "/api/3.0/mlflow/server-info";

/// How long a server is believed, how long it is waited for: as Python's client does.
const BELIEVED_FOR: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether parts may pass the server by; one that does not say so (MLflow before 3) cannot.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(super) struct Offer {
    multipart_uploads_enabled: bool,
    multipart_downloads_enabled: bool,
}

/// What servers have said lately.
#[derive(Debug, Clone, Default)]
pub(super) struct Offers(Arc<Mutex<HashMap<String, (Offer, Instant)>>>);

impl Offers {
    /// Returns whether files are to be sent to the storage behind a server.
    pub(super) async fn upload(&self, wish: PassBy, http: &Http) -> bool {
        match wish {
            PassBy::Offered => self.of(http).await.multipart_uploads_enabled,
            PassBy::Assumed => true,
            PassBy::Never => false,
        }
    }

    /// Returns whether files are to be brought from the storage behind a server.
    pub(super) async fn download(&self, wish: PassBy, http: &Http) -> bool {
        match wish {
            PassBy::Offered => self.of(http).await.multipart_downloads_enabled,
            PassBy::Assumed => true,
            PassBy::Never => false,
        }
    }

    async fn of(&self, http: &Http) -> Offer {
        let server = http.server().to_string();
        let said = self.0.lock().expect("nothing panics while it holds the offers").get(&server).copied();
        match said {
            Some((offer, at)) if at.elapsed() < BELIEVED_FOR => offer,
            _ => {
                let offer = ask(http).await;
                let mut offers = self.0.lock().expect("nothing panics while it holds the offers");
                offers.insert(server, (offer, Instant::now()));
                offer
            }
        }
    }
}

/// Asks once; whatever goes wrong means no.
async fn ask(http: &Http) -> Offer {
    let mut call = Call::get("ask what the server can do", Target::new(SERVER_INFO));
    call.max_retries = Some(0);
    match timeout(PATIENCE, http.json(call)).await {
        Ok(Ok(offer)) => offer,
        Ok(Err(error)) => {
            tracing::debug!(%error, "the server does not say what it can do");
            Offer::default()
        }
        Err(_) => Offer::default(),
    }
}
