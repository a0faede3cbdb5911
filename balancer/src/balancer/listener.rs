//! The socket that clients connect to.

use std::io;

use tokio::net::{TcpListener, lookup_host};

use crate::{Error, ErrorKind, server};

/// Listens on an address such as `0.0.0.0:8000` or `localhost:8000`; port 0 takes a free one.
pub(super) async fn listen(on: &str) -> Result<TcpListener, Error> {
    let failed = |error: io::Error| {
        let why = format!("{on}: {}", explain(&error));
        Error::new(ErrorKind::Local, "could not listen").because(io::Error::new(error.kind(), why))
    };
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "no such address");
    for address in lookup_host(on).await.map_err(failed)? {
        match server::listen(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}

fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program listens there already; stop it, or choose another port (0 takes a free one)"
                .into()
        }
        io::ErrorKind::PermissionDenied => {
            "this user may not; choose a port from 1024 on, or run with the right to bind lower ones".into()
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address; 0.0.0.0 listens on all that it has".into()
        }
        io::ErrorKind::InvalidInput => "not an address; write it as 0.0.0.0:8000".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[tokio::test]
    async fn a_taken_port_says_which_and_what_to_do() {
        let first = listen("127.0.0.1:0").await.unwrap();
        let taken = first.local_addr().unwrap().to_string();
        let error = listen(&taken).await.unwrap_err();
        let source = error.source().unwrap().to_string();
        assert!(source.contains(&taken) && source.contains("choose another port"), "{source}");
        let error = listen("eight thousand").await.unwrap_err();
        assert!(error.source().unwrap().to_string().contains("0.0.0.0:8000"), "{error:?}");
    }
}
