//! More than the node can do in time: who is refused, with what words, and that it ends with the load.
//! Never here: how much and how fast; see `tidegate-load overload`.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use tidegate::core::admission::{Priority, Resource};
use tidegate::core::ledger::ShardLedger;
use tidegate::core::ledger::refusals::Short;

use crate::support::client::{Answer, Client, get};
use crate::support::node::TestNode;
use crate::support::until;

const READS: Short = Short::Places(Resource::Reads);

fn shed(node: &TestNode, short: Short, priority: Priority) -> u64 {
    node.sum(|ledger| ledger.overloads.shed_so_far(short, priority))
}

/// Sends a request on so many connections, one after the other so that their order is known.
fn ask(node: &TestNode, path: &str, count: usize) -> Vec<Client> {
    let ask = |_| {
        let mut client = node.connect();
        let begun = node.sum(ShardLedger::requests_begun);
        client.send(get(path));
        until("it has begun", || node.sum(ShardLedger::requests_begun) > begun);
        client
    };
    (0..count).map(ask).collect()
}

fn check_shed(answer: &Answer) {
    assert_eq!((answer.status, answer.error_code(), answer.closes()), (503, 50303, false));
    let seconds: u64 = answer.header("retry-after").and_then(|text| text.parse().ok()).expect("seconds");
    assert!((1..=5).contains(&seconds), "{seconds}");
}

/// The limit is 20: 14 places for all, 3 more for what is normal, the last 3 for what the service exists for.
#[test]
fn the_less_important_is_refused_first() {
    let node = TestNode::start(&[
        "server.connections_max=64",
        "server.in_flight_max=20",
        "server.request_timeout=60s",
        "server.drain_timeout=61s",
        "overload.read_wait=30s",
    ]);
    let mut waiting = Vec::new();
    for (path, priority, places) in [
        ("/hold/secondary", Priority::Secondary, 14),
        ("/hold/normal", Priority::Normal, 3),
        ("/hold/core", Priority::Core, 3),
    ] {
        waiting.extend(ask(&node, path, places));
        if priority != Priority::Core {
            check_shed(&node.connect().ask(get(path)));
            assert_eq!(shed(&node, READS, priority), 1);
        }
    }
    assert_eq!(node.connect().ask(get("/hold/core")).error_code(), 50301, "that is the bound of the shard");
    assert_eq!(node.connect().ask(get("/ping")).status, 200, "what needs no backend is served");
    node.gate.open();
    assert!(waiting.iter_mut().all(|client| client.answer().status == 200), "who was admitted is served");
    assert_eq!(node.connect().ask(get("/hold/secondary")).status, 200);
}

/// Nothing is answered: after a window only the least may wait; with the first answers there is room again.
#[test]
fn a_backend_that_stands_still_is_given_no_more_and_recovers() {
    let node = TestNode::start(&[
        "server.connections_max=500",
        "server.in_flight_max=400",
        "overload.read_wait=1ms",
        "overload.concurrency_min=4",
    ]);
    let mut waiting = ask(&node, "/hold/core", 10);
    let refused = || shed(&node, READS, Priority::Core);
    while refused() == 0 {
        waiting.extend(ask(&node, "/hold/core", 1));
    }
    let retries: BTreeSet<String> = (0..100)
        .map(|_| {
            let answer = node.connect().ask(get("/hold/core"));
            check_shed(&answer);
            answer.header("retry-after").expect("just checked").to_owned()
        })
        .collect();
    assert!(retries.len() > 1, "those who are refused together do not come back together: {retries:?}");
    node.gate.open();
    let served = waiting.iter_mut().map(Client::answer).filter(|answer| answer.status == 200).count();
    assert_eq!(served + 1, waiting.len(), "the last of them was the first to be refused");
    until("the limit is lifted", || node.sum(|ledger| ledger.overloads.limits[Resource::Reads as usize].get()) == 400);
}

/// A shard that is late for everybody refuses what matters less until it is in time again.
#[test]
fn a_shard_that_is_late_sheds_and_recovers() {
    let node = TestNode::start(&["overload.lag_target=1ms"]);
    let loaded = AtomicBool::new(true);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = node.connect();
                while loaded.load(Ordering::Relaxed) {
                    let answer = client.ask(get("/spin"));
                    if answer.status != 200 {
                        check_shed(&answer);
                    }
                }
            });
        }
        until("it sheds", || shed(&node, Short::Time, Priority::Secondary) > 10);
        for _ in 0..50 {
            assert_eq!(node.connect().ask(get("/hold-not")).status, 404, "what has no route costs nothing");
        }
        loaded.store(false, Ordering::Relaxed);
    });
    until("it is over", || node.connect().ask(get("/spin")).status == 200);
    assert_eq!(shed(&node, Short::Time, Priority::Core), 0);
}
