//! What the cache costs: a hit, a miss, an insertion that evicts, and the bookkeeping of a load.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use tidegate::core::cache::{Cache, Cached, Item, Key, SpaceId, Spaces};
use tidegate::core::flight::{Flights, Joined};
use tidegate::core::hash::KeyHasher;
use tidegate::core::jitter::Jitter;
use tidegate::core::time::Tick;

const BYTES_MAX: usize = 256 << 20;
const MANY: u64 = 200_000;
const NOW: Tick = Tick(1);

type Value = [u8; 64];

fn spaces() -> (Spaces, SpaceId) {
    let spaces = Spaces::new(["product:"]);
    let id = spaces.id("product:").unwrap();
    (spaces, id)
}

/// `product:` and four bytes: twelve, as a real key has.
fn key(number: u64) -> [u8; 12] {
    let mut key = *b"product:0000";
    key[8..].copy_from_slice(&(number as u32).to_be_bytes());
    key
}

fn item(bytes: usize) -> Item<Value> {
    Item { value: Cached::Row(Arc::new([0; 64])), bytes, ends: Tick(u64::MAX) }
}

fn filled(bytes_max: usize, count: u64) -> (Cache<Value>, SpaceId) {
    let (spaces, space) = spaces();
    let mut cache = Cache::new(bytes_max, &spaces, KeyHasher::new([1, 2, 3, 4]));
    for number in 0..count {
        cache.insert(Key { space, bytes: &key(number) }, item(1000), NOW);
    }
    (cache, space)
}

fn look_ups(c: &mut Criterion) {
    let (mut cache, _) = filled(BYTES_MAX, MANY);
    let (warm, missing) = (key(7), key(MANY + 7));
    c.bench_function("hit, 12-byte key, warm", |b| b.iter(|| cache.get(black_box(&warm), NOW)));
    c.bench_function("miss, 12-byte key, warm", |b| b.iter(|| cache.get(black_box(&missing), NOW)));
    let mut dice = Jitter::new(1);
    c.bench_function("hit, among 200,000", |b| b.iter(|| cache.get(&key(dice.number() % MANY), NOW)));
}

fn insertions(c: &mut Criterion) {
    let (mut cache, space) = filled(BYTES_MAX / 8, MANY);
    let mut number = MANY;
    c.bench_function("insert into a full cache", |b| {
        b.iter(|| {
            number += 1;
            cache.insert(Key { space, bytes: &key(number) }, item(1000), NOW);
        });
    });
}

fn loads(c: &mut Criterion) {
    let (spaces, space) = spaces();
    let mut flights = Flights::new(&spaces, KeyHasher::new([1, 2, 3, 4]));
    let bytes = key(7);
    c.bench_function("flight of one leader and one follower", |b| {
        b.iter(|| {
            let Joined::Leader(ticket) = flights.join(Key { space, bytes: &bytes }, 1) else { unreachable!() };
            let follower = flights.join(Key { space, bytes: &bytes }, 2);
            (follower, flights.finish(ticket))
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    targets = look_ups, insertions, loads
}
criterion_main!(benches);
