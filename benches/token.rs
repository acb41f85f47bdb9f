//! Hot functions of tokens and ledger: what a request pays for being known and being booked.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use ahash::RandomState;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use tidegate::core::config::checked::{Secret, TokenKey, TokenPolicy};
use tidegate::core::ids::{AppId, OpenId, RouteId, SessionId, ShardId};
use tidegate::core::ledger::histogram::Histogram;
use tidegate::core::ledger::{Outcome, ShardLedger};
use tidegate::core::mask::OpenIdMask;
use tidegate::core::time::UnixSeconds;
use tidegate::core::token::access::{mint, verify};
use tidegate::core::token::keys::KeyRing;
use tidegate::core::token::memory::TokenMemory;
use tidegate::core::token::revoked::Revocations;
use tidegate::core::token::{Subject, refresh};

const NOW: UnixSeconds = UnixSeconds(1_763_000_000);

fn ring() -> KeyRing {
    KeyRing::new(&TokenPolicy {
        keys: vec![TokenKey { kid: "2026-11".into(), secret: Secret::new("a secret of at least thirty-two bytes") }],
        access_life: Duration::from_secs(7200),
        refresh_life: Duration::from_secs(30 * 86_400),
        leeway: Duration::from_secs(5),
        remembered_max: 65_536,
        sessions_max: 1_000_000,
        session_idle: Duration::from_secs(30 * 86_400),
    })
}

fn subject<'a>(openid: &'a OpenId, appid: &'a AppId, session: u128) -> Subject<'a> {
    Subject { openid, appid, session: SessionId(session) }
}

/// Session identities are random; these are spread as well.
fn spread(number: u128) -> u128 {
    (number << 64) | (number * 0x9e37_79b9_7f4a_7c15)
}

fn tokens(bench: &mut Criterion) {
    let (ring, openid, appid) = (ring(), OpenId::new("oGZUI0egBJY1zhBYw2KhdUfwVJJE"), AppId::new("wx4f4bc4dec97d474b"));
    let token = mint(&ring, subject(&openid, &appid, 7), NOW).expect("a token");
    let forged = token.replacen(&token[40..44], "AAAA", 1);
    bench.bench_function("token/mint", |b| b.iter(|| mint(&ring, subject(&openid, &appid, 7), NOW)));
    bench
        .bench_function("token/mint_refresh", |b| b.iter(|| refresh::mint(&ring, subject(&openid, &appid, 7), 3, NOW)));
    bench.bench_function("token/verify_cold", |b| b.iter(|| verify(&ring, black_box(token.as_bytes()), NOW)));
    bench.bench_function("token/verify_forged", |b| b.iter(|| verify(&ring, black_box(forged.as_bytes()), NOW)));
}

fn memory(bench: &mut Criterion) {
    let (ring, openid, appid) = (ring(), OpenId::new("oGZUI0egBJY1zhBYw2KhdUfwVJJE"), AppId::new("wx4f4bc4dec97d474b"));
    let minted: Vec<String> =
        (0..20_000u128).map(|n| mint(&ring, subject(&openid, &appid, spread(n)), NOW).expect("a token")).collect();
    let mut memory = TokenMemory::new(10_000, RandomState::with_seeds(1, 2, 3, 4));
    for token in &minted[..10_000] {
        memory.remember(token.as_bytes(), Arc::new(verify(&ring, token.as_bytes(), NOW).expect("valid")));
    }
    println!("token bytes: {}", minted[0].len());
    let warm = minted[9_999].as_bytes();
    bench.bench_function("memory/lookup_warm", |b| b.iter(|| memory.lookup(black_box(warm), NOW)));
    let mut next = 0;
    bench.bench_function("memory/lookup_among_10k", |b| {
        b.iter(|| {
            next = (next + 7919) % 10_000;
            memory.lookup(minted[next].as_bytes(), NOW)
        });
    });
    bench.bench_function("memory/lookup_unknown", |b| {
        b.iter(|| memory.lookup(black_box(minted[15_000].as_bytes()), NOW));
    });
    let caller = Arc::new(verify(&ring, warm, NOW).expect("valid"));
    let callers: Vec<_> =
        minted.iter().map(|token| Arc::new(verify(&ring, token.as_bytes(), NOW).expect("valid"))).collect();
    let mut next = 0;
    bench.bench_function("memory/remember_full", |b| {
        b.iter_batched(
            || {
                next = (next + 1) % minted.len();
                (minted[next].as_bytes(), Arc::clone(&callers[next]))
            },
            |(token, caller)| memory.remember(token, caller),
            BatchSize::SmallInput,
        );
    });
    let mut revoked = Revocations::new();
    bench.bench_function("revoked/none", |b| b.iter(|| revoked.refuses(black_box(&caller), 5)));
    for number in 0..1000 {
        revoked.revoke(SessionId(spread(number)), 5, UnixSeconds(NOW.0 + 7200), NOW);
    }
    bench.bench_function("revoked/one_of_1000", |b| b.iter(|| revoked.refuses(black_box(&caller), 5)));
    let mask = OpenIdMask::new(&[7; 32]);
    bench.bench_function("mask/openid", |b| b.iter(|| mask.hash(black_box(&openid))));
}

fn ledger(bench: &mut Criterion) {
    let ledger = ShardLedger::new(ShardId(0), 20);
    let histogram = Histogram::default();
    let mut nanos = 1000;
    bench.bench_function("ledger/histogram", |b| {
        b.iter(|| {
            nanos = ((nanos * 5) & 0xfff_ffff) | 1000;
            histogram.record(black_box(Duration::from_nanos(nanos)));
        });
    });
    bench.bench_function("ledger/record", |b| {
        b.iter(|| {
            nanos = ((nanos * 5) & 0xfff_ffff) | 1000;
            ledger.request_started();
            ledger.record(black_box(&Outcome {
                route: Some(RouteId(3)),
                status: 200,
                fault_code: None,
                duration: Duration::from_nanos(nanos),
                bytes_in: 800,
                bytes_out: 1200,
            }));
        });
    });
}

criterion_group!(benches, tokens, memory, ledger);
criterion_main!(benches);
