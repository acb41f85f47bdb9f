//! A node that drains behind a balancer of TCP, with another one beside it, while clients of every shape are at work: every
//! request is answered by one of the two, and nobody has to guess whether a request was worked on.
//! Never here: one connection's end; see `drain`.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use tidegate::core::ledger::{CloseReason, ShardLedger};
use tidegate::shards::door::DoorKind;
use tidegate::shards::node::Drained;

use crate::peer::{Peer, code};
use crate::support::client::{Client, get};
use crate::support::node::TestNode;
use crate::support::pki::{Algorithm, Authority, certificates};
use crate::support::program::Program;
use crate::support::tls::Dialer;
use crate::support::until;

const PATHS: [&str; 4] = ["/ping", "/item/1", "/echo?x", "/item/2"];
/// Requests of one client of HTTP/2 at a time.
const STREAMS: u32 = 8;

/// Two nodes, each connection to the next of them; where nobody listens, to the other.
#[derive(Clone)]
struct Balancer {
    nodes: [SocketAddr; 2],
    paths: &'static [&'static str],
    turn: Arc<AtomicUsize>,
    answers: Arc<AtomicUsize>,
    done: Arc<AtomicBool>,
}

impl Balancer {
    fn over(nodes: [SocketAddr; 2], paths: &'static [&'static str]) -> Self {
        Self { nodes, paths, turn: Arc::default(), answers: Arc::default(), done: Arc::default() }
    }

    /// `None`: nobody listens any more.
    fn connect(&self) -> Option<TcpStream> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        for node in [turn % 2, (turn + 1) % 2] {
            match TcpStream::connect(self.nodes[node]) {
                Ok(stream) => return Some(stream),
                Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}"),
            }
        }
        None
    }

    /// What is asked, until the test is over.
    fn paths(&self) -> impl Iterator<Item = &'static str> {
        self.paths.iter().copied().cycle().take_while(|_| self.goes_on())
    }

    fn goes_on(&self) -> bool {
        !self.done.load(Ordering::Relaxed)
    }

    fn answered(&self, status: u16) {
        assert_eq!(status, 200);
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    /// Begins so many clients of a shape.
    fn clients(&self, count: usize, run: impl Fn(&Self) + Send + Clone + 'static) -> Vec<JoinHandle<()>> {
        let begin = |_| {
            let (balancer, run) = (self.clone(), run.clone());
            std::thread::spawn(move || run(&balancer))
        };
        (0..count).map(begin).collect()
    }

    fn until_answered(&self, more: usize) {
        let before = self.answers.load(Ordering::Relaxed);
        until("answers come", || self.answers.load(Ordering::Relaxed) >= before + more);
    }
}

/// A connection a request: once it is there it is served.
fn knock(balancer: &Balancer) {
    for path in balancer.paths() {
        let Some(stream) = balancer.connect() else { return };
        balancer.answered(Client::over(stream).ask(get(path)).status);
    }
}

/// One connection as long as it lasts. RFC 9112 §9.3.1: where one that was used before ends without a byte of the answer, the
/// request is sent again.
fn keep(balancer: &Balancer) {
    let mut kept: Option<Client> = None;
    for path in balancer.paths() {
        let again =
            kept.as_mut().and_then(|client| if client.try_send(get(path)) { client.try_answer() } else { None });
        let answer = match again {
            Some(answer) => answer,
            None => {
                let Some(stream) = balancer.connect() else { return };
                kept.insert(Client::over(stream)).ask(get(path))
            }
        };
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
        let Some(stream) = balancer.connect() else { return };
        let mut peer = greet(stream);
        // Room for all answers of this connection.
        peer.open(0, 1 << 30);
        let mut first = 1;
        while balancer.goes_on() && peer.goodbyes.is_empty() {
            let streams = (first..).step_by(2).take(STREAMS as usize).zip(balancer.paths.iter().cycle());
            first += 2 * STREAMS;
            // What cannot be sent any more is behind the last as well.
            let _ = streams.clone().all(|(stream, path)| peer.try_get(stream, path));
            for (stream, _) in streams {
                match peer.try_answer(stream) {
                    Some(answer) => balancer.answered(answer.status),
                    None => {
                        let (reason, last) = *peer.goodbyes.last().expect("a connection ends with a word");
                        assert_eq!(reason, code::NO_ERROR);
                        assert!(stream > last, "stream {stream} of {last} has no answer");
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
    let balancer = Balancer::over(nodes, &PATHS);
    let clients = balancer.clients(6, run);
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

/// The real program, told by a signal: it lingers, so that a balancer notices, and everybody is served until nobody can
/// connect any more.
#[test]
fn a_program_that_is_told_to_end_serves_everybody() {
    let mut program = Program::demo(&["--set", "server.drain_linger=1s"]);
    let balancer = Balancer::over([program.addr; 2], &["/ping"]);
    let mut clients = balancer.clients(2, knock);
    clients.extend(balancer.clients(2, keep));
    clients.extend(balancer.clients(2, |balancer| multiplex(balancer, |stream| Peer::over(stream).greet(&[]))));
    balancer.until_answered(300);
    program.signal("TERM");
    balancer.until_answered(300);
    for client in clients {
        client.join().expect("no request is lost");
    }
    assert_eq!(program.end().code(), Some(0));
}
