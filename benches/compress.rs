//! Compression of a 9 KB list and a 1 KB product: each recipe once, and what an answer costs whose variant is there.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidegate::core::coding::{Coding, CodingSet};
use tidegate::proto::compress::{Effort, Encoders, Recipe, decode};
use tidegate::proto::http1::{BodyMode, Persistence, ReplyContext, Version, Wire, write_reply};
use tidegate::proto::reply::{Body, Compression, Rendered, Reply};
use tidegate::proto::request::Header;
use tidegate::proto::variants::{Known, Variant};
use tidegate::proto::wishes::Wishes;

fn product(id: u64, words: usize) -> String {
    const WORDS: [&str; 12] =
        ["fresh", "mountain", "tea", "spring", "harvest", "hand", "picked", "leaf", "box", "红茶", "高山", "礼盒"];
    let mut state = id.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let text: Vec<&str> = (0..words).map(|_| WORDS[(next() % WORDS.len() as u64) as usize]).collect();
    let (price, stock, image) = (next() % 100_000, next() % 1000, next() as u32);
    format!(
        r#"{{"id":{id},"name":"Product {id}","price":{price},"stock":{stock},"description":"{}","image":"https://img.example.com/p/{image:08x}.jpg"}}"#,
        text.join(" ")
    )
}

fn list(items: u64) -> Vec<u8> {
    let items: Vec<String> = (1..=items).map(|id| product(id, 10)).collect();
    format!(r#"{{"code":0,"message":"ok","data":{{"items":[{}]}}}}"#, items.join(",")).into_bytes()
}

fn bodies() -> [(&'static str, Vec<u8>); 3] {
    let one = format!(r#"{{"code":0,"message":"ok","data":{}}}"#, product(7, 150)).into_bytes();
    let mut long = list(400);
    long.truncate(48 * 1024);
    [("1KB", one), ("9KB", list(50)), ("48KB", long)]
}

fn encode(bench: &mut Criterion) {
    for (name, body) in bodies() {
        let mut group = bench.benchmark_group(format!("encode {name}"));
        group.throughput(Throughput::Bytes(body.len() as u64));
        let mut encoders = Encoders::default();
        for coding in Coding::ALL {
            for effort in [Effort::Kept, Effort::Once] {
                let recipe = Recipe { coding, effort };
                let bytes = encoders.encode(recipe, &body).map_or(0, |encoded| encoded.len());
                let id = format!("{} {}, {} to {bytes} bytes", coding.name(), recipe.level(), body.len());
                group.bench_function(id, |bench| bench.iter(|| encoders.encode(recipe, black_box(&body))));
            }
        }
    }
}

/// A phone's head read for its wishes, and the answer written: as it is, and from a variant that is there.
fn answer(bench: &mut Criterion) {
    let field = |name: &'static str, value: &'static str| Header { name, value: value.as_bytes() };
    let head = [
        field("Host", "shop.example.com"),
        field("Connection", "keep-alive"),
        field("Authorization", "Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2ln"),
        field("content-type", "application/json"),
        field("Accept-Encoding", "gzip,compress,br,deflate"),
        field("User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) MicroMessenger/8.0.50"),
        field("Referer", "https://servicewechat.com/wx4f4bc4dec97d474b/12/page-frame.html"),
    ];
    let every: CodingSet = Coding::ALL.into_iter().collect();
    let wire = Wire { version: Version::Http11, persistence: Persistence::KeepAlive, body: BodyMode::Send };
    let cx = ReplyContext { date: b"Sun, 06 Nov 1994 08:49:37 GMT", request_id: "0123456789abcdef", wire };
    let mut out = Vec::with_capacity(64 * 1024);
    bench.bench_function("wishes of a phone", |bench| bench.iter(|| Wishes::of(black_box(&head), every)));
    for (name, body) in bodies() {
        let rendered = Arc::new(Rendered::json(body));
        let mut group = bench.benchmark_group(format!("hit {name}"));
        let mut write = |name: &str, body: &dyn Fn() -> Body| {
            group.bench_function(name, |bench| {
                bench.iter(|| {
                    let reply = Reply { compression: Compression::Negotiated, ..Reply::json(body()) };
                    out.clear();
                    write_reply(&mut out, black_box(&reply), &cx);
                });
            });
        };
        write("identity", &|| Body::Shared(rendered.clone()));
        for coding in [Coding::Br, Coding::Gzip] {
            let recipe = Recipe { coding, effort: Effort::Kept };
            let body = Encoders::default().encode(recipe, &rendered.body).expect("text becomes smaller");
            let variant = Variant { body: body.into(), etag: recipe.tag(&rendered.etag).into() };
            assert_eq!(rendered.variants.keep(coding, Some(variant)), Known::Made);
            write(coding.name(), &|| Body::Variant(rendered.clone(), coding));
        }
    }
}

fn decode_requests(bench: &mut Criterion) {
    let (_, body) = bodies().into_iter().nth(1).expect("three bodies");
    let mut encoders = Encoders::default();
    let mut group = bench.benchmark_group("decode 9KB");
    for coding in Coding::ALL {
        let sent = encoders.encode(Recipe { coding, effort: Effort::Once }, &body).expect("text becomes smaller");
        group.bench_function(coding.name(), |bench| bench.iter(|| decode(coding, black_box(&sent), 1 << 20)));
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = encode, answer, decode_requests
}
criterion_main!(benches);
