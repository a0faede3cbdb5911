//! A process that has no file descriptors left goes on serving, and accepts again as soon as it can.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod fixture;

use fixture::{GOOD, Running, get, post};
use martello_serving::Limits;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

// Alone in its file: the limit is the whole process's.
#[tokio::test]
async fn accepting_is_resumed_once_descriptors_are_free() {
    let replica = Running::with_limits(Limits::default()).await;
    let mut before = replica.connect().await;
    before.send(get("/health")).await;
    assert_eq!(before.answer().await.unwrap().status, 200);

    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 64, hard).unwrap();
    // The client's ends are made first and count too: the last descriptor goes to a client, none is left to accept it.
    let mut taken = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        taken.push(file);
    }
    drop(taken.pop());
    let mut waiting = replica.connect().await;
    waiting.send(post("/predict", GOOD)).await;

    before.send(get("/health")).await;
    assert_eq!(before.answer().await.unwrap().status, 200, "a connection that is open is served");
    drop(taken);
    assert_eq!(waiting.answer().await.unwrap().status, 200, "the one that waited is accepted");
}
