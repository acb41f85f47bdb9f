//! A node that drains behind a balancer of TCP, with another one beside it, while clients of every shape are at work: every
//! request is answered by one of the two, and nobody has to guess whether a request was worked on.
//! Never here: one connection's end; see `drain`.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tidegate::core::ledger::{CloseReason, ShardLedger};
use tidegate::shards::door::DoorKind;
use tidegate::shards::node::Drained;

use crate::peer::{Peer, code};
use crate::support::client::{Client, get};
use crate::support::node::TestNode;
use crate::support::pki::{Algorithm, Authority, certificates};
use crate::support::tls::Dialer;
use crate::support::until;

const PATHS: [&str; 4] = ["/ping", "/item/1", "/echo?x", "/item/2"];
/// Requests of one client of HTTP/2 at a time.
const STREAMS: u32 = 8;

/// Two nodes, each connection to the next of them; where nobody listens, to the other.
#[derive(Clone)]
struct Balancer {
    nodes: [SocketAddr; 2],
    turn: Arc<AtomicUsize>,
    answers: Arc<AtomicUsize>,
    done: Arc<AtomicBool>,
}

impl Balancer {
    fn connect(&self) -> TcpStream {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        for node in [turn % 2, (turn + 1) % 2] {
            match TcpStream::connect(self.nodes[node]) {
                Ok(stream) => return stream,
                Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}"),
            }
        }
        panic!("nobody listens");
    }

    fn goes_on(&self) -> bool {
        !self.done.load(Ordering::Relaxed)
    }

    fn answered(&self, status: u16) {
        assert_eq!(status, 200);
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    fn until_answered(&self, more: usize) {
        let before = self.answers.load(Ordering::Relaxed);
        until("answers come", || self.answers.load(Ordering::Relaxed) >= before + more);
    }
}

/// A connection a request: once it is there it is served.
fn knock(balancer: &Balancer) {
    for path in PATHS.iter().cycle().take_while(|_| balancer.goes_on()) {
        balancer.answered(Client::over(balancer.connect()).ask(get(path)).status);
    }
}

/// One connection as long as it lasts. RFC 9112 §9.3.1: where one that was used before ends without a byte of the answer, the
/// request is sent again.
fn keep(balancer: &Balancer) {
    let mut kept: Option<Client> = None;
    for path in PATHS.iter().cycle().take_while(|_| balancer.goes_on()) {
        let again =
            kept.as_mut().and_then(|client| if client.try_send(get(path)) { client.try_answer() } else { None });
        let answer = again.unwrap_or_else(|| {
            let fresh = kept.insert(Client::over(balancer.connect()));
            fresh.ask(get(path))
        });
        if answer.closes() {
            kept = None;
        }
        balancer.answered(answer.status);
    }
}

/// Streams of one connection until it is told to come no more. RFC 9113 §6.8: those beyond the last that the server names are
/// asked again; those up to it are answered.
fn multiplex(balancer: &Balancer, greet: impl Fn(TcpStream) -> Peer) {
    while balancer.goes_on() {
        let mut peer = greet(balancer.connect());
        let mut first = 1;
        while balancer.goes_on() && peer.goodbyes.is_empty() {
            let streams = (first..).step_by(2).take(STREAMS as usize).zip(PATHS.iter().cycle());
            first += 2 * STREAMS;
            let sent = streams.clone().all(|(stream, path)| peer.try_get(stream, path));
            for (stream, _) in streams {
                match peer.try_answer(stream) {
                    Some(answer) => balancer.answered(answer.status),
                    None => {
                        let (reason, last) = *peer.goodbyes.last().expect("a connection ends with a word");
                        assert_eq!(reason, code::NO_ERROR);
                        assert!(stream > last || !sent, "stream {stream} of {last} has no answer");
                    }
                }
            }
        }
    }
}

/// Drains one of two nodes while `clients` of a shape are at work.
fn check(nodes: [TestNode; 2], door: DoorKind, run: impl Fn(&Balancer) + Send + Clone + 'static) {
    let [mut leaving, staying] = nodes;
    let nodes = [leaving.door(door), staying.door(door)];
    let balancer = Balancer { nodes, turn: Arc::default(), answers: Arc::default(), done: Arc::default() };
    let clients: Vec<_> = (0..6)
        .map(|_| {
            let (balancer, run) = (balancer.clone(), run.clone());
            std::thread::spawn(move || run(&balancer))
        })
        .collect();
    balancer.until_answered(300);
    let drained = leaving.drain().expect("it runs").join().expect("no panic");
    balancer.until_answered(300);
    balancer.done.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().expect("no request is lost");
    }
    assert_eq!(drained, Drained::Whole);
    for node in [&leaving, &staying] {
        assert!(node.sum(ShardLedger::requests_begun) > 0, "both have served");
        assert_eq!(node.sum(ShardLedger::requests_in_flight), 0);
        assert_eq!(node.sum(|ledger| ledger.connections_closed(CloseReason::Panic)), 0);
    }
}

fn nodes() -> [TestNode; 2] {
    [(), ()].map(|()| TestNode::start(&["server.shards=2"]))
}

#[test]
fn a_connection_a_request() {
    check(nodes(), DoorKind::Plain, knock);
}

#[test]
fn connections_that_are_kept() {
    check(nodes(), DoorKind::Plain, keep);
}

#[test]
fn streams_in_the_clear() {
    check(nodes(), DoorKind::Plain, |balancer| multiplex(balancer, |stream| Peer::over(stream).greet(&[])));
}

#[test]
fn streams_behind_tls() {
    let authority = Authority::new();
    let pair = authority.server("shop", &["shop.example"], Algorithm::Ecdsa);
    let certificates = certificates(&[&pair]);
    let nodes =
        [(), ()].map(|()| TestNode::start(&["server.shards=2", "tls.listen=127.0.0.1:0", certificates.as_str()]));
    let dialer =
        Dialer::new(&authority, "shop.example").adjusted(|config| config.alpn_protocols = vec![b"h2".to_vec()]);
    check(nodes, DoorKind::Tls, move |balancer| {
        multiplex(balancer, |stream| Peer::over_tls(dialer.try_dial_over(stream).expect("a handshake")).greet(&[]));
    });
}
