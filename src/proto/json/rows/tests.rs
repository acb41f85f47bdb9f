//! Rendered rows against plain rendering. Never here: a database.

use proptest::prelude::*;

use super::*;
use crate::proto::reply::etag;

fn columns(names: &[&str]) -> Arc<Columns> {
    Arc::new(Columns::new(names).unwrap())
}

/// Renders rows of one integer column `id`.
fn ids(frame: Frame, rows: u32) -> String {
    let mut writer = RowsWriter::new(columns(&["id"]), frame);
    for row in 0..rows {
        match writer.begin_row().unwrap() {
            Room::Row => writer.integer(row.into()),
            Room::Full => break,
        }
    }
    let answer = writer.finish().unwrap();
    answer.map_or_else(String::new, |answer| String::from_utf8(answer.rendered.body.to_vec()).unwrap())
}

#[test]
fn frames_say_what_the_design_says() {
    let check = |frame, rows, expect: &str| assert_eq!(ids(frame, rows), expect, "{frame:?} {rows}");
    let many = Frame::Many { rows_max: 2 };
    let paged = Frame::Paged { page: 3, page_size: 2 };
    check(Frame::One, 0, "");
    check(Frame::One, 1, r#"{"code":0,"message":"ok","data":{"id":0}}"#);
    check(Frame::One, 2, r#"{"code":0,"message":"ok","data":{"id":0}}"#);
    check(many, 0, r#"{"code":0,"message":"ok","data":{"items":[]}}"#);
    check(many, 1, r#"{"code":0,"message":"ok","data":{"items":[{"id":0}]}}"#);
    check(many, 2, r#"{"code":0,"message":"ok","data":{"items":[{"id":0},{"id":1}]}}"#);
    check(many, 3, r#"{"code":0,"message":"ok","data":{"items":[{"id":0},{"id":1}]}}"#);
    check(paged, 0, r#"{"code":0,"message":"ok","data":{"items":[],"page":3,"page_size":2,"has_more":false}}"#);
    check(
        paged,
        2,
        r#"{"code":0,"message":"ok","data":{"items":[{"id":0},{"id":1}],"page":3,"page_size":2,"has_more":false}}"#,
    );
    check(
        paged,
        3,
        r#"{"code":0,"message":"ok","data":{"items":[{"id":0},{"id":1}],"page":3,"page_size":2,"has_more":true}}"#,
    );
}

#[test]
fn json_columns_are_embedded_only_when_valid() {
    let cell = |value: &str| {
        let mut writer = RowsWriter::new(columns(&["j"]), Frame::One);
        assert_eq!(writer.begin_row(), Ok(Room::Row));
        writer.json(value);
        let body = writer.finish().unwrap().unwrap().rendered.body.to_vec();
        String::from_utf8(body).unwrap().replace(r#"{"code":0,"message":"ok","data":{"j":"#, "")
    };
    assert_eq!(cell(r#" {"a":[1, 2]} "#), r#"{"a":[1, 2]}}}"#);
    assert_eq!(cell("null"), "null}}");
    assert_eq!(cell(r#"{"a":1},"admin":true"#), r#""{\"a\":1},\"admin\":true"}}"#);
    assert_eq!(cell(""), r#"""}}"#);
    assert_eq!(cell(&"[".repeat(100_000)), format!("\"{}\"}}}}", "[".repeat(100_000)));
}

#[test]
fn an_answer_that_grows_too_large_is_refused() {
    let finish = |text: usize| {
        let mut writer = RowsWriter::new(columns(&["t"]), Frame::One);
        assert_eq!(writer.begin_row(), Ok(Room::Row));
        writer.text(&"x".repeat(text));
        writer.finish().map(|answer| answer.is_some())
    };
    let frame = br#"{"code":0,"message":"ok","data":{"t":""}"#.len();
    assert_eq!(finish(bounds::ANSWER_BYTES_MAX - frame), Ok(true));
    assert_eq!(finish(bounds::ANSWER_BYTES_MAX - frame + 1), Err(AnswerTooLarge));
}

#[test]
fn columns_must_differ() {
    assert!(Columns::new(&["id", "name"]).is_some());
    assert!(Columns::new(&["id", "id"]).is_none());
    assert!(Columns::new(&[]).is_none());
}

#[test]
fn a_selection_names_known_columns() {
    let columns = columns(&["id", "name", "price"]);
    assert_eq!(columns.select("price,id"), Ok(vec![2, 0]));
    assert_eq!(columns.select("id, name,id"), Ok(vec![0, 1]));
    for fields in ["", "id,", "id,secret", "ID"] {
        let fault = columns.select(fields).unwrap_err();
        assert_eq!(fault.to_string(), "parameter fields: choose from id, name, price", "{fields}");
    }
}

#[test]
fn equal_bytes_have_equal_tags() {
    assert_eq!(&*etag(b""), "\"2d06800538d394c2\"");
    assert_ne!(etag(b"a"), etag(b"b"));
}

#[derive(Clone, Debug)]
enum Cell {
    Null,
    Integer(i64),
    Float(f64),
    Text(String),
    Blob(Vec<u8>),
    Json(String),
}

fn cell() -> impl Strategy<Value = Cell> {
    prop_oneof![
        Just(Cell::Null),
        any::<i64>().prop_map(Cell::Integer),
        any::<f64>().prop_map(Cell::Float),
        any::<String>().prop_map(Cell::Text),
        any::<Vec<u8>>().prop_map(Cell::Blob),
        prop_oneof![Just(r#"{"a":[1,{"b":"},{"}]}"#), Just("not json")].prop_map(|text| Cell::Json(text.to_owned())),
    ]
}

fn render(names: &[String], rows: &[Vec<Cell>], frame: Frame) -> Option<Answer> {
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut writer = RowsWriter::new(columns(&names), frame);
    for row in rows {
        if writer.begin_row() == Ok(Room::Full) {
            break;
        }
        for cell in row {
            match cell {
                Cell::Null => writer.null(),
                Cell::Integer(value) => writer.integer(*value),
                Cell::Float(value) => writer.float(*value),
                Cell::Text(value) => writer.text(value),
                Cell::Blob(value) => writer.blob(value),
                Cell::Json(value) => writer.json(value),
            }
        }
    }
    writer.finish().unwrap()
}

/// A table with names, rows as wide as the names, and a selection of its columns.
fn table() -> impl Strategy<Value = (Vec<String>, Vec<Vec<Cell>>, Vec<usize>)> {
    proptest::collection::btree_set("[a-z\"好]{1,4}", 1..5).prop_flat_map(|names| {
        let names: Vec<_> = names.into_iter().collect();
        let width = names.len();
        let rows = proptest::collection::vec(proptest::collection::vec(cell(), width), 0..5);
        let all: Vec<_> = (0..width).collect();
        (Just(names), rows, proptest::sample::subsequence(all, 1..=width).prop_shuffle())
    })
}

proptest! {
    #[test]
    fn a_projection_equals_rendering_only_those_columns(
        (names, rows, fields) in table(),
        frame in prop_oneof![
            Just(Frame::One),
            Just(Frame::Many { rows_max: 3 }),
            Just(Frame::Paged { page: 1, page_size: 3 }),
        ],
    ) {
        let narrow_names: Vec<_> = fields.iter().map(|field| names[*field].clone()).collect();
        let narrow_rows: Vec<Vec<_>> =
            rows.iter().map(|row| fields.iter().map(|field| row[*field].clone()).collect()).collect();
        let narrow = render(&narrow_names, &narrow_rows, frame);
        match render(&names, &rows, frame) {
            None => prop_assert!(narrow.is_none()),
            Some(answer) => {
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&answer.rendered.body).is_ok());
                prop_assert_eq!(&answer.rendered.etag, &etag(&answer.rendered.body));
                prop_assert!(answer.bytes() > answer.rendered.body.len());
                let mut projected = Vec::new();
                answer.project(&fields, &mut projected);
                let narrow = narrow.map(|narrow| narrow.rendered.body.to_vec()).unwrap_or_default();
                prop_assert_eq!(String::from_utf8_lossy(&projected), String::from_utf8_lossy(&narrow));
            }
        }
    }
}
