//! The bounds of a node, reached and left again: refusals are answers, they are counted, and room comes back.
//! Never here: bounds of one request; see `refusals`.

use std::collections::BTreeSet;

use tidegate::core::fault::Backend;

use crate::support::client::{Answer, Client, get};
use crate::support::node::TestNode;
use crate::support::until;

#[test]
fn one_connection_too_many_is_refused_until_another_leaves() {
    let node = TestNode::start(&["server.connections_max=4", "server.in_flight_max=4", "overload.retry_after_max=1s"]);
    let refused = || node.sum(|ledger| ledger.connections.refused.get());
    let mut clients: Vec<Client> = (0..4).map(|_| node.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.ask(get("/ping")).status, 200);
    }
    for count in 1..=3 {
        let mut one_more = node.connect();
        let answer = one_more.answer();
        assert_eq!((answer.status, answer.closes()), (503, true));
        assert_eq!((answer.error_code(), answer.header("retry-after")), (50301, Some("1")));
        one_more.expect_end();
        assert_eq!(refused(), count);
    }
    for client in &mut clients {
        assert_eq!(client.ask(get("/ping")).status, 200, "those who are in do not notice");
    }
    clients.pop();
    until("room for one", || node.sum(tidegate::core::ledger::ShardLedger::connections_open) == 3);
    let mut next = node.connect();
    assert_eq!(next.ask(get("/ping")).status, 200);
    assert_eq!(refused(), 3);
    drop((clients, next));
    node.until_quiet();
}

/// A client that sends at once, as clients do, still reads why it was refused.
#[test]
fn a_refused_client_that_has_sent_already_reads_why() {
    let node = TestNode::start(&["server.connections_max=1", "server.in_flight_max=1"]);
    let mut only = node.connect();
    assert_eq!(only.ask(get("/ping")).status, 200);
    for _ in 0..50 {
        let mut client = node.connect();
        client.try_send(get("/ping"));
        assert_eq!(client.answer().status, 503);
    }
}

/// An address has its bound on the node, not on a shard, and a place comes back with whatever ends a connection.
#[test]
fn one_connection_too_many_of_an_address_is_refused_until_another_leaves() {
    let node = TestNode::start(&["server.shards=2", "server.connections_per_ip_max=3", "server.idle_timeout=1s"]);
    let refused = || node.sum(|ledger| ledger.connections.refused_address.get());
    let fill = || {
        let mut clients: Vec<Client> = (0..3).map(|_| node.connect()).collect();
        for client in &mut clients {
            assert_eq!(client.ask(get("/ping")).status, 200);
        }
        clients
    };
    let ends: [fn(&mut Client); 4] = [
        |client| client.finish_sending(),
        |client| client.send("nonsense\r\n\r\n"),
        |client| assert!(client.ask("GET /ping HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").closes()),
        |client| client.expect_end(),
    ];
    for (round, end) in (1..).zip(ends) {
        let mut clients = fill();
        let answer = node.connect().answer();
        assert_eq!((answer.error_code(), answer.closes()), (50301, true));
        assert_eq!(refused(), round);
        clients.iter_mut().for_each(end);
        node.until_quiet();
    }
}

/// Behind a balancer it is the client's address that counts.
#[test]
fn the_bound_of_an_address_is_that_of_the_client() {
    let trusted = r#"proxy_protocol.trusted=["127.0.0.0/8"]"#;
    let node = TestNode::start(&["server.connections_per_ip_max=1", "proxy_protocol.mode=required", trusted]);
    let connect = |host: u8| {
        let mut client = node.connect();
        client.send(format!("PROXY TCP4 198.51.100.{host} 10.0.0.1 4031 443\r\n"));
        client
    };
    let mut clients: Vec<Client> = (1..=5).map(connect).collect();
    for client in &mut clients {
        assert_eq!(client.ask(get("/ping")).status, 200);
    }
    let mut one_more = connect(3);
    assert_eq!(one_more.answer().error_code(), 50301);
    one_more.expect_end();
    clients.clear();
    node.until_quiet();
    assert_eq!(connect(3).ask(get("/ping")).status, 200);
}

#[test]
fn one_waiting_request_too_many_is_a_503() {
    let node = TestNode::start(&["server.in_flight_max=2"]);
    let mut waiting: Vec<Client> = (0..2).map(|_| node.connect()).collect();
    for client in &mut waiting {
        client.send(get("/wait"));
    }
    node.gate.until_waiting(2);
    let mut client = node.connect();
    let waits = (0..100).map(|_| {
        let answer = client.ask(get("/wait"));
        assert_eq!(answer.error_code(), 50301);
        answer.header("retry-after").expect("when to come back").to_owned()
    });
    let waits: BTreeSet<String> = waits.collect();
    assert_eq!(Vec::from_iter(waits), ["1", "2", "3", "4", "5"], "not all at once");
    assert_eq!(client.ask(get("/ping")).status, 200, "what needs no waiting is served");
    node.gate.open();
    for client in &mut waiting {
        assert_eq!(client.answer().status, 200);
    }
    assert_eq!(client.ask(get("/wait")).status, 200, "there is room again");
}

#[test]
fn a_full_lane_is_a_503_and_empties_again() {
    let node = TestNode::start(&["database.timeout=4s", "overload.read_wait=off", "overload.retry_after_max=1s"]);
    let mut client = node.connect();
    assert_eq!(client.ask(get("/item/1")).status, 200);
    // The first of them holds the thread until database.timeout; the next request comes well within that.
    let flooded = client.ask(get("/flood/4000000000"));
    assert_eq!(flooded.status, 200);
    // The thread may have taken the first since: there is room for one at most.
    let mut clients: Vec<Client> = (0..3).map(|_| node.connect()).collect();
    for client in &mut clients {
        client.send(get("/item/1"));
    }
    let answers = clients.iter_mut().map(Client::answer);
    let refused: Vec<Answer> = answers.filter(|answer| answer.header("retry-after") == Some("1")).collect();
    assert!(refused.len() >= 2, "{refused:?}");
    assert!(refused.iter().all(|answer| answer.error_code() == 50300));
    assert!(node.sum(|ledger| ledger.lane(Backend::Database).full.get()) > 0);
    assert_eq!(client.ask(get("/ping")).status, 200, "what needs no database is served");
    until("the lane empties", || node.connect().ask(get("/item/1")).status == 200);
}
