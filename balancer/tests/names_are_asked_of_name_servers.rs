//! Names by real queries to a name server: A, AAAA and SRV records, and what is kept when the server fails.

mod name_server;

use std::{net::IpAddr, sync::Arc, time::Duration};

use martello_balancer::{
    Balancer, Replicas,
    discovery::{Discover, Dns, NameServers},
};
use name_server::{NameServer, Service, Zone};
use tokio::sync::Notify;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn source(server: &NameServer, name: &str) -> Dns<NameServers> {
    Dns::with_resolver(NameServers::new([server.address]), name, 8000)
}

async fn next(dns: &mut Dns<NameServers>) -> Vec<(String, u16)> {
    let found = tokio::time::timeout(Duration::from_secs(20), dns.next()).await.expect("the server answers");
    let found = found.expect("a name is followed for ever");
    found.iter().map(|address| (address.to_string(), dns.weight(address).get())).collect()
}

fn each_once(addresses: &[&str]) -> Vec<(String, u16)> {
    addresses.iter().map(|address| ((*address).to_owned(), 1)).collect()
}

#[tokio::test]
async fn a_name_has_its_a_records_or_else_its_aaaa_records() {
    let both = vec![ip("10.0.0.2"), ip("fd00::1"), ip("10.0.0.1")];
    let server = NameServer::start(Zone::Addresses(both)).await;
    let mut dns = source(&server, "replica.test");
    assert_eq!(next(&mut dns).await, each_once(&["10.0.0.1:8000", "10.0.0.2:8000"]));
    server.say(Zone::Addresses(vec![ip("fd00::2"), ip("fd00::1")]));
    assert_eq!(next(&mut dns).await, each_once(&["[fd00::1]:8000", "[fd00::2]:8000"]));
}

fn service(priority: u16, weight: u16, port: u16, target: &'static str, address: &str) -> Service {
    Service { priority, weight, port, target, address: ip(address) }
}

#[tokio::test]
async fn a_service_has_the_targets_of_its_lowest_priority_with_their_ports_and_weights() {
    let server = NameServer::start(Zone::Services(vec![
        service(10, 3, 9001, "a.replica.test.", "10.0.0.1"),
        service(10, 0, 9002, "b.replica.test.", "10.0.0.2"),
        service(20, 1, 9003, "spare.replica.test.", "10.0.0.9"),
    ]))
    .await;
    let mut dns = source(&server, "_http._tcp.replica.test");
    assert_eq!(next(&mut dns).await, [("10.0.0.1:9001".into(), 3), ("10.0.0.2:9002".into(), 1)]);
    server.say(Zone::Services(vec![service(10, 5, 9001, "a.replica.test.", "10.0.0.1")]));
    assert_eq!(next(&mut dns).await, [("10.0.0.1:9001".into(), 5)]);
    server.say(Zone::Services(vec![
        service(0, 0, 0, ".", "0.0.0.0"),
        service(0, 1, 9004, "a.replica.test.", "10.0.0.4"),
    ]));
    assert_eq!(next(&mut dns).await, [("10.0.0.4:9004".into(), 1)], "a target of \".\" is none");
}

#[tokio::test]
async fn what_was_found_stays_whatever_the_server_says_instead() {
    let server = NameServer::start(Zone::Addresses(vec![ip("10.0.0.1")])).await;
    let nudge = Arc::new(Notify::new());
    let mut dns = source(&server, "replica.test").nudged_by(Arc::clone(&nudge));
    assert_eq!(next(&mut dns).await, each_once(&["10.0.0.1:8000"]));
    let mut following = tokio::spawn(async move { next(&mut dns).await });
    for zone in [
        Zone::Failure,
        Zone::NoSuchName,
        Zone::Addresses(Vec::new()),
        // That IPv4 is not known for the moment does not turn the service to IPv6.
        Zone::OnlyLong(vec![ip("fd00::1")]),
    ] {
        server.say(zone.clone());
        let before = server.asked();
        while server.asked() < before + 2 {
            nudge.notify_waiters();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(!following.is_finished(), "{zone:?}");
    }
    server.say(Zone::Addresses(vec![ip("10.0.0.2")]));
    assert_eq!((&mut following).await.unwrap(), each_once(&["10.0.0.2:8000"]));
}

#[tokio::test]
async fn a_balancer_weighs_replicas_as_their_records_do() {
    let server = NameServer::start(Zone::Services(vec![
        service(1, 2, 9001, "a.test.", "127.0.0.1"),
        service(1, 1, 9002, "b.test.", "127.0.0.1"),
    ]))
    .await;
    let builder = Balancer::builder().listen("127.0.0.1:0").upstream("_http._tcp.replica.test");
    let error = builder.clone().bind().await.unwrap_err();
    assert!(format!("{error:?}").contains("SRV"), "the system's resolver finds none: {error:?}");
    let balancer = builder.name_servers(NameServers::new([server.address])).bind().await.unwrap();
    let replicas: Replicas = balancer.endpoints();
    assert_eq!(replicas.addresses().len(), 2);
    let snapshot = balancer.status().snapshot();
    let weight = |name| snapshot.endpoint(name).unwrap().weight;
    assert_eq!([weight("127.0.0.1:9001"), weight("127.0.0.1:9002")], [2, 1]);
}
