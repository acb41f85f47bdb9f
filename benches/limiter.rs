//! What a rate limit costs: the arithmetic, a bucket in cache, a bucket among a million.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use tidegate::core::config::checked::Rate;
use tidegate::core::hash::{KeyHash, KeyHasher};
use tidegate::core::ids::RouteId;
use tidegate::core::jitter::Jitter;
use tidegate::core::limit::{Gcra, IpTable, OpenIdTable, Rule, RuleId, ip_key};
use tidegate::core::owner::OwnerMap;
use tidegate::core::time::Tick;

const KEYS: usize = 1_000_000;

fn rule(position: u8, per_second: u32) -> Rule {
    let (count, burst) = (NonZeroU32::new(per_second).unwrap(), NonZeroU32::new(100).unwrap());
    let rate = Rate { count, per: Duration::from_secs(1), burst };
    Rule { id: RuleId::of_route(RouteId(1), position), gcra: Gcra::new(&rate) }
}

fn hasher() -> KeyHasher {
    KeyHasher::new([1, 2, 3, 4])
}

fn arithmetic(c: &mut Criterion) {
    let rule = rule(0, 1000);
    let mut now = 0;
    c.bench_function("gcra decide", |b| {
        b.iter(|| {
            now += 1_000_000;
            rule.gcra.decide(black_box(Tick(now - 5)), Tick(now))
        });
    });
    let owners = OwnerMap::new(6, hasher());
    c.bench_function("owner of a 28-byte openid", |b| b.iter(|| owners.of(black_box("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"))));
    c.bench_function("key of an IPv4 address", |b| {
        let (hasher, ip) = (hasher(), "203.0.113.7".parse().unwrap());
        b.iter(|| ip_key(&hasher, black_box(ip)));
    });
}

fn openids(c: &mut Criterion) {
    let (mut table, rules) = (OpenIdTable::new(KEYS), [rule(0, 1000), rule(1, 2000)]);
    let mut now = 0;
    c.bench_function("openid, one rule, in cache", |b| {
        b.iter(|| {
            now += 1_000_000;
            table.admit_all(black_box(KeyHash(7)), &rules[..1], Tick(now))
        });
    });
    c.bench_function("openid, two rules, in cache", |b| {
        b.iter(|| {
            now += 1_000_000;
            table.admit_all(black_box(KeyHash(7)), &rules, Tick(now))
        });
    });
    c.bench_function("openid, refused, in cache", |b| {
        b.iter(|| table.admit_all(black_box(KeyHash(8)), &rules[..1], Tick(now)));
    });
    let mut dice = Jitter::new(1);
    c.bench_function("openid, one rule, among a million", |b| {
        b.iter(|| {
            now += 1000;
            let who = KeyHash(dice.number() % KEYS as u64).salted(9);
            table.admit_all(who, &rules[..1], Tick(now))
        });
    });
}

fn addresses(c: &mut Criterion) {
    let (table, rule) = (IpTable::new(KEYS), rule(0, 1000));
    let mut now = 0;
    c.bench_function("address, in cache", |b| {
        b.iter(|| {
            now += 1_000_000;
            table.admit(black_box(KeyHash(7).salted(0)), &rule.gcra, Tick(now))
        });
    });
    let mut dice = Jitter::new(1);
    c.bench_function("address, among a million", |b| {
        b.iter(|| {
            now += 1000;
            table.admit(KeyHash(dice.number() % KEYS as u64).salted(9), &rule.gcra, Tick(now))
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    targets = arithmetic, openids, addresses
}
criterion_main!(benches);
