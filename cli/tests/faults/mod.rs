//! Replicas that fail, balancers in front of them and a load that counts what is lost: all of them processes, over
//! loopback.

pub(crate) mod idle;
pub(crate) mod load;
#[path = "../../../balancer/tests/name_server/mod.rs"]
pub(crate) mod name_server;
pub(crate) mod proxy;
pub(crate) mod replica;
pub(crate) mod scenario;

use std::net::SocketAddr;

/// Becomes a replica, if the arguments say so; returns whether they did.
pub(crate) async fn be_a_replica_if_told() -> bool {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, role, address] = &arguments[..] else { return false };
    if role != "--be-a-replica" {
        return false;
    }
    let address: SocketAddr = address.parse().expect("an address");
    replica::serve(address).await.expect("the address is free");
    true
}
