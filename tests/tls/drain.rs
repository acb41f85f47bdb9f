//! A node that drains behind TLS: nobody is cut off within a record.
//! Never here: drain in the clear.

use std::io::{Read, Write};
use std::net::TcpStream;

use tidegate::core::ledger::CloseReason;
use tidegate::shards::node::Drained;

use crate::support::client::{Client, get};
use crate::support::tls::Dialer;
use crate::support::until;
use crate::{door, simple};

#[test]
fn idle_connections_end_with_a_word_and_busy_ones_with_their_answer() {
    let (authority, mut node) = simple(&[]);
    let dialer = Dialer::new(&authority, "shop.example");
    let (mut idle, mut busy) = (dialer.connect(door(&node)), dialer.connect(door(&node)));
    assert_eq!(idle.ask(get("/ping")).status, 200);
    busy.send(get("/wait"));
    node.gate.until_waiting(1);
    let drained = node.drain().expect("it runs");
    // rustls makes an end without close_notify an error.
    idle.expect_end();
    node.gate.open();
    let answer = busy.answer();
    assert_eq!((answer.status, answer.closes()), (200, true));
    busy.expect_end();
    assert_eq!(drained.join().expect("no panic"), Drained::Whole);
    assert_eq!(node.sum(|ledger| ledger.connections_closed(CloseReason::Panic)), 0);
}

/// Five bytes of a record are no request: they buy no more time than a request that is awaited.
#[test]
fn the_beginning_of_a_record_does_not_hold_a_drain_up() {
    let (authority, mut node) = simple(&["server.idle_timeout=60s", "server.drain_timeout=8s"]);
    let socket = TcpStream::connect(door(&node)).expect("the port listens");
    let below = socket.try_clone().expect("a second handle");
    let mut client = Dialer::new(&authority, "shop.example").try_dial_over(socket).expect("a handshake");
    client.write_all(get("/ping").as_bytes()).expect("the server reads");
    let mut answer = [0; 16];
    client.read_exact(&mut answer).expect("an answer");
    (&below).write_all(&[23, 3, 3, 0, 50]).expect("the server reads");
    node.until_started(1);
    let drained = node.drain().expect("it runs");
    assert_eq!(drained.join().expect("no panic"), Drained::Whole);
}

/// A client that connects ahead of its need has nothing to lose.
#[test]
fn who_has_not_begun_a_handshake_is_let_go() {
    let (_authority, mut node) = simple(&["tls.handshake_timeout=60s"]);
    let mut silent = Client::connect(door(&node));
    node.until_opened(1);
    let drained = node.drain().expect("it runs");
    assert!(silent.ended());
    assert_eq!(drained.join().expect("no panic"), Drained::Whole);
    assert_eq!(node.sum(|ledger| ledger.connections_closed(CloseReason::Draining)), 1);
}

/// Whoever never finishes the handshake does not hold the node up for longer than that may take.
#[test]
fn a_handshake_does_not_outlive_its_deadline() {
    let (_authority, mut node) = simple(&["tls.handshake_timeout=300ms"]);
    let mut silent = Client::connect(door(&node));
    silent.send([22, 3, 1]);
    node.until_opened(1);
    let drained = node.drain().expect("it runs");
    assert!(silent.ended());
    assert_eq!(drained.join().expect("no panic"), Drained::Whole);
    until("it is in the books", || node.sum(|ledger| ledger.tls.timed_out.get()) == 1);
}
