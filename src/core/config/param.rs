//! The grammar of a parameter: `SOURCE[.NAME]:KIND[(LOW..=HIGH)][=DEFAULT]`, or `token`, or `token:appid`.
//! Never here: a value that a client sent.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::core::bounds;
use crate::core::config::checked::{Kind, Param, Source, Value};
use crate::core::config::error::Complaint;

/// SQLite and MySQL BIGINT are signed, so a `u64` ends at 2⁶³−1.
const INTEGERS: [(&str, RangeInclusive<i64>); 4] = [
    ("u32", 0..=u32::MAX as i64),
    ("u64", 0..=i64::MAX),
    ("i32", i32::MIN as i64..=i32::MAX as i64),
    ("i64", i64::MIN..=i64::MAX),
];
const TEXT_CHARS: RangeInclusive<usize> = 0..=bounds::TEXT_CHARS_MAX;

/// Reads the declaration `text` of the parameter `name`.
pub(super) fn parse(name: &str, text: &str) -> Result<Param, Complaint> {
    if !is_identifier(name) {
        return Err(Complaint::new("must be named with letters, digits and _, as :name in SQL", ""));
    }
    if let Some(source) = token_source(text) {
        let kind = Kind::Text(1..=bounds::OPENID_BYTES_MAX);
        return Ok(Param { name: name.to_owned(), source, kind, default: None });
    }
    let (source, rest) = text.split_once(':').ok_or_else(form)?;
    let source = parse_source(name, source)?;
    let (kind, default) = parse_kind(rest)?;
    let default = default.map(|text| parse_default(text, &kind)).transpose()?;
    if default.is_some() && matches!(source, Source::Path(_)) {
        return Err(Complaint::new("must have no default", "a part of the path is always there"));
    }
    Ok(Param { name: name.to_owned(), source, kind, default })
}

/// What stands for a declaration that does not parse, so that its uses are not complained about as well.
pub(super) fn stand_in(name: &str) -> Param {
    let source = Source::Query(name.to_owned());
    Param { name: name.to_owned(), source, kind: Kind::Bool, default: None }
}

pub(super) fn is_identifier(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !text.as_bytes()[0].is_ascii_digit()
}

fn token_source(text: &str) -> Option<Source> {
    match text {
        "token" => Some(Source::TokenOpenId),
        "token:appid" => Some(Source::TokenAppId),
        _ => None,
    }
}

fn parse_source(name: &str, text: &str) -> Result<Source, Complaint> {
    let (place, there) = text.split_once('.').unwrap_or((text, name));
    let named = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    if !(1..=64).contains(&there.len()) || !there.bytes().all(named) {
        return Err(Complaint::new("must name its source with letters, digits, _ and -", "such as body.productId:u64"));
    }
    match place {
        "path" => Ok(Source::Path(there.to_owned())),
        "query" => Ok(Source::Query(there.to_owned())),
        "body" => Ok(Source::Body(there.to_owned())),
        _ => Err(form()),
    }
}

/// Splits `u32(1..=99)=7` into the kind and the text of the default.
fn parse_kind(text: &str) -> Result<(Kind, Option<&str>), Complaint> {
    let end = text.find(['(', '=']).unwrap_or(text.len());
    let (type_name, rest) = text.split_at(end);
    let (range, rest) = match rest.strip_prefix('(') {
        Some(inner) => inner.split_once(')').map(|(range, rest)| (Some(range), rest)).ok_or_else(form)?,
        None => (None, rest),
    };
    let default = match rest.strip_prefix('=') {
        Some(default) => Some(default),
        None if rest.is_empty() => None,
        None => return Err(form()),
    };
    Ok((kind_of(type_name, range)?, default))
}

fn kind_of(type_name: &str, range: Option<&str>) -> Result<Kind, Complaint> {
    if let Some((_, whole)) = INTEGERS.iter().find(|(name, _)| *name == type_name) {
        return Ok(Kind::Integer(range.map_or_else(|| Ok(whole.clone()), |range| parse_range(range, whole))?));
    }
    match (type_name, range) {
        ("string", Some(range)) => Ok(Kind::Text(parse_range(range, &TEXT_CHARS)?)),
        ("string", None) => Err(Complaint::new("must bound its length", "such as string(1..=64), in characters")),
        ("f64", None) => Ok(Kind::Float),
        ("bool", None) => Ok(Kind::Bool),
        ("f64" | "bool", Some(_)) => Err(Complaint::new("must have no range", "only integers and strings have one")),
        _ => Err(form()),
    }
}

fn parse_range<T>(text: &str, within: &RangeInclusive<T>) -> Result<RangeInclusive<T>, Complaint>
where
    T: FromStr + PartialOrd + Display,
{
    let ends = text.split_once("..=").and_then(|(low, high)| Some((low.parse::<T>().ok()?, high.parse::<T>().ok()?)));
    match ends {
        Some((low, high)) if low <= high && within.contains(&low) && within.contains(&high) => Ok(low..=high),
        _ => Err(Complaint::new(
            format!("must have a range LOW..=HIGH within {}..={}", within.start(), within.end()),
            "both ends belong to it",
        )),
    }
}

fn parse_default(text: &str, kind: &Kind) -> Result<Value, Complaint> {
    let value = match kind {
        Kind::Integer(range) => text.parse().ok().filter(|number| range.contains(number)).map(Value::Integer),
        Kind::Text(range) => range.contains(&text.chars().count()).then(|| Value::Text(text.to_owned())),
        Kind::Float => text.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Float),
        Kind::Bool => text.parse().ok().map(Value::Bool),
    };
    value.ok_or_else(|| Complaint::new("must have a default of its own type and range", ""))
}

fn form() -> Complaint {
    Complaint::new(
        "must be SOURCE:TYPE, such as \"path:u64\", \"query:u32(1..=1000)=1\", \"body.productId:u64\" or \"token\"",
        "sources are path, query, body, token and token:appid; types are u32, u64, i32, i64, f64, bool and string(1..=64)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Result<(Source, Kind, Option<Value>), &str>) {
        match (parse("id", text), expect) {
            (Ok(got), Ok((source, kind, default))) => {
                assert_eq!(got, Param { name: "id".to_owned(), source, kind, default }, "{text}");
            }
            (Err(got), Err(need)) => assert!(format!("{got:?}").contains(need), "{text}: {got:?}"),
            (got, expect) => panic!("{text}: {got:?}, not {expect:?}"),
        }
    }

    fn there(name: &str) -> String {
        name.to_owned()
    }

    #[test]
    fn sources() {
        check("path:u64", Ok((Source::Path(there("id")), Kind::Integer(0..=i64::MAX), None)));
        check("query:bool", Ok((Source::Query(there("id")), Kind::Bool, None)));
        check("body:f64", Ok((Source::Body(there("id")), Kind::Float, None)));
        check("body.productId:u32", Ok((Source::Body(there("productId")), Kind::Integer(0..=4_294_967_295), None)));
        check("token", Ok((Source::TokenOpenId, Kind::Text(1..=64), None)));
        check("token:appid", Ok((Source::TokenAppId, Kind::Text(1..=64), None)));
        for text in ["", "path", "header:u64", "token:openid", "path:", ":u64", "u64", "path:u64 ", "path:u16"] {
            check(text, Err("must be SOURCE:TYPE"));
        }
        check("body.:u64", Err("must name its source"));
        check("body.a.b:u64", Err("must name its source"));
    }

    #[test]
    fn ranges_stay_within_their_type() {
        let integer = |range| Ok((Source::Query(there("id")), Kind::Integer(range), None));
        check("query:u32(0..=4294967295)", integer(0..=4_294_967_295));
        check("query:u32(0..=4294967296)", Err("LOW..=HIGH within 0..=4294967295"));
        check("query:u32(-1..=1)", Err("LOW..=HIGH within 0..=4294967295"));
        check("query:i64(-9223372036854775808..=0)", integer(i64::MIN..=0));
        check("query:u64(0..=9223372036854775808)", Err("LOW..=HIGH"));
        check("query:u32(7..=7)", integer(7..=7));
        check("query:u32(8..=7)", Err("LOW..=HIGH"));
        check("query:u32(1..9)", Err("LOW..=HIGH"));
        check("query:u32(1..=9", Err("must be SOURCE:TYPE"));
        check("query:string(1..=65536)", Ok((Source::Query(there("id")), Kind::Text(1..=65_536), None)));
        check("query:string(1..=65537)", Err("LOW..=HIGH within 0..=65536"));
        check("query:string", Err("must bound its length"));
        check("query:bool(0..=1)", Err("must have no range"));
    }

    #[test]
    fn defaults_are_values_of_the_kind() {
        let integer = |default| Ok((Source::Query(there("id")), Kind::Integer(1..=9), Some(Value::Integer(default))));
        check("query:u32(1..=9)=1", integer(1));
        check("query:u32(1..=9)=9", integer(9));
        check("query:u32(1..=9)=0", Err("default of its own type"));
        check("query:u32(1..=9)=10", Err("default of its own type"));
        check("query:u32(1..=9)=", Err("default of its own type"));
        let text = |default| Ok((Source::Body(there("id")), Kind::Text(0..=2), Some(Value::Text(there(default)))));
        check("body:string(0..=2)=", text(""));
        check("body:string(0..=2)=名字", text("名字"));
        check("body:string(0..=2)==)", text("=)"));
        check("body:string(0..=2)=abc", Err("default of its own type"));
        check("body:bool=true", Ok((Source::Body(there("id")), Kind::Bool, Some(Value::Bool(true)))));
        check("body:f64=NaN", Err("default of its own type"));
        check("path:u64=1", Err("must have no default"));
    }

    #[test]
    fn names_are_identifiers() {
        for (name, fits) in [("id", true), ("_a1", true), ("", false), ("1a", false), ("a-b", false), ("名", false)] {
            assert_eq!(parse(name, "token").is_ok(), fits, "{name}");
        }
    }
}
