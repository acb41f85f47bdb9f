//! Reads: column types, bound values, paging, columns that change.

use super::{Shop, read, text};
use crate::backends::database::Page;
use crate::backends::fixture::query;
use crate::core::config::checked::{Rows, Value};
use crate::core::fault::{Backend, Fault};

#[test]
fn every_column_type_becomes_json() {
    let all = query("all", "SELECT *, i + 1 AS next FROM t", Rows::One, &[]);
    let shop = Shop::new(
        r#"CREATE TABLE t (i INTEGER, r REAL, s TEXT, b BLOB, n TEXT, j JSON, k json, inf REAL, odd TEXT);
           INSERT INTO t VALUES (-9223372036854775807, 1.5, 'a"好' || char(10), x'00ff10', NULL, '{"a":[1]}', 'not json',
             9e999, CAST(x'61ff' AS TEXT))"#,
    )
    .with_query(&all);
    assert_eq!(
        read(&mut shop.open(), &all, &[], None).unwrap(),
        concat!(
            r#"{"i":-9223372036854775807,"r":1.5,"s":"a\"好\n","b":"AP8Q","n":null,"j":{"a":[1]},"k":"not json","#,
            r#""inf":null,"odd":"a�","next":-9223372036854775806}"#
        )
    );
}

#[test]
fn every_kind_of_value_is_bound() {
    let echo = query(
        "echo",
        "SELECT :t AS t, :i AS i, :f AS f, :b AS b, :n AS n, typeof(:f) AS kind",
        Rows::One,
        &["i", "f", "t", "b", "n"],
    );
    let shop = Shop::new("").with_query(&echo);
    let values = [Value::Integer(i64::MIN), Value::Float(0.1), text("x"), Value::Bool(true), Value::Null];
    assert_eq!(
        read(&mut shop.open(), &echo, &values, None).unwrap(),
        r#"{"t":"x","i":-9223372036854775808,"f":0.1,"b":1,"n":null,"kind":"real"}"#
    );
}

#[test]
fn values_are_never_sql() {
    let find = query("find", "SELECT id FROM users WHERE name = :name", Rows::Many { rows_max: 10 }, &["name"]);
    let shop =
        Shop::new("CREATE TABLE users (id, name TEXT); INSERT INTO users VALUES (1, 'ann'), (2, ''' OR 1=1 --')")
            .with_query(&find);
    let mut sqlite = shop.open();
    let mut check =
        |name: &str, expect: &str| assert_eq!(read(&mut sqlite, &find, &[text(name)], None).unwrap(), expect);
    check("ann", r#"{"items":[{"id":1}]}"#);
    check("' OR 1=1 --", r#"{"items":[{"id":2}]}"#);
    check("'; DROP TABLE users; --", r#"{"items":[]}"#);
    check("ann\0", r#"{"items":[]}"#);
    check(":name", r#"{"items":[]}"#);
    assert_eq!(shop.number("SELECT count(*) FROM users"), 2);
}

#[test]
fn one_and_many_rows_are_bounded() {
    let one = query("one", "SELECT n FROM t WHERE n >= :from", Rows::One, &["from"]);
    let many = query("many", "SELECT n FROM t WHERE n >= :from", Rows::Many { rows_max: 2 }, &["from"]);
    let shop = Shop::new("CREATE TABLE t (n); INSERT INTO t VALUES (1), (2), (3)").with_query(&one).with_query(&many);
    let mut sqlite = shop.open();
    let mut check = |query, from, expect: &str| {
        assert_eq!(read(&mut sqlite, query, &[Value::Integer(from)], None).unwrap(), expect);
    };
    check(&one, 4, "no row");
    check(&one, 2, r#"{"n":2}"#);
    check(&many, 4, r#"{"items":[]}"#);
    check(&many, 3, r#"{"items":[{"n":3}]}"#);
    check(&many, 2, r#"{"items":[{"n":2},{"n":3}]}"#);
    check(&many, 1, r#"{"items":[{"n":1},{"n":2}]}"#);
}

#[test]
fn pages_know_whether_there_is_another() {
    let rows = Rows::Paged { size: 2, size_max: 100, page_max: 1000 };
    let list =
        query("list", "SELECT n FROM t WHERE n > :above ORDER BY n LIMIT :limit OFFSET :offset", rows, &["above"]);
    let shop = Shop::new("CREATE TABLE t (n); INSERT INTO t VALUES (1), (2), (3), (4)").with_query(&list);
    let mut sqlite = shop.open();
    let mut check = |above, number, size, items: &str, more: bool| {
        let data = read(&mut sqlite, &list, &[Value::Integer(above)], Some(Page { number, size })).unwrap();
        let expect = format!(r#"{{"items":[{items}],"page":{number},"page_size":{size},"has_more":{more}}}"#);
        assert_eq!(data, expect);
    };
    check(0, 1, 2, r#"{"n":1},{"n":2}"#, true);
    check(0, 2, 2, r#"{"n":3},{"n":4}"#, false);
    check(0, 3, 2, "", false);
    check(1, 2, 2, r#"{"n":4}"#, false);
    check(0, 1, 3, r#"{"n":1},{"n":2},{"n":3}"#, true);
    check(0, 1, 4, r#"{"n":1},{"n":2},{"n":3},{"n":4}"#, false);
    check(0, u32::MAX, u32::MAX, "", false);
}

#[test]
fn what_was_not_configured_is_our_own_fault() {
    let one = query("one", "SELECT :a AS a", Rows::One, &["a"]);
    let shop = Shop::new("").with_query(&one);
    let mut sqlite = shop.open();
    let mut fault = |query, params: &[Value], page| read(&mut sqlite, query, params, page).unwrap_err();
    assert_eq!(fault(&one, &[], None), Fault::Internal);
    assert_eq!(fault(&one, &[Value::Null], Some(Page { number: 1, size: 1 })), Fault::Internal);
    assert_eq!(fault(&query("other", "SELECT 1", Rows::One, &[]), &[], None), Fault::Internal);
}

#[test]
fn a_table_may_grow_columns_while_the_gateway_runs() {
    let star = query("star", "SELECT * FROM t", Rows::One, &[]);
    let shop = Shop::new("CREATE TABLE t (a); INSERT INTO t VALUES (1)").with_query(&star);
    let mut sqlite = shop.open();
    assert_eq!(read(&mut sqlite, &star, &[], None).unwrap(), r#"{"a":1}"#);
    shop.beside().execute_batch("ALTER TABLE t ADD COLUMN b DEFAULT 'x'").unwrap();
    assert_eq!(read(&mut sqlite, &star, &[], None).unwrap(), r#"{"a":1,"b":"x"}"#);
    shop.beside().execute_batch("ALTER TABLE t RENAME COLUMN a TO c").unwrap();
    assert_eq!(read(&mut sqlite, &star, &[], None).unwrap(), r#"{"c":1,"b":"x"}"#);
    shop.beside().execute_batch("DROP TABLE t").unwrap();
    let fault = read(&mut sqlite, &star, &[], None).unwrap_err();
    assert!(matches!(fault, Fault::BackendRefused { backend: Backend::Database, code: 1 }), "{fault:?}");
}

#[test]
fn an_answer_without_end_is_refused() {
    let sql =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT hex(zeroblob(100000)) AS h FROM n";
    let big = query("big", sql, Rows::Many { rows_max: u32::MAX }, &[]);
    let shop = Shop::new("").with_query(&big);
    let fault = read(&mut shop.open(), &big, &[], None).unwrap_err();
    assert_eq!(fault, Fault::BackendRefused { backend: Backend::Database, code: 18 });
}
