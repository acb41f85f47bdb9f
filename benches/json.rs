//! Costs of JSON on the request path: a body read, an answer made from rows, a selection of its columns, a login's answer.
//! Never here: I/O.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use tidegate::proto::json::parse::Scratch;
use tidegate::proto::json::rows::{Answer, Columns, Frame, Room, RowsWriter};
use tidegate::proto::json::write::write_string;
use tidegate::proto::wechat::read_exchange;

const ORDER: &str =
    r#"{"product_id":1024,"quantity":2,"note":"请放在门口","address":{"city":"广州","street":"a"},"gift":false}"#;
const LOGIN: &str = r#"{"session_key":"tiihtNczf5v6AKRyjwEUhQ==","openid":"oGZUI0egBJY1zhBYw2KhdUfwVJJE"}"#;

fn parse(bench: &mut Criterion) {
    let mut scratch = Scratch::new();
    let mut body = Vec::new();
    bench.bench_function("parse a body of 130 bytes, read 2 fields", |bench| {
        bench.iter(|| {
            body.clear();
            body.extend_from_slice(ORDER.as_bytes());
            let object = scratch.parse(&mut body).expect("the body is valid");
            black_box((object.get("product_id"), object.get("quantity")));
        });
    });
    bench.bench_function("read a login's answer", |bench| {
        bench.iter(|| {
            body.clear();
            body.extend_from_slice(LOGIN.as_bytes());
            black_box(read_exchange(200, &mut body, &mut scratch).expect("the answer is valid"));
        });
    });
}

fn strings(bench: &mut Criterion) {
    let mut out = Vec::new();
    for (name, text) in [
        ("write 20 plain bytes", "x".repeat(20)),
        ("write 1 KiB plain", "x".repeat(1024)),
        ("write 1 KiB with an escape every 16 bytes", "fifteen bytes..\n".repeat(64)),
    ] {
        bench.bench_function(name, |bench| {
            bench.iter(|| {
                out.clear();
                write_string(&mut out, black_box(&text));
            });
        });
    }
}

/// Products of about 60 bytes.
fn render(columns: &Arc<Columns>, frame: Frame, rows: i64) -> Answer {
    let mut writer = RowsWriter::new(Arc::clone(columns), frame);
    for row in 0..rows {
        if writer.begin_row() != Ok(Room::Row) {
            break;
        }
        writer.integer(row);
        writer.text("茉莉绿茶 500ml");
        writer.integer(599);
        writer.float(4.75);
        writer.null();
    }
    writer.finish().expect("small enough").expect("has a row")
}

fn rows(bench: &mut Criterion) {
    let columns = Arc::new(Columns::new(&["id", "name", "price", "score", "note"]).expect("names differ"));
    let page = Frame::Paged { page: 1, page_size: 20 };
    bench.bench_function("render one row", |bench| bench.iter(|| render(&columns, Frame::One, 1)));
    bench.bench_function("render a page of 20 rows", |bench| bench.iter(|| render(&columns, page, 21)));
    let answer = render(&columns, page, 21);
    let mut out = Vec::new();
    bench.bench_function("project 2 of 5 columns, 20 rows", |bench| {
        bench.iter(|| {
            out.clear();
            answer.project(black_box(&[0, 1]), &mut out);
        });
    });
}

criterion_group!(benches, parse, strings, rows);
criterion_main!(benches);
