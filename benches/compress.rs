//! Compression of a 9 KB list and a 1 KB product: each recipe once, and what an answer costs whose variant is there.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidegate::core::coding::Coding;
use tidegate::proto::compress::{Effort, Encoders, Recipe, decode};

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
    long.truncate(64 * 1024);
    [("1KB", one), ("9KB", list(50)), ("64KB", long)]
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
    targets = encode, decode_requests
}
criterion_main!(benches);
