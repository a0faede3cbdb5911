//! Listening on an address, with errors that say what to do.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket, lookup_host};

use crate::{Error, ErrorKind};

/// Connections that the kernel keeps for us until they are accepted. 4096 is what Linux allows by default
/// (`net.core.somaxconn`): users who all come at once find room.
const BACKLOG: u32 = 4096;

/// Listens on the first address that a name stands for and that can be listened on.
pub(super) async fn bind(address: &str) -> Result<TcpListener, Error> {
    let addresses = lookup_host(address).await.map_err(|error| unknown(address, error))?;
    let mut last = None;
    for candidate in addresses {
        match listen(candidate) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = Some(error),
        }
    }
    Err(refused(address, last.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into())))
}

pub(super) fn local_addr(listener: &TcpListener) -> Result<SocketAddr, Error> {
    listener.local_addr().map_err(|error| {
        Error::new(ErrorKind::Bind, "cannot tell the address listened on").with_source(error)
    })
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A replica that was just stopped leaves connections in TIME_WAIT; its successor takes the port over.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn unknown(address: &str, error: io::Error) -> Error {
    let message = format!("cannot listen on {address:?}: not an address; write it as host:port");
    Error::new(ErrorKind::Bind, message).with_source(error)
}

fn refused(address: &str, error: io::Error) -> Error {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => "the port is taken; stop the process that has it or choose another",
        io::ErrorKind::PermissionDenied => "not allowed; choose a port above 1023",
        io::ErrorKind::AddrNotAvailable => "the address is not one of this machine's",
        _ => "the system refused it",
    };
    Error::new(ErrorKind::Bind, format!("cannot listen on {address}: {advice}")).with_source(error)
}
