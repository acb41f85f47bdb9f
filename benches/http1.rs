//! The cost of HTTP/1 without a socket: one request in, one answer out.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

use tidegate::core::time::UnixSeconds;
use tidegate::proto::http1::{
    BodyMode, Event, HeaderTable, Limits, Machine, Persistence, ReplyContext, Version, Wire, imf_fixdate, normalize,
    query, write_reply,
};
use tidegate::proto::reply::{Body, Rendered, Reply};

/// What a benchmark client sends: about 190 bytes, 6 headers.
const GET: &[u8] = b"GET /api/v1/products/42 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: wrk\r\nAccept: */*\r\n\
    Accept-Encoding: gzip\r\nConnection: keep-alive\r\nAuthorization: Bearer abcdefghijklmnopqrstuvwxyz\r\n\r\n";

/// What a phone sends: about 900 bytes, 15 headers.
fn phone_get() -> Vec<u8> {
    let token = "x".repeat(330);
    format!(
        "GET /api/v1/products?page=2&page_size=20 HTTP/1.1\r\nHost: shop.example\r\nConnection: keep-alive\r\n\
         authorization: Bearer {token}\r\ncharset: utf-8\r\n\
         User-Agent: Mozilla/5.0 (Linux; Android 14; Phone) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 \
         Chrome/126.0 Mobile Safari/537.36 MicroMessenger/8.0.50 NetType/WIFI Language/zh_CN MiniProgramEnv/android\r\n\
         content-type: application/json\r\nAccept-Encoding: gzip,compress,br,deflate\r\nAccept: */*\r\n\
         Referer: https://servicewechat.com/wx4f4bc4dec97d474b/12/page-frame.html\r\nAccept-Language: zh-CN\r\n\
         X-Requested-With: com.tencent.mm\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: cors\r\n\
         Sec-Fetch-Dest: empty\r\nX-Trace-Id: 0123456789abcdef0123456789abcdef\r\n\r\n"
    )
    .into_bytes()
}

fn post(framing: &str, body: &str) -> Vec<u8> {
    format!("POST /api/v1/orders HTTP/1.1\r\nHost: shop.example\r\nContent-Type: application/json\r\n{framing}\r\n\r\n{body}")
        .into_bytes()
}

fn read(machine: &mut Machine, bytes: &mut [u8]) {
    let mut table = HeaderTable::new();
    let advance = machine.advance(bytes, &mut table, |_, _| Ok(1024));
    assert!(matches!(advance.event, Event::Request { .. }));
    black_box(&advance);
}

fn reading(c: &mut Criterion) {
    let body = r#"{"product_id":42,"quantity":1,"note":"leave it at the door, please; the bell does not work"}"#;
    let inputs = [
        ("get", GET.to_vec()),
        ("phone_get", phone_get()),
        ("post_sized", post(&format!("Content-Length: {}", body.len()), body)),
        ("post_chunked", post("Transfer-Encoding: chunked", &format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()))),
    ];
    for (name, input) in inputs {
        // Fresh bytes each time, because a chunked body is decoded in place.
        let mut machine = Machine::new(Limits::default());
        c.bench_function(&format!("advance/{name}"), |b| {
            b.iter_batched_ref(|| input.clone(), |bytes| read(&mut machine, bytes), BatchSize::SmallInput);
        });
    }
    c.bench_function("advance/get_in_two_pieces", |b| {
        let mut machine = Machine::new(Limits::default());
        let (mut first, mut second) = (GET[..80].to_vec(), GET[80..].to_vec());
        b.iter(|| {
            let mut table = HeaderTable::new();
            black_box(machine.advance(&mut first, &mut table, |_, _| Ok(0)).consumed);
            read(&mut machine, &mut second);
        });
    });
}

fn writing(c: &mut Criterion) {
    let rendered = Rendered::json(vec![b'x'; 1024]);
    let reply = Reply::json(Body::Shared(Arc::new(rendered)));
    let date = imf_fixdate(UnixSeconds(1_700_000_000));
    let wire = Wire { version: Version::Http11, persistence: Persistence::KeepAlive, body: BodyMode::Send };
    let cx = ReplyContext { date: &date, request_id: "0123456789abcdef", wire };
    let mut out = Vec::with_capacity(4096);
    c.bench_function("write_reply/shared_1k", |b| {
        b.iter(|| {
            out.clear();
            write_reply(&mut out, black_box(&reply), &cx);
            black_box(out.len())
        });
    });
    c.bench_function("imf_fixdate", |b| b.iter(|| imf_fixdate(black_box(UnixSeconds(1_700_000_000)))));
}

fn text(c: &mut Criterion) {
    c.bench_function("normalize/plain", |b| b.iter(|| black_box(normalize(black_box("/api/v1/products/42"))).is_ok()));
    c.bench_function("normalize/escaped", |b| {
        b.iter(|| black_box(normalize(black_box("/api/v1/./%e4%bd%a0"))).is_ok());
    });
    c.bench_function("query_find", |b| {
        b.iter(|| black_box(query::find(black_box("page=2&page_size=20&sort=price"), "page_size")).is_ok());
    });
}

criterion_group!(benches, reading, writing, text);
criterion_main!(benches);
