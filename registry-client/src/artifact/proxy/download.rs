//! Downloads that pass the server by: it presigns, the storage behind it sends.

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::header;
use serde::Deserialize;

use super::place::{Place, range_header};
use super::storage::{Presigned, Storage, Storages};
use crate::artifact::ranges::{self, Opened, Ranges};
use crate::http::{Answer, Call, Reply};
use crate::{BoxFuture, ByteStream, Error, ErrorKind, Result};

const PRESIGNED: &str = "/api/2.0/mlflow-artifacts/presigned";

/// What the server says when it is asked for a presigned URI.
#[derive(Deserialize)]
struct Leave {
    #[serde(flatten)]
    signed: Presigned,
    file_size: Option<u64>,
}

/// An artifact as the storage has it.
struct Stored {
    place: Place,
    storage: Storage,
    /// Signatures last for minutes: this is the latest.
    signed: Mutex<Presigned>,
}

/// Opens an artifact where it is stored, or returns nothing where that is not possible: then there is still the server's own way,
/// which says as well what is wrong with the artifact, if something is.
pub(super) async fn open(place: &Place, storages: &Storages, part_bytes: u64) -> Option<ByteStream> {
    let said = match leave(place).await {
        Ok(leave) if leave.file_size.is_some_and(|size| size > 0) => {
            storages.of(&leave.signed).map(|storage| (leave, storage))
        }
        Ok(_) => return None,
        Err(error) => Err(error),
    };
    let opened = match said {
        Ok((_, None)) => return None,
        Ok((leave, Some(storage))) => {
            let stored =
                Stored { place: place.clone(), storage: storage.clone(), signed: Mutex::new(leave.signed) };
            let opened = ranges::open(Arc::new(stored), part_bytes).await;
            if let Err(error) = &opened
                && storage.is_out_of_reach(error)
            {
                return None;
            }
            opened
        }
        Err(error) => Err(error),
    };
    match opened {
        Ok(Opened::Bytes(stream)) => Some(stream),
        Ok(Opened::Fickle) => None,
        Err(error) => {
            tracing::debug!(path = %place.path, %error, "the storage behind the server does not send it");
            None
        }
    }
}

async fn leave(place: &Place) -> Result<Leave> {
    place.ask_json("presign the download of", PRESIGNED).await
}

impl Stored {
    async fn try_ask(&self, signed: &Presigned, range: &Range<u64>) -> Result<Reply> {
        let mut call = Call::get(self.doing(), signed.target()?);
        call.answer = Answer::Stream;
        call.headers = signed.headers()?;
        call.headers.insert(header::RANGE, range_header(range)?);
        self.storage.send(call).await
    }

    fn signed(&self) -> Presigned {
        self.signed.lock().expect("nothing panics while it holds the uri").clone()
    }
}

impl Ranges for Stored {
    fn ask(&self, range: Range<u64>) -> BoxFuture<'_, Result<Reply>> {
        Box::pin(async move {
            match self.try_ask(&self.signed(), &range).await {
                // It may have run out.
                Err(error) if !matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout) => {
                    let signed = leave(&self.place).await.map_err(|_: Error| error)?.signed;
                    let reply = self.try_ask(&signed, &range).await?;
                    *self.signed.lock().expect("nothing panics while it holds the uri") = signed;
                    Ok(reply)
                }
                asked => asked,
            }
        })
    }

    fn doing(&self) -> Arc<str> {
        format!("download {} from the storage behind the server", self.place.path).into()
    }

    fn idle_timeout(&self) -> Duration {
        self.storage.idle_timeout()
    }
}
