//! Query strings as HTML forms write them: `name=value&…`, `+` for a space, percent-escapes.
//! Never here: a guess which of two equal names is meant.

use std::borrow::Cow;

use crate::core::fault::Fault;

use super::percent;

/// The value of `name`; `None` when absent, empty for a bare `name`. Nothing is copied when nothing is escaped.
///
/// # Errors
/// `InvalidParam` when the name comes twice, or an escape of the value or of any name is not valid.
pub fn find<'q>(query: &'q str, name: &str) -> Result<Option<Cow<'q, str>>, Fault> {
    let mut found = None;
    for (key, value) in raw_pairs(query) {
        if decode(key).ok_or_else(bad_name)? != name {
            continue;
        }
        let value = decode(value).ok_or_else(|| bad_value(name))?;
        if found.replace(value).is_some() {
            return Err(Fault::InvalidParam { name: name.to_owned().into(), need: "must be given once".into() });
        }
    }
    Ok(found)
}

/// All pairs in their order, decoded.
///
/// # Errors
/// `InvalidParam` in place of a pair whose escapes are not valid.
pub fn pairs(query: &str) -> impl Iterator<Item = Result<(Cow<'_, str>, Cow<'_, str>), Fault>> {
    raw_pairs(query).map(|(key, value)| {
        let key = decode(key).ok_or_else(bad_name)?;
        let value = decode(value).ok_or_else(|| bad_value(&key))?;
        Ok((key, value))
    })
}

fn raw_pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// `None` when an escape is no hex pair or the bytes are no UTF-8.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.bytes().any(|b| matches!(b, b'%' | b'+')) {
        return Some(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let (byte, after) = match byte {
            b'%' => percent::escape(rest)?,
            b'+' => (b' ', after),
            _ => (byte, after),
        };
        out.push(byte);
        rest = after;
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

fn bad_name() -> Fault {
    Fault::InvalidParam { name: "query".into(), need: "names must be percent-encoded UTF-8".into() }
}

fn bad_value(name: &str) -> Fault {
    Fault::InvalidParam { name: name.to_owned().into(), need: "must be percent-encoded UTF-8".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, name: &str, expect: Option<&str>) {
        assert_eq!(find(query, name).expect(query).as_deref(), expect, "{query}");
    }

    #[test]
    fn values_are_found_and_decoded() {
        check("", "a", None);
        check("a=1", "a", Some("1"));
        check("a=1&b=2", "b", Some("2"));
        check("a", "a", Some(""));
        check("a=", "a", Some(""));
        check("aa=1", "a", None);
        check("&&a=1&", "a", Some("1"));
        check("=1", "", Some("1"));
        check("a=b=c", "a", Some("b=c"));
        check("a=x+y%20z%2B", "a", Some("x y z+"));
        check("%61=1", "a", Some("1"));
        check("q=%e4%bd%a0", "q", Some("你"));
        check("A=1", "a", None);
    }

    #[test]
    fn unescaped_values_are_borrowed() {
        assert!(matches!(find("a=1&name=plain", "name"), Ok(Some(Cow::Borrowed("plain")))));
    }

    #[test]
    fn doubtful_queries_are_refused() {
        for query in ["a=1&a=1", "a=1&%61=2", "a=%", "a=%1", "a=%g0", "a=%ff", "%zz=1&a=1", "a=%+1"] {
            assert!(matches!(find(query, "a"), Err(Fault::InvalidParam { .. })), "{query}");
        }
        // A broken value of another name is that name's reader's affair.
        check("b=%zz&a=1", "a", Some("1"));
    }

    #[test]
    fn pairs_keep_their_order() {
        let all: Result<Vec<_>, _> = pairs("b=2&a=1+1&a=%33&c").collect();
        let expect = [("b", "2"), ("a", "1 1"), ("a", "3"), ("c", "")];
        assert_eq!(all.expect("valid"), expect.map(|(k, v)| (Cow::from(k), Cow::from(v))));
        assert!(pairs("a=1&b=%").any(|pair| pair.is_err()));
    }
}
