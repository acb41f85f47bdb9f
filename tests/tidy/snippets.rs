//! Each rule on a good and on a bad piece of code, so that a rule that has gone blind is noticed.
//! Never here: the tree itself.

use crate::source::Source;
use crate::{Rule, functions, rules};

/// The lines that the rule complains about.
fn check(rule: Rule, path: &str, text: &str, lines: &[usize]) {
    let found: Vec<usize> = rule(&Source::parse(path, text)).iter().map(|complaint| complaint.line).collect();
    assert_eq!(found, lines, "{path}:\n{text}");
}

#[test]
fn comments_and_literals_are_no_code() {
    let code = |text: &str| Source::parse("src/core/a.rs", text).code().trim_end().to_owned();
    assert_eq!(code("a // b"), "a");
    assert_eq!(code("a /* b /* c */ d\n e */ f"), "a \n f");
    assert_eq!(code(r#"f("a // \" b", c)"#), "f(\", c)");
    assert_eq!(code("f(r#\"a \" // b\"#, c)"), "f(\", c)");
    assert_eq!(code("f(b\"x{\", br\"\\\", c)"), "f(b\", \", c)");
    assert_eq!(
        code("let brace = '{'; let quote = '\\''; let life: &'a str"),
        "let brace = \"; let quote = \"; let life: &'a str"
    );
    assert_eq!(code("f(\"one\n  two { three\n\", c)"), "f(\"\n\n, c)");
    assert_eq!(code("for r in b"), "for r in b");
    assert_eq!(code("'\\u{7b}' x"), "\" x");
}

#[test]
fn test_items_are_marked() {
    let text = "fn a() {}\n#[cfg(test)]\nuse b;\nfn c() {}\n#[cfg(test)]\nmod tests {\n  fn d() {}\n}\nfn e() {}\n";
    let source = Source::parse("src/core/a.rs", text);
    let test: Vec<usize> = source.lines.iter().filter(|line| line.test).map(|line| line.number).collect();
    assert_eq!(test, [2, 3, 5, 6, 7, 8]);
    let declares = Source::parse("src/core/limit/mod.rs", "#[cfg(test)]\nmod model;\nmod gcra;\n");
    assert_eq!(declares.test_modules(), ["src/core/limit/model"]);
    assert!(Source::parse("src/core/limit/model.rs", "").is_module("src/core/limit/model"));
    assert!(!Source::parse("src/core/limit/models.rs", "").is_module("src/core/limit/model"));
    assert!(Source::parse("src/core/a/tests.rs", "fn a() {}").lines[0].test);
}

#[test]
fn layers() {
    check(rules::layers, "src/proto/a.rs", "use crate::core::ids::OpenId;\nuse crate::proto::b;\nuse std::fmt;\n", &[]);
    check(rules::layers, "src/proto/a.rs", "use crate::net::clock;\n", &[1]);
    check(rules::layers, "src/core/a.rs", "\nfn f() { crate::ops::http::serve() }\n", &[2]);
    check(rules::layers, "src/net/a.rs", "use crate::{\n    core::{ids, time},\n    shards::plan,\n};\n", &[1]);
    check(rules::layers, "src/core/a.rs", "// see crate::net::clock\nconst A: &str = \"crate::net\";\n", &[]);
    check(rules::layers, "src/net/a.rs", "use crate::core;\n", &[1]);
    check(rules::layers, "src/core/a.rs", "pub(in crate::core) fn f() {}\nuse crate::core as c;\n", &[2]);
    check(rules::layers, "src/main.rs", "use crate::cli::doctor;\n", &[]);
    check(rules::layers, "src/demo/a.rs", "use crate::ops::http;\nuse crate::cli::x;\n", &[]);
    check(rules::layers, "src/attic/a.rs", "use crate::core::x;\n", &[1]);
    check(rules::layers, "tests/login.rs", "use crate::ops::x;\n", &[]);
}

#[test]
fn fences() {
    check(rules::fences, "src/net/a.rs", "use glommio::timer;\n", &[]);
    check(rules::fences, "src/core/a.rs", "use glommio::timer;\n", &[1]);
    check(rules::fences, "src/shards/a.rs", "fn f() { tokio::spawn(x); }\n", &[1]);
    check(rules::fences, "src/proto/json/rows.rs", "use simd_json::Buffers;\n", &[]);
    check(rules::fences, "src/proto/json.rs", "use simd_json as json;\n", &[]);
    check(rules::fences, "src/proto/reply.rs", "use simd_json as json;\n", &[1]);
    check(rules::fences, "src/ops/a.rs", "may::coroutine::yield_now();\n", &[]);
    check(rules::fences, "src/net/a.rs", "let may = crate::ops::may::x; // may::go\n", &[]);
    check(rules::fences, "benches/load/src/main.rs", "use tokio::net;\n", &[]);
}

#[test]
fn clocks() {
    check(rules::clocks, "src/net/clock.rs", "let now = Instant::now();\n", &[]);
    check(rules::clocks, "src/core/a.rs", "let now = std::time::Instant::now();\nSystemTime::now();\n", &[1, 2]);
    check(rules::clocks, "tests/drain.rs", "let now = Instant::now();\n", &[]);
}

#[test]
fn headers() {
    check(rules::header, "src/core/a.rs", "//! Owns a.\n\nfn a() {}\n", &[]);
    check(rules::header, "src/core/a.rs", "// Owns a.\n\nfn a() {}\n", &[1]);
    check(rules::header, "src/core/a.rs", "\n//! Owns a.\n", &[1]);
    check(rules::room_fence, "src/core/mod.rs", "//! Decisions.\n//! Never here: I/O.\n", &[]);
    check(rules::room_fence, "src/core/mod.rs", "//! Decisions.\n\n// Never here: I/O.\n", &[1]);
    check(rules::room_fence, "src/core/config/mod.rs", "//! Configuration.\n", &[]);
}

#[test]
fn lengths() {
    let file =
        |lines: usize| format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", "a();\n".repeat(lines), "b();\n".repeat(9));
    check(rules::file_length, "src/core/a.rs", &file(399), &[]);
    check(rules::file_length, "src/core/a.rs", &file(400), &[]);
    check(rules::file_length, "src/core/a.rs", &file(401), &[1]);

    let function = |lines: usize| {
        format!("\nfn f<T>(a: T)\nwhere\n    T: Fn(u8) -> u8,\n{{\n{}}}\n", "    a();\n".repeat(lines - 5))
    };
    check(functions::length, "src/core/a.rs", &function(69), &[]);
    check(functions::length, "src/core/a.rs", &function(70), &[]);
    check(functions::length, "src/core/a.rs", &function(71), &[2]);
    check(functions::length, "src/core/a/tests.rs", &function(71), &[]);
}

#[test]
fn parameters() {
    let judge = |signature: &str, lines: &[usize]| check(functions::parameters, "src/core/a.rs", signature, lines);
    judge("fn f(a: A, b: B, c: C, d: D) {}", &[]);
    judge("fn f(a: A, b: B, c: C, d: D, e: E) {}", &[]);
    judge("fn f(a: A, b: B, c: C, d: D, e: E, f: F) {}", &[1]);
    judge("fn f(&mut self, a: A, b: B, c: C, d: D, e: E) {}", &[]);
    judge("fn f(self: Pin<&mut Self>, a: A, b: B, c: C, d: D, e: E) {}", &[]);
    judge("fn f<F: Fn(A, B) -> C>(a: Map<A, B>, b: (B, C), c: [D; 2], d: &dyn Fn(A, B) -> C, e: E,) {}", &[]);
    judge(
        "trait T {\n    fn f(\n        a: A,\n        b: B,\n        c: C,\n        d: D,\n        e: E,\n        f: F,\n    );\n}",
        &[2],
    );
    judge("type F = fn(A, B, C, D, E, F);", &[]);
}

#[test]
fn bool_parameters() {
    let judge = |signature: &str, lines: &[usize]| check(functions::bool_parameters, "src/core/a.rs", signature, lines);
    judge("fn f(a: A) -> bool { true }", &[]);
    judge("fn f(a: A, deep: bool) {}", &[1]);
    judge("fn f(&self, deep: bool) -> bool { let a: bool = deep; a }", &[1]);
    judge("fn f(test: impl Fn(u8) -> bool) {}", &[]);
    judge("struct S { deep: bool }\nlet f = |deep: bool| deep;", &[]);
}

#[test]
fn unwraps_and_leftovers() {
    check(rules::unwraps, "src/core/a.rs", "a.unwrap();\na.unwrap_or(1);\na.expect(\"b\");\n", &[1]);
    check(rules::unwraps, "src/core/a.rs", "#[cfg(test)]\nmod tests {\n    fn a() { b.unwrap(); }\n}\n", &[]);
    check(
        rules::leftovers,
        "src/core/a.rs",
        "// TODO: more\n/* FIXME */\ntodo!();\nlet a = \"TODO\"; // todos\n",
        &[1, 2, 3],
    );
}

#[test]
fn unsafety() {
    let judge = |text: &str, lines: &[usize]| check(rules::unsafety, "src/net/probe.rs", text, lines);
    judge("// SAFETY: sound.\nunsafe { a() };\n", &[]);
    judge("unsafe { a() };\n", &[1]);
    judge("// SAFETY: sound.\nlet a =\n    unsafe { a() };\n", &[]);
    judge("// SAFETY: sound.\nlet a = b();\nunsafe { a() };\n", &[3]);
    judge("// SAFETY: sound.\n\nunsafe { a() };\n", &[3]);
    judge("/// # Safety\n/// Never twice.\n#[inline]\npub unsafe fn a() {}\n", &[]);
    judge("#![deny(unsafe_op_in_unsafe_fn)] // unsafe\n", &[]);
    check(rules::unsafety, "src/core/a.rs", "// SAFETY: sound.\nunsafe { a() };\n", &[2]);
}

#[test]
fn imports() {
    let judge = |text: &str, lines: &[usize]| check(rules::globs, "src/core/a.rs", text, lines);
    judge("use a::b;\nlet c = *d;\nlet e = f * g;\n", &[]);
    judge("use a::*;\n", &[1]);
    judge("use a::{b::*, c};\n", &[1]);
    judge("use super::*;\n", &[1]);
    judge("#[cfg(test)]\nmod tests {\n    use super::*;\n    use proptest::prelude::*;\n}\n", &[]);
    judge("#[cfg(test)]\nmod tests {\n    use crate::core::*;\n}\n", &[3]);
    check(rules::climbs, "src/core/a.rs", "use super::super::b;\nuse super::b;\n", &[1]);
}

#[test]
fn sleeps() {
    check(rules::sleeps, "tests/drain.rs", "std::thread::sleep(wait);\nlet sleep = 1;\n", &[1]);
    check(rules::sleeps, "benches/load/src/main.rs", "std::thread::sleep(wait);\n", &[]);
    check(rules::sleeps, "src/net/a.rs", "may::coroutine::sleep(wait);\nfall_asleep(1);\n", &[1]);
    check(rules::sleeps, "src/demo/simulator/server.rs", "may::coroutine::sleep(wait);\n", &[]);
}
