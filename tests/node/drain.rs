//! Drain under load: no request that was sent before is left without its answer, and everything ends.
//! Never here: signals; see `programs`.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use tidegate::core::ledger::ShardLedger;
use tidegate::shards::control::Phase;
use tidegate::shards::node::Drained;

use crate::support::client::{Client, get, post};
use crate::support::node::TestNode;
use crate::support::until;

/// What the clients and the test tell each other.
#[derive(Clone, Default)]
struct Signs {
    /// Set before the drain begins: whatever was sent before must be answered.
    drains: Arc<AtomicBool>,
    answers: Arc<AtomicUsize>,
}

impl Signs {
    fn drains(&self) -> bool {
        self.drains.load(Ordering::SeqCst)
    }

    fn answered(&self, count: usize) {
        self.answers.fetch_add(count, Ordering::Relaxed);
    }
}

const PATHS: [&str; 4] = ["/ping", "/item/1", "/echo?x", "/item/2"];

fn requests(count: usize) -> String {
    PATHS.iter().cycle().take(count).map(|path| get(path)).collect()
}

/// Batches of `depth` requests on one connection until the node drains. A batch that was sent whole before that is
/// answered whole; the connection ends with an answer that says so, or while nothing is awaited.
fn converse(addr: std::net::SocketAddr, depth: usize, signs: &Signs) {
    let mut client = Client::connect(addr);
    loop {
        let sent = client.try_send(requests(depth));
        let before_drain = sent && !signs.drains();
        for index in 0..depth {
            let Some(answer) = client.try_answer() else {
                assert!(!before_drain, "answer {index} of {depth} is lost");
                return;
            };
            assert_eq!(answer.status, 200);
            signs.answered(1);
            if answer.closes() {
                assert!(!before_drain || index + 1 == depth, "closed after {index} of {depth}");
                assert!(client.ended());
                return;
            }
        }
    }
}

/// One connection a request, until no connection is accepted any more.
fn knock(addr: std::net::SocketAddr, signs: &Signs) {
    while let Ok(stream) = TcpStream::connect(addr) {
        let mut client = Client::over(stream);
        let sent = client.try_send(get("/item/1"));
        let before_drain = sent && !signs.drains();
        match client.try_answer() {
            Some(answer) => {
                assert_eq!(answer.status, 200);
                signs.answered(1);
            }
            None => assert!(!before_drain, "an answer is lost"),
        }
    }
}

fn spawn(clients: usize, run: impl Fn() + Send + Clone + 'static) -> Vec<JoinHandle<()>> {
    (0..clients).map(|_| std::thread::spawn(run.clone())).collect()
}

/// Drains a node of two shards while these clients are at work.
fn drain_under(start: impl FnOnce(&TestNode, &Signs) -> Vec<JoinHandle<()>>) {
    drain_under_with(&["server.shards=2"], start);
}

fn drain_under_with(overrides: &[&str], start: impl FnOnce(&TestNode, &Signs) -> Vec<JoinHandle<()>>) {
    let mut node = TestNode::start(overrides);
    let signs = Signs::default();
    let clients = start(&node, &signs);
    until("the load is on", || signs.answers.load(Ordering::Relaxed) > 500);
    signs.drains.store(true, Ordering::SeqCst);
    let drained = node.drain().expect("it runs").join().expect("no panic");
    for client in clients {
        client.join().expect("no answer is lost");
    }
    assert_eq!(drained, Drained::Whole);
    assert_eq!(node.sum(ShardLedger::connections_open), 0);
    assert_eq!(node.sum(ShardLedger::requests_in_flight), 0);
    assert!(TcpStream::connect(node.addr).is_err(), "nobody listens any more");
}

#[test]
fn clients_with_a_connection_per_request() {
    drain_under(|node, signs| {
        let (addr, signs) = (node.addr, signs.clone());
        spawn(4, move || knock(addr, &signs))
    });
}

#[test]
fn clients_that_keep_their_connection() {
    drain_under(|node, signs| {
        let (addr, signs) = (node.addr, signs.clone());
        spawn(8, move || converse(addr, 1, &signs))
    });
}

#[test]
fn clients_that_pipeline() {
    drain_under(|node, signs| {
        let (addr, signs) = (node.addr, signs.clone());
        spawn(8, move || converse(addr, 16, &signs))
    });
}

#[test]
fn an_idle_connection_is_closed() {
    let mut node = TestNode::start(&[]);
    let (mut fresh, mut used) = (node.connect(), node.connect());
    assert_eq!(used.ask(get("/ping")).status, 200);
    node.until_opened(2);
    let drain = node.drain().expect("it runs");
    fresh.expect_end();
    used.expect_end();
    assert_eq!(drain.join().expect("no panic"), Drained::Whole);
}

/// Starts a drain and waits until the port refuses.
fn begin_drain(node: &mut TestNode) -> JoinHandle<Drained> {
    let drain = node.drain().expect("it runs");
    until("the door closes", || TcpStream::connect(node.addr).is_err());
    drain
}

#[test]
fn a_request_that_waits_is_finished_and_so_is_its_pipeline() {
    let mut node = TestNode::start(&[]);
    let mut client = node.connect();
    client.send(get("/wait") + &get("/echo?1") + &get("/item/1") + &get("/echo?2"));
    node.gate.until_waiting(1);
    let drain = begin_drain(&mut node);
    node.gate.open();
    let answers: Vec<_> = (0..4).map(|_| client.answer()).collect();
    assert!(answers.iter().all(|answer| answer.status == 200));
    let closes: Vec<bool> = answers.iter().map(|answer| answer.closes()).collect();
    assert_eq!(closes, [false, false, false, true]);
    client.expect_end();
    assert_eq!(drain.join().expect("no panic"), Drained::Whole);
}

#[test]
fn a_request_on_its_way_is_read_to_its_end() {
    let mut node = TestNode::start(&[]);
    let request = post("/echo", "hello");
    let mut clients: Vec<(Client, usize)> = [5, request.len() - 2].map(|cut| (node.connect(), cut)).into();
    for (client, cut) in &mut clients {
        assert_eq!(client.ask(get("/ping")).status, 200);
        client.send(&request[..*cut]);
    }
    let mut last = node.connect();
    assert_eq!(last.ask(get("/ping")).status, 200, "what was sent before has arrived");
    let drain = begin_drain(&mut node);
    last.expect_end();
    for (client, cut) in &mut clients {
        client.send(&request[*cut..]);
        let answer = client.answer();
        assert_eq!((answer.status, answer.closes(), answer.body.as_slice()), (200, true, b"hello".as_slice()));
        client.expect_end();
    }
    assert_eq!(drain.join().expect("no panic"), Drained::Whole);
}

#[test]
fn an_answer_that_is_being_read_is_finished() {
    let mut node = TestNode::start(&[]);
    let mut client = node.connect();
    client.send(get("/large"));
    let mut stream = node.connect();
    stream.send(get("/stream/large"));
    node.until_started(2);
    let drain = begin_drain(&mut node);
    assert_eq!(client.answer().body.len(), crate::support::actions::LARGE_BYTES);
    assert_eq!(stream.answer().body.len(), crate::support::actions::LARGE_BYTES);
    assert!(client.ended() && stream.ended());
    assert_eq!(drain.join().expect("no panic"), Drained::Whole);
}

/// Whoever has not heard that the node is not ready is served as ever: new connections too, and none is told to close.
#[test]
fn a_lingering_node_serves_as_ever_until_it_is_hurried() {
    let mut node = TestNode::start(&["server.drain_linger=60s", "server.drain_timeout=2m"]);
    let mut known = node.connect();
    assert_eq!(known.ask(get("/ping")).status, 200);
    let control = node.control();
    let drain = node.drain().expect("it runs");
    until("the node lingers", || control.phase() == Phase::Lingering);
    for _ in 0..3 {
        assert!(!known.ask(get("/item/1")).closes());
        assert!(!node.connect().ask(get("/ping")).closes());
    }
    control.advance(Phase::Draining);
    until("the door closes", || TcpStream::connect(node.addr).is_err());
    known.expect_end();
    assert_eq!(drain.join().expect("no panic"), Drained::Whole);
}

/// A client of each shape while the node lingers and then drains: none of them sees an error.
#[test]
fn clients_of_a_node_that_lingers_see_no_error() {
    for shape in [|addr, signs: &Signs| knock(addr, signs), |addr, signs: &Signs| converse(addr, 1, signs)] {
        drain_under_with(&["server.shards=2", "server.drain_linger=100ms"], |node, signs| {
            let (addr, signs) = (node.addr, signs.clone());
            spawn(4, move || shape(addr, &signs))
        });
    }
}

/// The shard sees that it is empty although, when it was told to drain, it had no room for one more task.
#[test]
fn a_node_whose_table_of_tasks_is_full_drains() {
    let mut node = TestNode::start(&["server.connections_max=8", "server.in_flight_max=8"]);
    let mut client = node.connect();
    assert!(client.ask(get("/crowd")).json()["tasks"].as_u64() > Some(8));
    let drain = begin_drain(&mut node);
    node.gate.open();
    assert_eq!(drain.join().expect("no panic"), Drained::Whole);
    assert!(client.ended());
}

#[test]
fn the_deadline_cuts_off() {
    let mut node = TestNode::start(&[
        "server.drain_timeout=1s",
        "server.request_timeout=1s",
        "wechat.timeout=1s",
        "database.timeout=1s",
    ]);
    let mut client = node.connect();
    client.send("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\n\r\nhel");
    node.until_opened(1);
    let drain = node.drain().expect("it runs");
    assert_eq!(drain.join().expect("no panic"), Drained::CutOff { shards: 1 });
    assert!(client.ended());
}

#[test]
fn a_node_that_is_dropped_leaves_nobody_connected() {
    let node = TestNode::start(&["server.shards=2"]);
    let mut clients: Vec<Client> = (0..8).map(|_| node.connect()).collect();
    for (index, client) in clients.iter_mut().enumerate() {
        client.send(get(if index % 2 == 0 { "/wait" } else { "/stream/waits" }));
    }
    node.gate.until_waiting(8);
    let (addr, ledgers) = (node.addr, node.ledgers().to_vec());
    node.stop();
    assert_eq!(ledgers.iter().map(|ledger| ledger.requests_in_flight()).sum::<u64>(), 0, "all are in the books");
    assert!(clients.iter_mut().all(Client::ended));
    until("nobody listens", || TcpStream::connect(addr).is_err());
}
