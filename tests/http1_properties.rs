//! HTTP/1 by properties: cuts do not matter, nothing panics, and no damaged framing becomes a request.

use std::fmt::Write as _;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use tidegate::core::time::UnixSeconds;
use tidegate::proto::http1::{
    BodyMode, Event, HeaderTable, Limits, Machine, Persistence, ReplyContext, StreamCoding, Version, Wire, imf_fixdate,
    normalize, query, write_chunk, write_last_chunk, write_reply,
};
use tidegate::proto::reply::{Body, Rendered, Reply};

const BODY_MAX: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Request {
        path: String,
        query: String,
        headers: Vec<(String, Vec<u8>)>,
        body: Vec<u8>,
    },
    /// Which of several defects is named may depend on what has arrived of them.
    Fault(u16),
}

/// All events of one connection that receives these pieces.
fn events<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Vec<Seen> {
    let mut machine = Machine::new(Limits::default());
    let mut seen = Vec::new();
    for piece in pieces {
        let mut bytes = piece.to_vec();
        let mut at = 0;
        loop {
            let mut table = HeaderTable::new();
            let advance = machine.advance(&mut bytes[at..], &mut table, |_, _| Ok(BODY_MAX));
            at += advance.consumed;
            match advance.event {
                Event::NeedMore(_) => break,
                Event::SendContinue => {}
                Event::Request { request, .. } => seen.push(Seen::Request {
                    path: request.path.to_owned(),
                    query: request.query.to_owned(),
                    headers: request.headers.iter().map(|h| (h.name.to_owned(), h.value.to_vec())).collect(),
                    body: request.body.to_vec(),
                }),
                Event::Fault { fault, .. } => seen.push(Seen::Fault(fault.verdict().status)),
            }
        }
        assert_eq!(at, bytes.len(), "all bytes are consumed");
    }
    seen
}

fn cut(bytes: &[u8], at: &[Index]) -> Vec<Vec<u8>> {
    let mut at: Vec<_> = at.iter().map(|index| index.index(bytes.len() + 1)).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect()
}

/// A lawful request and what must be read from it.
#[derive(Clone, Debug)]
struct Model {
    bytes: Vec<u8>,
    seen: Seen,
}

#[derive(Clone, Debug)]
enum Coding {
    None,
    Sized,
    /// In chunks of so many bytes.
    Chunked(usize),
}

fn request() -> impl Strategy<Value = Model> {
    let start = prop_oneof![Just(""), Just("\r\n")];
    let fields = vec(("[A-Za-z][A-Za-z0-9_-]{0,8}-x", "[!-~é-\u{ffff}]{1,4}([ \t][!-~]{1,8})?"), 0..8);
    let coding = prop_oneof![Just(Coding::None), Just(Coding::Sized), (1..40_usize).prop_map(Coding::Chunked)];
    let content = vec(prop_oneof![Just(b'\r'), Just(b'\n'), any::<u8>()], 0..=BODY_MAX);
    (start, "(/[a-z0-9]{0,6}){1,3}", "[a-z=&%?/]{0,8}", fields, coding, content).prop_map(
        |(start, path, query, fields, coding, content)| {
            let mut headers = vec![("Host".to_owned(), b"shop.example".to_vec())];
            headers.extend(fields.into_iter().map(|(name, value)| (name, value.into_bytes())));
            let (extra, body, raw) = match coding {
                Coding::None => (None, Vec::new(), Vec::new()),
                Coding::Sized => (Some(("Content-Length", content.len().to_string())), content.clone(), content),
                Coding::Chunked(size) => {
                    (Some(("Transfer-Encoding", "chunked".to_owned())), content.clone(), chunks(&content, size))
                }
            };
            headers.extend(extra.map(|(name, value)| (name.to_owned(), value.into_bytes())));
            let mut bytes = format!("{start}POST {path}?{query} HTTP/1.1\r\n").into_bytes();
            for (name, value) in &headers {
                bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
            }
            bytes.extend(b"\r\n");
            bytes.extend(raw);
            Model { bytes, seen: Seen::Request { path, query, headers, body } }
        },
    )
}

fn chunks(content: &[u8], size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    content.chunks(size).for_each(|piece| write_chunk(&mut out, StreamCoding::Chunked, piece));
    write_last_chunk(&mut out, StreamCoding::Chunked);
    out
}

fn pipeline() -> impl Strategy<Value = (Vec<u8>, Vec<Seen>)> {
    vec(request(), 1..=16)
        .prop_map(|models| models.into_iter().map(|model| (model.bytes, model.seen)).unzip())
        .prop_map(|(bytes, seen): (Vec<Vec<u8>>, _)| (bytes.concat(), seen))
}

/// One small damage: a byte changed, removed, doubled, or text of the kind that smugglers use put in.
#[derive(Clone, Debug)]
enum Damage {
    Set(Index, u8),
    Remove(Index),
    Double(Index),
    Insert(Index, &'static str),
}

fn damage() -> impl Strategy<Value = Damage> {
    let byte = prop_oneof![prop::sample::select(b"\r\n \t:;,0\0\x0b\x7f\xff".to_vec()), any::<u8>()];
    let text = prop::sample::select(vec![
        "\r\n",
        "\n",
        "\r",
        "\r\n\r\n",
        "\r\nContent-Length: 3\r\n",
        "\r\nTransfer-Encoding: chunked\r\n",
        "\r\nTransfer-Encoding : chunked\r\n",
        "\r\nHost: other\r\n",
        "0\r\n\r\n",
        ";a",
        "GET / HTTP/1.1\r\n",
    ]);
    prop_oneof![
        (any::<Index>(), byte).prop_map(|(at, byte)| Damage::Set(at, byte)),
        any::<Index>().prop_map(Damage::Remove),
        any::<Index>().prop_map(Damage::Double),
        (any::<Index>(), text).prop_map(|(at, text)| Damage::Insert(at, text)),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage) {
    match damage {
        Damage::Set(at, byte) => *at.get_mut(bytes) = *byte,
        Damage::Remove(at) => drop(bytes.remove(at.index(bytes.len()))),
        Damage::Double(at) => {
            let at = at.index(bytes.len());
            bytes.insert(at, bytes[at]);
        }
        Damage::Insert(at, text) => {
            let at = at.index(bytes.len());
            bytes.splice(at..at, text.bytes());
        }
    }
}

/// The framing rules once more, as simply as they can be written: the body of the request that starts `bytes` and what
/// follows it. `None` when the request is not lawful or not whole.
fn reference(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let bytes = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, after) = (latin1(&bytes[..end]), &bytes[end + 4..]);
    let lines: Vec<&str> = head.split("\r\n").collect();
    if lines.iter().any(|line| line.is_empty() || line.contains(|c: char| c != '\t' && matches!(c, '\0'..' ' | '\x7f')))
    {
        return None;
    }
    if !lines[0].is_ascii() {
        return None;
    }
    let values = |name: &str| -> Vec<&str> {
        let fields = lines[1..].iter().filter_map(|line| line.split_once(':'));
        fields
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim_matches([' ', '\t']))
            .collect()
    };
    if lines[1..].iter().any(|line| {
        !line.split_once(':').is_some_and(|(key, _)| !key.is_empty() && key.is_ascii() && !key.contains([' ', '\t']))
    }) {
        return None;
    }
    if values("host").len() > 1 {
        return None;
    }
    match (&values("content-length")[..], &values("transfer-encoding")[..]) {
        ([], []) => Some((Vec::new(), after)),
        ([length], []) if length.bytes().all(|b| b.is_ascii_digit()) => {
            let (body, after) = after.split_at_checked(length.parse().ok()?)?;
            Some((body.to_vec(), after))
        }
        ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => dechunk(after),
        _ => None,
    }
}

fn dechunk(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut body = Vec::new();
    let line = |rest: &mut &[u8]| -> Option<String> {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let text = latin1(&rest[..end]);
        *rest = &rest[end + 2..];
        (!text.contains(['\r', '\n'])).then_some(text)
    };
    loop {
        let text = line(&mut rest)?;
        let digits = text.split(';').next()?;
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let (content, after) = rest.split_at_checked(usize::from_str_radix(digits, 16).ok()?)?;
        rest = after;
        if content.is_empty() {
            while !line(&mut rest)?.is_empty() {}
            return Some((body, rest));
        }
        body.extend_from_slice(content);
        rest = rest.strip_prefix(b"\r\n")?;
    }
}

proptest! {
    #[test]
    fn cuts_do_not_matter((bytes, seen) in pipeline(), at in vec(any::<Index>(), 0..24)) {
        prop_assert_eq!(&events([&bytes[..]]), &seen);
        prop_assert_eq!(&events(bytes.chunks(1)), &seen);
        let pieces = cut(&bytes, &at);
        prop_assert_eq!(&events(pieces.iter().map(Vec::as_slice)), &seen);
    }

    #[test]
    fn damaged_framing_never_becomes_a_request(
        (mut bytes, _) in pipeline(),
        damages in vec(damage(), 1..4),
        at in vec(any::<Index>(), 0..24),
    ) {
        damages.iter().for_each(|damage| apply(&mut bytes, damage));
        let seen = events([&bytes[..]]);
        let mut rest = &bytes[..];
        for event in &seen {
            if let Seen::Request { body, .. } = event {
                let expect = reference(rest);
                prop_assert!(expect.is_some(), "refused by the reference: {}", rest.escape_ascii());
                let (content, after) = expect.unwrap_or_default();
                prop_assert_eq!(body, &content);
                rest = after;
            }
        }
        prop_assert_eq!(&events(bytes.chunks(1)), &seen);
        let pieces = cut(&bytes, &at);
        prop_assert_eq!(&events(pieces.iter().map(Vec::as_slice)), &seen);
    }

    #[test]
    fn noise_is_survived(bytes in vec(any::<u8>(), 0..512), at in vec(any::<Index>(), 0..8)) {
        let pieces = cut(&bytes, &at);
        prop_assert_eq!(events(pieces.iter().map(Vec::as_slice)), events([&bytes[..]]));
    }

    #[test]
    fn replies_are_read_back(
        status in prop_oneof![Just(200_u16), Just(404), Just(503)],
        body in vec(any::<u8>(), 0..3000),
        head_only in any::<bool>(),
        unix in any::<u32>(),
        value in "[ -~]{0,40}",
    ) {
        let rendered = Rendered::json(body.clone());
        let reply = Reply { status, ..Reply::json(Body::Shared(Arc::new(rendered))) }.with("x-own", value.clone());
        let mode = if head_only { BodyMode::Omit } else { BodyMode::Send };
        let wire = Wire { version: Version::Http11, persistence: Persistence::KeepAlive, body: mode };
        let date = imf_fixdate(UnixSeconds(unix.into()));
        let mut out = Vec::new();
        write_reply(&mut out, &reply, &ReplyContext { date: &date, request_id: "abcdefgh", wire });

        let mut table = [httparse::EMPTY_HEADER; 16];
        let mut response = httparse::Response::new(&mut table);
        let head = response.parse(&out).expect("lawful").unwrap();
        let length = body.len().to_string();
        let field = |name| response.headers.iter().find(|h| h.name == name).map(|h| h.value);
        prop_assert_eq!(response.code, Some(status));
        prop_assert_eq!(field("content-length"), Some(length.as_bytes()));
        prop_assert_eq!(field("x-own"), Some(value.trim_matches(' ').as_bytes()));
        prop_assert_eq!(&out[head..], if head_only { &[] } else { &body[..] });
    }

    #[test]
    fn every_escaped_path_is_decoded(segments in vec("[^/\\\\\\p{Cc}]{1,6}", 1..4)) {
        prop_assume!(segments.iter().all(|segment| segment != "." && segment != ".."));
        let plain = segments.iter().fold(String::new(), |path, segment| path + "/" + segment);
        let escaped = segments.iter().fold(String::new(), |path, segment| path + "/" + &escape(segment));
        let got = normalize(&escaped);
        prop_assert_eq!(got.as_deref(), Ok(&plain[..]));
    }

    #[test]
    fn a_resolved_path_has_no_dot_segments(raw in "(/([a.]|%2[eEfF]|%41|%){0,3}){1,5}") {
        if let Ok(path) = normalize(&raw) {
            prop_assert!(path.starts_with('/'));
            prop_assert!(!path.split('/').any(|segment| segment == "." || segment == ".."));
        }
    }

    #[test]
    fn every_escaped_value_is_found(value in any::<String>(), other in "[a-z]{1,4}") {
        let query = format!("{other}=1&key={}&x", escape(&value));
        prop_assume!(other != "key");
        let got = query::find(&query, "key");
        prop_assert_eq!(got.as_ref().map(Option::as_deref), Ok(Some(&value[..])));
    }

    #[test]
    fn queries_never_panic(query in "[a-c=&%+0-9]{0,24}") {
        let _ = query::find(&query, "a");
        query::pairs(&query).for_each(drop);
    }
}

/// A character for each byte.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn escape(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        write!(out, "%{byte:02x}").expect("a String grows");
        out
    })
}

/// Exhaustive where the property samples: sixteen requests, cut in two at every byte.
#[test]
fn a_pipeline_is_the_same_cut_anywhere() {
    let one = b"GET /a?b HTTP/1.1\r\nHost: a\r\n\r\nPOST /%61 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi\r\n\
        POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nhi\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n\
        DELETE /b HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let bytes = one.repeat(4);
    let seen = events([&bytes[..]]);
    assert_eq!(seen.len(), 16);
    assert!(!seen.iter().any(|one| matches!(one, Seen::Fault(_))));
    for at in 0..=bytes.len() {
        let (first, second) = bytes.split_at(at);
        assert_eq!(events([first, second]), seen, "cut at {at}");
    }
    for size in 1..40 {
        assert_eq!(events(bytes.chunks(size)), seen, "pieces of {size}");
    }
}
