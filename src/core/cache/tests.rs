//! The cache against a map that never forgets, and against LRU.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::core::jitter::Jitter;

const NAMES: [&str; 2] = ["product:", "products:"];
const FOREVER: Tick = Tick(u64::MAX);
const NOW: Tick = Tick(0);

fn cache<T>(bytes_max: usize) -> (Cache<T>, [SpaceId; 2]) {
    let spaces = Spaces::new(NAMES);
    let cache = Cache::new(bytes_max, &spaces, KeyHasher::new([1, 2, 3, 4]));
    (cache, NAMES.map(|name| spaces.id(name).unwrap()))
}

fn row<T>(value: T, bytes: usize, ends: Tick) -> Item<T> {
    Item { value: Cached::Row(Arc::new(value)), bytes, ends }
}

#[test]
fn an_entry_lives_until_its_end_and_not_at_it() {
    let (mut cache, [space, _]) = cache(1 << 20);
    let key = Key { space, bytes: b"product:1" };
    cache.insert(key, row(7, 100, Tick(1000)), Tick(10));
    assert_eq!(cache.get(key.bytes, Tick(999)), Lookup::Hit(Arc::new(7)));
    assert_eq!(cache.get(key.bytes, Tick(1000)), Lookup::Miss);
    assert_eq!(cache.get(key.bytes, Tick(999)), Lookup::Miss, "found out once, gone for good");
    cache.insert(key, row(8, 100, Tick(1000)), Tick(1000));
    assert_eq!(cache.stats().entries, 0, "over before it began");
}

#[test]
fn an_absent_row_is_known_to_be_absent() {
    let (mut cache, [space, _]) = cache::<()>(1 << 20);
    let key = Key { space, bytes: b"product:404" };
    cache.insert(key, Item { value: Cached::Absent, bytes: 0, ends: FOREVER }, NOW);
    assert_eq!(cache.get(key.bytes, NOW), Lookup::Negative);
    assert!(cache.remove(key.bytes));
    assert_eq!(cache.get(key.bytes, NOW), Lookup::Miss);
    assert!(!cache.remove(key.bytes));
}

#[test]
fn a_space_is_emptied_alone_and_filled_again() {
    let (mut cache, [one, other]) = cache(1 << 20);
    let (key, kept) = (Key { space: one, bytes: b"product:1" }, Key { space: other, bytes: b"products:1" });
    cache.insert(key, row(1, 1, FOREVER), NOW);
    cache.insert(kept, row(2, 1, FOREVER), NOW);
    cache.remove_space(one);
    assert_eq!(cache.get(key.bytes, NOW), Lookup::Miss);
    assert_eq!(cache.get(kept.bytes, NOW), Lookup::Hit(Arc::new(2)));
    cache.insert(key, row(3, 1, FOREVER), NOW);
    assert_eq!(cache.get(key.bytes, NOW), Lookup::Hit(Arc::new(3)));
}

#[test]
fn an_item_may_take_an_eighth_and_no_byte_more() {
    let bytes_max = 8000;
    let largest = bytes_max / CACHE_ENTRY_SHARE - ENTRY_OVERHEAD_BYTES - 1;
    let check = |bytes: usize, kept: bool| {
        let (mut cache, [space, _]) = cache(bytes_max);
        cache.insert(Key { space, bytes: b"k" }, row((), bytes, FOREVER), NOW);
        let stats = cache.stats();
        assert_eq!((stats.entries == 1, stats.too_large == 0), (kept, kept), "{bytes}");
    };
    check(largest - 1, true);
    check(largest, true);
    check(largest + 1, false);
    check(usize::MAX, false);
}

#[test]
fn an_item_that_is_too_large_still_replaces_the_old_value() {
    let (mut cache, [space, _]) = cache(8000);
    let key = Key { space, bytes: b"product:1" };
    cache.insert(key, row(1, 10, FOREVER), NOW);
    cache.insert(key, row(2, 8000, FOREVER), NOW);
    assert_eq!(cache.get(key.bytes, NOW), Lookup::Miss);
}

#[test]
fn entries_past_their_end_leave_before_others() {
    let weight = 100 + 2 + ENTRY_OVERHEAD_BYTES;
    let (mut cache, [space, _]) = cache(10 * weight);
    for number in 0..10_u16 {
        let ends = if number < 5 { Tick(100) } else { FOREVER };
        cache.insert(Key { space, bytes: &number.to_be_bytes() }, row(number, 100, ends), NOW);
        for _ in 0..3 {
            let _ = cache.get(&number.to_be_bytes(), NOW);
        }
    }
    for number in 10..15_u16 {
        cache.insert(Key { space, bytes: &number.to_be_bytes() }, row(number, 100, FOREVER), Tick(100));
    }
    assert_eq!((cache.stats().expired, cache.stats().evictions, cache.stats().entries), (5, 0, 10));
    assert_eq!(cache.get(&9_u16.to_be_bytes(), Tick(100)), Lookup::Hit(Arc::new(9)));
}

#[test]
fn what_is_in_use_survives_a_scan_of_ten_times_the_cache() {
    const HOT: u32 = 300;
    let weight = 100 + 4 + ENTRY_OVERHEAD_BYTES;
    let (mut cache, [space, _]) = cache(1000 * weight);
    let mut ask = |number: u32| match cache.get(&number.to_be_bytes(), NOW) {
        Lookup::Hit(_) => true,
        Lookup::Negative => unreachable!(),
        Lookup::Miss => {
            cache.insert(Key { space, bytes: &number.to_be_bytes() }, row((), 100, FOREVER), NOW);
            false
        }
    };
    for _ in 0..3 {
        for number in 0..HOT {
            ask(number);
        }
    }
    for number in HOT..HOT + 10_000 {
        ask(number);
    }
    let survivors = (0..HOT).filter(|&number| ask(number)).count();
    assert_eq!(survivors, HOT as usize);
}

#[test]
fn what_was_in_use_returns_to_the_main_queue_after_its_end() {
    let weight = 100 + 4 + ENTRY_OVERHEAD_BYTES;
    let (mut cache, [space, _]) = cache(100 * weight);
    let load = |cache: &mut Cache<()>, number: u32, ends: u64, now: u64| {
        cache.insert(Key { space, bytes: &number.to_be_bytes() }, row((), 100, Tick(ends)), Tick(now));
    };
    load(&mut cache, 0, 100, 0);
    for _ in 0..2 {
        assert_ne!(cache.get(&0_u32.to_be_bytes(), Tick(0)), Lookup::Miss);
    }
    (1..200).for_each(|number| load(&mut cache, number, 1000, 0));
    assert_eq!(cache.get(&0_u32.to_be_bytes(), Tick(100)), Lookup::Miss);
    load(&mut cache, 0, 1000, 100);
    (200..300).for_each(|number| load(&mut cache, number, 1000, 100));
    assert_ne!(cache.get(&0_u32.to_be_bytes(), Tick(100)), Lookup::Miss, "a scan through the small queue passes by");
}

/// Numbers below `count`, the n-th most popular `(n+1)^-skew` as often as the first.
fn zipf(count: usize, skew: f64, draws: usize) -> Vec<u32> {
    let mut sum = 0.0;
    let cumulative: Vec<f64> = (1..=count)
        .map(|rank| {
            sum += (rank as f64).powf(-skew);
            sum
        })
        .collect();
    let mut dice = Jitter::new(20_261_111);
    let draw = |_| {
        let point = (dice.number() >> 11) as f64 / (1_u64 << 53) as f64 * sum;
        cumulative.partition_point(|&below| below < point) as u32
    };
    (0..draws).map(draw).collect()
}

/// Hits of an LRU cache of `entries_max` entries on `trace`: by stack distance in a queue of lazy copies.
fn lru_hits(trace: &[u32], entries_max: usize) -> usize {
    let (mut last, mut line, mut hits) = (HashMap::new(), VecDeque::new(), 0);
    for (at, &number) in trace.iter().enumerate() {
        hits += usize::from(last.insert(number, at).is_some());
        line.push_back((number, at));
        while last.len() > entries_max {
            let (oldest, asked) = line.pop_front().unwrap();
            if last[&oldest] == asked {
                last.remove(&oldest);
            }
        }
        while line.front().is_some_and(|(oldest, asked)| last.get(oldest) != Some(asked)) {
            line.pop_front();
        }
    }
    hits
}

#[test]
fn hits_more_than_lru_on_a_zipf_trace() {
    let weight = 100 + 4 + ENTRY_OVERHEAD_BYTES;
    for (skew, entries_max) in [(0.7, 500), (0.9, 100), (0.9, 1000), (1.1, 500)] {
        let trace = zipf(10_000, skew, 200_000);
        let (mut cache, [space, _]) = cache(entries_max * weight);
        for number in &trace {
            let bytes = &number.to_be_bytes();
            if cache.get(bytes, NOW) == Lookup::Miss {
                cache.insert(Key { space, bytes }, row((), 100, FOREVER), NOW);
            }
        }
        let (ours, lru) = (cache.stats().hits as usize, lru_hits(&trace, entries_max));
        println!("skew {skew}, {entries_max} entries: {ours} hits, LRU {lru} of {}", trace.len());
        assert!(ours >= lru, "skew {skew}, {entries_max} entries: {ours} hits, LRU {lru}");
    }
}

#[derive(Clone, Debug)]
enum Op {
    Get(u8),
    /// Key, heap bytes, life.
    Insert(u8, usize, u64),
    Absent(u8, u64),
    Remove(u8),
    RemoveSpace(usize),
    Wait(u64),
}

fn ops(keys: u8) -> impl Strategy<Value = Vec<Op>> {
    let (key, life) = (0..keys, 0_u64..100);
    let op = prop_oneof![
        8 => key.clone().prop_map(Op::Get),
        6 => (key.clone(), 0_usize..400, life.clone()).prop_map(|(key, bytes, life)| Op::Insert(key, bytes, life)),
        1 => (key.clone(), life).prop_map(|(key, life)| Op::Absent(key, life)),
        2 => key.prop_map(Op::Remove),
        1 => (0_usize..2).prop_map(Op::RemoveSpace),
        2 => (0_u64..20).prop_map(Op::Wait),
    ];
    prop::collection::vec(op, 1..400)
}

/// Plays `ops` on a cache and on a map that never evicts. `Miss` for what the map has is allowed only if `evicts`.
fn check(ops: &[Op], bytes_max: usize, evicts: Evicts) {
    let (mut cache, spaces) = cache(bytes_max);
    let mut model: HashMap<u8, (Lookup<usize>, u64)> = HashMap::new();
    let mut now = 0;
    for (serial, op) in ops.iter().enumerate() {
        match *op {
            Op::Get(key) => {
                let live = model.get(&key).filter(|(_, ends)| *ends > now);
                let want = live.map_or(Lookup::Miss, |(known, _)| known.clone());
                let got = cache.get(&[key], Tick(now));
                assert!(got == want || (got == Lookup::Miss && evicts == Evicts::Sometimes), "{got:?}, want {want:?}");
            }
            Op::Insert(key, bytes, life) => {
                let item = row(serial, bytes, Tick(now + life));
                cache.insert(Key { space: spaces[usize::from(key) % 2], bytes: &[key] }, item, Tick(now));
                model.insert(key, (Lookup::Hit(Arc::new(serial)), now + life));
            }
            Op::Absent(key, life) => {
                let item = Item { value: Cached::Absent, bytes: 0, ends: Tick(now + life) };
                cache.insert(Key { space: spaces[usize::from(key) % 2], bytes: &[key] }, item, Tick(now));
                model.insert(key, (Lookup::Negative, now + life));
            }
            Op::Remove(key) => {
                cache.remove(&[key]);
                model.remove(&key);
            }
            Op::RemoveSpace(space) => {
                cache.remove_space(spaces[space]);
                model.retain(|key, _| usize::from(*key) % 2 != space);
            }
            Op::Wait(time) => now += time,
        }
        assert!(cache.stats().bytes <= bytes_max);
    }
    for key in 0..=255 {
        cache.remove(&[key]);
    }
    let stats = cache.stats();
    assert_eq!((stats.bytes, stats.entries, cache.table.len()), (0, 0, 0), "nothing is counted that is not there");
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Evicts {
    Never,
    Sometimes,
}

proptest! {
    #[test]
    fn a_wide_cache_is_a_map(ops in ops(20)) {
        check(&ops, 1 << 20, Evicts::Never);
    }

    #[test]
    fn a_tight_cache_never_returns_what_the_map_does_not(ops in ops(60)) {
        check(&ops, 5000, Evicts::Sometimes);
    }
}
