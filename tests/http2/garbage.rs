//! Bytes that no honest client sends: frames at random, and honest sessions that were damaged on their way. Whatever becomes
//! of their own connection, the shard goes on, rests when there is nothing to do, and serves the next client.
//! Never here: which error it is; see `errors`.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use tidegate::core::ledger::CloseReason;

use crate::peer::{PREFACE, Peer, frame, kind};
use crate::session::{bytes, session};
use crate::support::client::get;
use crate::support::node::TestNode;
use crate::support::until;

/// Connections that are left open behind their garbage.
const LEFT_OPEN: usize = 24;
/// Turns of a shard with nothing to do but its housekeeping, in the time below; one that spins makes thousands.
const TURNS_AT_REST: u64 = 300;
const REST: Duration = Duration::from_millis(200);

/// What happens to a session on its way.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Drop(Index, usize),
    Repeat(Index, usize),
    Insert(Index, Vec<u8>),
    Cut(Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        4 => (at(), 1..=255_u8).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        1 => (at(), 1..40_usize).prop_map(|(at, len)| Damage::Drop(at, len)),
        1 => (at(), 1..400_usize).prop_map(|(at, len)| Damage::Repeat(at, len)),
        1 => (at(), vec(any::<u8>(), 1..40)).prop_map(|(at, more)| Damage::Insert(at, more)),
        1 => at().prop_map(Damage::Cut),
    ]
}

fn damaged(mut all: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        // The preface stays: what breaks it never gets further.
        let place = |index: &Index, len: usize| {
            let from = PREFACE.len() + index.index(all.len().saturating_sub(PREFACE.len()).max(1));
            (from.min(all.len()), (from + len).min(all.len()))
        };
        match damage {
            Damage::Flip(index, bits) => {
                let (from, to) = place(index, 1);
                all[from..to].iter_mut().for_each(|byte| *byte ^= bits);
            }
            Damage::Drop(index, len) => {
                let (from, to) = place(index, *len);
                all.drain(from..to);
            }
            Damage::Repeat(index, len) => {
                let (from, to) = place(index, *len);
                let again = all[from..to].to_vec();
                all.splice(to..to, again);
            }
            Damage::Insert(index, more) => {
                let (from, _) = place(index, 0);
                all.splice(from..from, more.iter().copied());
            }
            Damage::Cut(index) => {
                let (from, _) = place(index, 0);
                all.truncate(from);
            }
        }
    }
    all
}

/// Frames with heads that fit and payloads that need not.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let flags = prop_oneof![Just(0), Just(0x1), Just(0x4), Just(0x5), any::<u8>()];
    let payload = prop_oneof![vec(any::<u8>(), 0..64), vec(any::<u8>(), 8), vec(0..4_u8, 4)];
    let one = (0..=10_u8, flags, 0..8_u32, payload);
    vec(one.prop_map(|(kind, flags, stream, payload)| frame(kind, flags, stream, &payload)), 1..24).prop_map(|all| {
        let settings = frame(kind::SETTINGS, 0, 0, &[]);
        [PREFACE, &settings, &all.concat()].concat()
    })
}

/// Sends each of `garbage` to a node, and sees that others are served while those connections are open and after.
#[track_caller]
fn check(cases: u32, garbage: impl Strategy<Value = Vec<u8>>) {
    let node = TestNode::start(&[]);
    let (left_open, other) = (RefCell::new(VecDeque::new()), RefCell::new(node.connect()));
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let property = TestRunner::new(config).run(&garbage, |bytes| {
        let mut peer = Peer::connect(node.addr);
        let _ = peer.try_send(&bytes);
        let mut left_open = left_open.borrow_mut();
        left_open.push_back(peer);
        if left_open.len() > LEFT_OPEN {
            left_open.pop_front();
        }
        let mut next = Peer::begin(node.addr);
        next.get(1, "/echo?abc");
        prop_assert_eq!(next.answer(1).body, b"abc");
        prop_assert_eq!(other.borrow_mut().ask(get("/item/1")).status, 200);
        prop_assert_eq!(node.sum(|ledger| ledger.panics.get()), 0);
        Ok(())
    });
    property.unwrap_or_else(|error| panic!("{error}"));
    let turns = || node.sum(|ledger| ledger.turns.turns.get());
    let (before, began) = (turns(), Instant::now());
    until("a while has passed", || began.elapsed() > REST);
    let turned = turns() - before;
    assert!(turned < TURNS_AT_REST, "{turned} turns with nothing to do");
    drop((left_open, other));
    node.until_quiet();
    assert_eq!(node.sum(|ledger| ledger.connections_closed(CloseReason::Panic)), 0);
}

#[test]
fn frames_at_random() {
    check(256, frames());
}

#[test]
fn sessions_that_were_damaged() {
    check(256, (session(), vec(damage(), 1..6)).prop_map(|(asked, damages)| damaged(bytes(&asked), &damages)));
}

/// Also what is no HTTP at all, or stops anywhere.
#[test]
fn bytes_at_random() {
    let noise = (0..=PREFACE.len(), vec(any::<u8>(), 0..200));
    check(128, noise.prop_map(|(len, noise)| [&PREFACE[..len], &noise].concat()));
}
