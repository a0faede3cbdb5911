//! One balancer takes the port over from another, and no connection is refused or lost.
//!
//! Two processes that listen side by side (`SO_REUSEPORT`) have a queue of new connections each, and closing a listener
//! resets those that are still in its queue, however late it looks: the handshake is the kernel's. So here the listening
//! socket itself goes from one process to the other (`SCM_RIGHTS`, unix(7)). Both have it for a moment, there is one
//! queue, and nobody closes it.
//!
//! The successor connects to a Unix socket at a path that both were given and is sent the listener. When it is about to
//! accept connections it offers the path itself and says so; only then the one before stops to accept and ends. A
//! successor that fails until then has changed nothing.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    net::SocketAddr,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::{MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, Interest},
    net::{TcpListener, UnixListener, UnixStream, lookup_host},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{Error, ErrorKind};

/// What the listener comes with, so that neither side takes another program for a balancer.
const GREETING: &[u8; 20] = b"martello-listener 1\n";
/// What the successor answers when it accepts connections.
const READY: &[u8; 6] = b"ready\n";
/// How long a successor may take from its start to its first accept. A minute: names may have to be looked up and
/// nothing is lost meanwhile, but one that hangs is not waited for.
const START: Duration = Duration::from_secs(60);
/// How long a running balancer may take to send its listener: it does nothing but that.
const ANSWER: Duration = Duration::from_secs(5);
/// How long nobody is asked for where a successor could not be heard.
const PAUSE: Duration = Duration::from_millis(100);

/// A place in the line of balancers that have the port one after the other.
#[derive(Debug)]
pub(super) struct HandOver {
    path: PathBuf,
    /// The one before, which still serves.
    before: Option<UnixStream>,
}

impl HandOver {
    /// The place of a balancer that found none before it.
    pub(super) fn first(path: &Path) -> Self {
        Self { path: path.into(), before: None }
    }

    /// Takes the listener of the balancer that offers it at this path; nothing if there is none.
    pub(super) async fn take(path: &Path, listen: &str) -> Result<Option<(TcpListener, Self)>, Error> {
        let before = match UnixStream::connect(path).await {
            Ok(before) => before,
            // A socket that nobody listens to was left by one that was killed.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(failed(path, error)),
        };
        let received = timeout(ANSWER, before.async_io(Interest::READABLE, || receive(&before))).await;
        let listener = received.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let listener = listener.and_then(TcpListener::from_std);
        let listener = listener.map_err(|error| failed(path, error))?;
        let address = listener.local_addr().map_err(|error| failed(path, error))?;
        if !is_meant(listen, address).await {
            let why = format!("the balancer that runs listens on {address}, and this one was told {listen}");
            return Err(failed(path, io::Error::other(why)));
        }
        tracing::info!(%address, "took the listener over");
        Ok(Some((listener, Self { path: path.into(), before: Some(before) })))
    }

    /// Offers the listener to a successor, tells the one before that this one serves, and returns when a successor does.
    pub(super) async fn serve(mut self, listener: OwnedFd) {
        let offered = match Offer::at(&self.path) {
            Ok(offered) => Some(offered),
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "nobody can take the port over from this balancer");
                None
            }
        };
        if let Some(mut before) = self.before.take() {
            // If it is gone, it has nothing to be told.
            let _gone = before.write_all(READY).await;
        }
        match offered {
            Some(offered) => offered.until_taken(&listener).await,
            None => std::future::pending().await,
        }
    }
}

/// Whether a listener is where this balancer was told to listen.
async fn is_meant(listen: &str, address: SocketAddr) -> bool {
    let Ok(mut wanted) = lookup_host(listen).await else { return false };
    wanted.any(|wanted| wanted == address || (wanted.port() == 0 && wanted.ip() == address.ip()))
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn failed(path: &Path, error: io::Error) -> Error {
    let why = format!("{}: {error}", path.display());
    Error::new(ErrorKind::Local, "could not take the port over").because(io::Error::new(error.kind(), why))
}

/// The Unix socket at which successors ask.
struct Offer {
    socket: UnixListener,
    path: PathBuf,
    inode: u64,
}

impl Offer {
    /// Opens it under another name, and gives it its own when nobody but this user may connect: in one step, from
    /// whoever had it before.
    fn at(path: &Path) -> io::Result<Self> {
        let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        name.push(format!(".{}", std::process::id()));
        let draft = path.with_file_name(name);
        if let Err(error) = std::fs::remove_file(&draft)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let socket = UnixListener::bind(&draft)?;
        std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o600))?;
        let inode = std::fs::metadata(&draft)?.ino();
        std::fs::rename(&draft, path)?;
        Ok(Self { socket, path: path.into(), inode })
    }

    async fn until_taken(&self, listener: &OwnedFd) {
        let mut asked = JoinSet::new();
        loop {
            tokio::select! {
                Some(taken) = asked.join_next() => if matches!(taken, Ok(Ok(()))) { return },
                accepted = self.socket.accept() => {
                    let Ok((successor, _)) = accepted else {
                        // Such as for want of descriptors: it would say so again at once.
                        sleep(PAUSE).await;
                        continue;
                    };
                    match (may_ask(&successor), listener.try_clone()) {
                        (true, Ok(listener)) => drop(asked.spawn(timeout_as_error(give(successor, listener)))),
                        _ => tracing::warn!("somebody else's process asked for the listener and was refused"),
                    }
                }
            }
        }
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        // A successor has put its own socket here by now.
        let is_ours = std::fs::metadata(&self.path).is_ok_and(|found| found.ino() == self.inode);
        if is_ours {
            let _gone = std::fs::remove_file(&self.path);
        }
    }
}

async fn timeout_as_error(giving: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    timeout(START, giving).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// The permissions of the path say the same; this also holds where a file system does not keep them.
fn may_ask(successor: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    successor.peer_cred().is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
}

/// Gives the listener to a successor and waits until that serves.
async fn give(mut successor: UnixStream, listener: OwnedFd) -> io::Result<()> {
    successor.async_io(Interest::WRITABLE, || send(&successor, listener.as_fd())).await?;
    let mut answer = [0; READY.len()];
    successor.read_exact(&mut answer).await?;
    if answer == *READY { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

fn send(to: &UnixStream, listener: BorrowedFd<'_>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let listeners = [listener];
    if !control.push(SendAncillaryMessage::ScmRights(&listeners)) {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    // So few bytes are taken whole or not at all.
    sendmsg(to, &[IoSlice::new(GREETING)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn receive(from: &UnixStream) -> io::Result<std::net::TcpListener> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut greeting = [0; GREETING.len()];
    let received =
        recvmsg(from, &mut [IoSliceMut::new(&mut greeting)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let listener = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut listeners) => listeners.next(),
        _ => None,
    });
    match listener {
        Some(listener) if received.bytes == GREETING.len() && greeting == *GREETING => Ok(listener.into()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "whoever listens there is no balancer")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn listener() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").await.unwrap()
    }

    fn descriptor(listener: &TcpListener) -> OwnedFd {
        listener.as_fd().try_clone_to_owned().unwrap()
    }

    #[tokio::test]
    async fn a_listener_goes_from_one_to_the_next_when_that_serves() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hand-over");
        assert!(HandOver::take(&path, "127.0.0.1:0").await.unwrap().is_none());
        let first = listener().await;
        let address = first.local_addr().unwrap();
        let mut serving = tokio::spawn(HandOver::first(&path).serve(descriptor(&first)));
        let offered = async {
            while !path.exists() {
                tokio::task::yield_now().await;
            }
        };
        timeout(START, offered).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        // One that fails before it serves changes nothing.
        drop(HandOver::take(&path, "127.0.0.1:0").await.unwrap().unwrap());
        let (second, place) = HandOver::take(&path, &address.to_string()).await.unwrap().unwrap();
        assert_eq!(second.local_addr().unwrap(), address);
        assert!(!serving.is_finished());
        let next = tokio::spawn(place.serve(descriptor(&second)));
        (&mut serving).await.unwrap();
        drop(first);
        let client = tokio::net::TcpStream::connect(address).await.unwrap();
        assert_eq!(second.accept().await.unwrap().1, client.local_addr().unwrap());
        assert!(path.exists(), "the next one offers it now");
        next.abort();
    }

    #[tokio::test]
    async fn another_address_and_another_program_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hand-over");
        let first = listener().await;
        let serving = tokio::spawn(HandOver::first(&path).serve(descriptor(&first)));
        while !path.exists() {
            tokio::task::yield_now().await;
        }
        let error = HandOver::take(&path, "127.0.0.1:1").await.unwrap_err();
        assert!(format!("{error:?}").contains("was told 127.0.0.1:1"), "{error:?}");
        serving.abort();

        let other = folder.path().join("other");
        let stranger = UnixListener::bind(&other).unwrap();
        let strange = tokio::spawn(async move {
            stranger.accept().await.unwrap().0.write_all(b"220 mail.example ESMTP\r\n").await.unwrap();
        });
        let error = HandOver::take(&other, "127.0.0.1:0").await.unwrap_err();
        assert!(format!("{error:?}").contains("no balancer"), "{error:?}");
        strange.await.unwrap();
    }
}
