//! Bodies, good and bad, byte by byte. Never here: what an action does with them.

use proptest::prelude::*;

use super::*;

/// What `get(name)` says, as text that needs no borrow.
fn field(body: &str, name: &str) -> Result<String, String> {
    let mut body = body.as_bytes().to_vec();
    let mut scratch = Scratch::new();
    match scratch.parse(&mut body) {
        Ok(object) => Ok(format!("{:?}", object.get(name))),
        Err(fault) => Err(fault.to_string()),
    }
}

#[track_caller]
fn check(body: &str, expect: &str) {
    assert_eq!(field(body, "a"), Ok(expect.to_owned()), "{body}");
}

#[track_caller]
fn refuse(body: &str, expect: &str) {
    assert_eq!(field(body, "a"), Err(format!("invalid body: {expect}")), "{body}");
}

#[test]
fn every_kind_of_value_is_told_apart() {
    check(r#"{}"#, "None");
    check(r#"{"b":1}"#, "None");
    check(r#"{"a":null}"#, "Some(Null)");
    check(r#"{"a":true}"#, "Some(Bool(true))");
    check(r#"{"a":-7}"#, "Some(Integer(-7))");
    check(r#"{"a":9223372036854775807}"#, "Some(Integer(9223372036854775807))");
    check(r#"{"a":9223372036854775808}"#, "Some(Unsigned(9223372036854775808))");
    check(r#"{"a":18446744073709551615}"#, "Some(Unsigned(18446744073709551615))");
    check(r#"{"a":1.5}"#, "Some(Float(1.5))");
    check(r#"{"a":"x\n\"好\u597d"}"#, "Some(Text(\"x\\n\\\"好好\"))");
    check(r#"{"a":{"b":2}}"#, "Some(Compound)");
    check(r#"{"a":[1]}"#, "Some(Compound)");
    check(r#"{"\u0061":1}"#, "Some(Integer(1))");
}

#[test]
fn fields_behind_nested_values_are_found() {
    check(r#"{"x":{"a":9,"y":[1,{"a":8}]},"z":[],"a":1}"#, "Some(Integer(1))");
    check("\u{feff}{\"a\":1}", "Some(Integer(1))");
}

#[test]
fn whatever_is_not_one_object_is_refused() {
    for body in ["[]", "1", "\"a\"", "null"] {
        refuse(body, "must be a JSON object");
    }
    refuse("", "JSON ends too early");
    refuse(r#"{"a":1,"a":2}"#, "a field comes twice");
    refuse(r#"{"a":1,"\u0061":2}"#, "a field comes twice");
    for body in [r#"{"a":1}{}"#, r#"{"a":1"#, "{'a':1}", r#"{"a":01}"#, r#"{"a":NaN}"#, "\u{feff}\u{feff}{}"] {
        assert!(field(body, "a").is_err(), "{body}");
    }
    for number in ["1e999", "-1e999", "18446744073709551616", "-9223372036854775809"] {
        assert!(field(&format!(r#"{{"a":{number}}}"#), "a").is_err(), "{number}");
    }
    assert!(Scratch::new().parse(&mut b"{\"a\":\"\xff\"}".to_vec()).is_err());
}

#[test]
fn depth_and_fields_are_bounded() {
    let nested = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    let max = bounds::JSON_DEPTH_MAX;
    check(&nested(max - 1), "Some(Compound)");
    check(&nested(max), "Some(Compound)");
    refuse(&nested(max + 1), "nested too deep");
    refuse(&format!(r#"{{"a":{}"#, "[".repeat(100_000)), "nested too deep");

    let wide = |fields: usize| {
        let fields: Vec<_> = (1..fields).map(|n| format!(r#""f{n}":{n}"#)).chain([r#""a":0"#.to_owned()]).collect();
        format!("{{{}}}", fields.join(","))
    };
    let max = bounds::JSON_FIELDS_MAX;
    check(&wide(max - 1), "Some(Integer(0))");
    check(&wide(max), "Some(Integer(0))");
    refuse(&wide(max + 1), "too many fields: at most 128");
}

#[test]
fn one_scratch_serves_good_bad_and_large_bodies_in_turn() {
    let mut scratch = Scratch::new();
    let large = format!(r#"{{"a":[{}1],"b":2}}"#, "1,".repeat(bounds::JSON_SCRATCH_BYTES_MAX));
    for (body, expect) in [
        (r#"{"a":1,"b":2}"#, Some(Scalar::Integer(2))),
        (r#"{"a":"#, None),
        (large.as_str(), Some(Scalar::Integer(2))),
        (r#"{"b":"x"}"#, Some(Scalar::Text("x"))),
    ] {
        let mut body = body.as_bytes().to_vec();
        assert_eq!(scratch.parse(&mut body).ok().and_then(|object| object.get("b")), expect);
    }
    assert!(scratch.tape.0.capacity() * size_of::<Node<'_>>() <= bounds::JSON_SCRATCH_BYTES_MAX);
}

/// Text that looks like JSON often enough to reach deep branches.
fn json_like() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        Just(&b"{"[..]),
        Just(&b"}"[..]),
        Just(&b"["[..]),
        Just(&b"]"[..]),
        Just(&b"\"a\""[..]),
        Just(&b":"[..]),
        Just(&b","[..]),
        Just(&b"\\u"[..]),
        Just(&b"\\ud800"[..]),
        Just(&b"\""[..]),
        Just(&b"-0.5e3"[..]),
        Just(&b"12345678901234567890123"[..]),
        Just(&b"true"[..]),
        Just(&b"nul"[..]),
        Just(&b" "[..]),
        Just(&b"\xff"[..]),
        Just(&b"\0"[..]),
    ];
    proptest::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_and_agree_with_serde_json(
        body in prop_oneof![json_like(), proptest::collection::vec(any::<u8>(), 0..200)],
    ) {
        let mut scratch = Scratch::new();
        let mut copy = body.clone();
        if let Ok(object) = scratch.parse(&mut copy) {
            let _ = object.get("a");
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok(), "{:?}", String::from_utf8_lossy(&body));
        }
    }

    #[test]
    fn what_was_written_is_read(
        fields in proptest::collection::btree_map(".{0,12}", any::<(i64, f64, String)>(), 0..8),
    ) {
        let finite = |number: f64| if number.is_finite() { number } else { 0.5 };
        let document: serde_json::Map<_, _> = fields
            .iter()
            .flat_map(|(name, (integer, float, text))| {
                [
                    (format!("{name}:i"), serde_json::json!(integer)),
                    (format!("{name}:f"), serde_json::json!(finite(*float))),
                    (format!("{name}:t"), serde_json::json!(text)),
                ]
            })
            .collect();
        let mut body = serde_json::to_vec(&document)?;
        let mut scratch = Scratch::new();
        let object = scratch.parse(&mut body).map_err(|fault| TestCaseError::fail(fault.to_string()))?;
        for (name, (integer, float, text)) in &fields {
            prop_assert_eq!(object.get(&format!("{name}:i")), Some(Scalar::Integer(*integer)));
            prop_assert_eq!(object.get(&format!("{name}:f")), Some(Scalar::Float(finite(*float))));
            prop_assert_eq!(object.get(&format!("{name}:t")), Some(Scalar::Text(text)));
        }
    }
}
