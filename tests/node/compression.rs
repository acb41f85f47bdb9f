//! Answers in content codings: which, when, with what headers; variants made once; long answers that hold nobody up.
//! Never here: codecs by themselves; see `proto/compress`.

use std::process::Command;

use tidegate::core::bounds::COMPRESS_AT_ONCE_BYTES_MAX;
use tidegate::core::coding::Coding;
use tidegate::proto::compress::decode;

use crate::support::actions::LARGE_BYTES;
use crate::support::client::{Answer, get};
use crate::support::node::TestNode;

const ROOM: usize = 64 << 20;

fn get_in(path: &str, accept: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: test\r\naccept-encoding: {accept}\r\n\r\n")
}

/// The body as it was before its coding.
fn plain(answer: &Answer) -> Vec<u8> {
    match answer.header("content-encoding") {
        None => answer.body.clone(),
        Some(name) => {
            let coding = Coding::from_token(name.as_bytes()).expect("a coding of ours");
            decode(coding, &answer.body, ROOM).expect("one whole body")
        }
    }
}

fn made(node: &TestNode) -> u64 {
    node.sum(|ledger| ledger.compression.variants.get())
}

#[test]
fn the_client_chooses_and_every_choice_is_the_same_answer() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    for (path, kept) in [("/rows/200", true), ("/fresh/200", false)] {
        let identity = client.ask(get(path));
        assert_eq!((identity.status, identity.header("content-encoding")), (200, None));
        assert!(identity.body.len() > 7_000);
        let mut tags = vec![identity.header("etag").expect("a tag").to_owned()];
        let mut check = |accept: &str, coding: Option<&str>| {
            let answer = client.ask(get_in(path, accept));
            assert_eq!(answer.header("content-encoding"), coding, "{path} {accept}");
            assert_eq!(answer.header("vary"), Some("accept-encoding"), "{path} {accept}");
            assert_eq!(answer.header("content-type"), identity.header("content-type"));
            assert_eq!(plain(&answer), identity.body, "{path} {accept}");
            assert!(coding.is_none() || answer.body.len() < identity.body.len() / 3, "{path} {accept}");
            tags.push(answer.header("etag").expect("a tag").to_owned());
        };
        check("br", Some("br"));
        check("zstd", Some("zstd"));
        check("gzip", Some("gzip"));
        check("gzip,compress,br,deflate", Some(if kept { "br" } else { "gzip" }));
        check("gzip;q=0.8, br;q=0.3, identity;q=0.1", Some("gzip"));
        check("deflate, compress", None);
        check("gzip;q=0", None);
        check("identity;q=0, *;q=0", None);
        check("", None);
        tags.sort_unstable();
        tags.dedup();
        assert_eq!(tags.len(), 4, "{path}: each representation has its own: {tags:?}");
    }
}

/// Entries that are all asked for at once, as after a purge, do not hold a turn up: some leave as they are, and are made later.
#[test]
fn variants_are_made_a_few_a_turn() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    let paths: Vec<String> = (900..912).map(|count| format!("/rows/{count}")).collect();
    for path in &paths {
        assert!(client.ask(get(path)).body.len() > COMPRESS_AT_ONCE_BYTES_MAX / 2);
    }
    let requests: String = paths.iter().map(|path| get_in(path, "br")).collect();
    let mut ask = || {
        client.send(&requests);
        let codings: Vec<bool> = paths.iter().map(|_| client.answer().header("content-encoding").is_some()).collect();
        codings.into_iter().filter(|coded| *coded).count()
    };
    let first = ask();
    assert!((1..paths.len()).contains(&first), "{first} of {}", paths.len());
    assert!((0..paths.len()).any(|_| ask() == paths.len()), "each time some more");
    assert_eq!(made(&node), paths.len() as u64);
}

#[test]
fn a_variant_is_made_once_and_used_by_all() {
    let node = TestNode::start(&["server.shards=2"]);
    let mut clients: Vec<_> = (0..8).map(|_| node.connect()).collect();
    for round in 0..3 {
        for client in &mut clients {
            for coding in ["br", "gzip", "zstd"] {
                let answer = client.ask(get_in("/rows/100", coding));
                assert_eq!(answer.header("content-encoding"), Some(coding), "{round}");
            }
        }
    }
    assert_eq!(made(&node), 3, "both shards have the entry, and share its variants");
    assert_eq!(node.sum(|ledger| ledger.compression.answers.iter().map(|count| count.get()).sum()), 72);
    let (before, after) =
        (node.sum(|books| books.compression.bytes_before.get()), node.sum(|books| books.compression.bytes_after.get()));
    assert!(after * 3 < before, "{before} {after}");
}

#[test]
fn what_is_made_for_one_answer_is_not_kept() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    for path in ["/fresh/100", "/rows/100?fields=name"] {
        for _ in 0..2 {
            assert_eq!(client.ask(get_in(path, "gzip")).header("content-encoding"), Some("gzip"), "{path}");
        }
    }
    assert_eq!(made(&node), 0);
}

#[test]
fn short_answers_and_errors_stay_as_they_are() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    for path in ["/ping", "/item/1", "/item/9", "/nowhere"] {
        let answer = client.ask(get_in(path, "gzip"));
        assert_eq!((answer.header("content-encoding"), answer.header("vary")), (None, None), "{path}");
    }
    let off = TestNode::start(&["compression.codings=[]"]);
    let answer = off.connect().ask(get_in("/rows/200", "gzip"));
    assert_eq!((answer.header("content-encoding"), answer.header("vary")), (None, None));
}

#[test]
fn the_shortest_answer_has_a_bound() {
    let length = TestNode::start(&[]).connect().ask(get("/rows/12")).body.len();
    assert!((257..=1000).contains(&length), "{length}");
    let check = |bytes_min: usize, coding: Option<&str>| {
        let node = TestNode::start(&[&format!("compression.bytes_min={bytes_min}")]);
        assert_eq!(node.connect().ask(get_in("/rows/12", "gzip")).header("content-encoding"), coding, "{bytes_min}");
    };
    check(length - 1, Some("gzip"));
    check(length, Some("gzip"));
    check(length + 1, None);
}

#[test]
fn tokens_never_leave_compressed() {
    let node = TestNode::start(&["compression.bytes_min=256"]);
    let mut client = node.connect();
    let ask = |path: &str, body: &str| {
        let bytes = body.len();
        format!(
            "POST {path} HTTP/1.1\r\nhost: test\r\naccept-encoding: gzip, br\r\ncontent-type: application/json\r\n\
             content-length: {bytes}\r\n\r\n{body}"
        )
    };
    let login = client.ask(ask("/auth/login", r#"{"code":"demo-anna.1"}"#));
    let refresh_token = login.json()["data"]["refresh_token"].as_str().expect("a token").to_owned();
    let refresh = client.ask(ask("/auth/refresh", &format!(r#"{{"refresh_token":"{refresh_token}"}}"#)));
    for answer in [login, refresh] {
        assert!(answer.body.len() > 256, "long enough to be compressed otherwise: {answer:?}");
        assert_eq!((answer.status, answer.header("content-encoding"), answer.header("vary")), (200, None, None));
    }
}

#[test]
fn a_head_tells_of_the_same_variant() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    for path in ["/rows/200", "/fresh/200"] {
        for accept in ["br", "gzip", "identity"] {
            client.send(get_in(path, accept).replacen("GET", "HEAD", 1));
            let head = client.head_answer();
            let whole = client.ask(get_in(path, accept));
            for name in ["content-length", "content-encoding", "etag", "vary", "content-type"] {
                assert_eq!(head.header(name), whole.header(name), "{path} {accept} {name}");
            }
            assert_eq!(head.header("content-length"), Some(&*whole.body.len().to_string()));
        }
    }
}

#[test]
fn long_answers_go_in_pieces_and_are_kept_then() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    let identity = client.ask(get("/rows/9000"));
    assert!(identity.body.len() > 300_000);
    for coding in ["gzip", "br", "zstd"] {
        let first = client.ask(get_in("/rows/9000", coding));
        assert_eq!(
            (first.header("transfer-encoding"), first.header("content-encoding")),
            (Some("chunked"), Some(coding))
        );
        let second = client.ask(get_in("/rows/9000", coding));
        assert_eq!(second.header("content-length"), Some(&*first.body.len().to_string()), "kept by now");
        assert_eq!((&second.body, second.header("etag")), (&first.body, first.header("etag")));
        assert_eq!(plain(&first), identity.body);
    }
    assert_eq!(made(&node), 3);
    let fresh = client.ask(get_in("/fresh/9000", "gzip"));
    assert_eq!((fresh.header("content-encoding"), plain(&fresh)), (Some("gzip"), identity.body));
    assert_eq!(made(&node), 3);
    // A client that leaves in the middle leaves the making of a variant to the next.
    let mut leaves = node.connect();
    leaves.send(get_in("/rows/9999", "gzip"));
    leaves.expect_bytes(b"content-encoding: gzip");
    leaves.reset();
    crate::support::until("it is kept", || {
        node.connect().ask(get_in("/rows/9999", "gzip"));
        made(&node) == 4
    });
}

#[test]
fn streams_keep_their_pieces() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    let plain_stream = client.ask(get("/stream"));
    assert_eq!(plain_stream.header("vary"), Some("accept-encoding"));
    for coding in ["gzip", "br", "zstd"] {
        let answer = client.ask(get_in("/stream", coding));
        assert_eq!(answer.header("content-encoding"), Some(coding));
        assert_eq!(plain(&answer), plain_stream.body);
    }
    client.send(get_in("/stream/waits", "gzip"));
    node.gate.until_waiting(1);
    // The first piece has left in a chunk of its own; the second does not exist yet.
    client.expect_bytes(b"\r\n\r\n");
    client.expect_bytes(b"\x1f\x8b");
    node.gate.open();
    client.expect_bytes(b"\r\n0\r\n\r\n");
    client.send(get_in("/stream/fault", "gzip"));
    assert!(!client.rest().ends_with(b"0\r\n\r\n"), "broken, and seen to be");
}

#[test]
fn a_long_answer_compressed_leaves_room_for_others() {
    let node = TestNode::start(&[]);
    let mut slow = node.connect();
    let mut other = node.connect();
    slow.send(get_in("/stream/endless", "gzip"));
    slow.expect_bytes(b"content-encoding: gzip");
    for _ in 0..50 {
        assert_eq!(other.ask(get("/ping")).status, 200);
    }
    slow.reset();
    node.connect();
    let mut large = node.connect();
    let answer = large.ask(get_in("/large", "zstd"));
    assert_eq!(answer.header("content-encoding"), Some("zstd"));
    assert_eq!(zstd::decode_all(&answer.body[..]).expect("one whole body").len(), LARGE_BYTES);
}

#[test]
fn a_1_0_client_reads_pieces_until_the_end() {
    let node = TestNode::start(&[]);
    let mut client = node.connect();
    client.send("GET /rows/9000 HTTP/1.0\r\naccept-encoding: gzip\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.header("transfer-encoding"), answer.header("content-encoding")), (None, Some("gzip")));
    assert!(plain(&answer).len() > 300_000);
}

#[test]
fn curl_reads_what_we_send() {
    let node = TestNode::start(&[]);
    let curl = |path: &str, args: &[&str]| {
        let url = format!("http://{}{path}", node.addr);
        let output = Command::new("curl").args(["-sSf", "--max-time", "60"]).args(args).arg(url).output();
        output.expect("curl runs").stdout
    };
    for path in ["/rows/200", "/fresh/200", "/rows/9000", "/stream"] {
        let identity = curl(path, &[]);
        for coding in ["gzip", "br", "zstd", "gzip, br, zstd"] {
            let header = format!("accept-encoding: {coding}");
            assert_eq!(curl(path, &["--compressed", "-H", &header]), identity, "{path} {coding}");
        }
        assert_eq!(curl(path, &["--compressed"]), identity);
    }
}

#[test]
fn the_variants_of_an_entry_are_in_its_weight() {
    let gauge = |overrides: &[&str]| {
        let node = TestNode::start(overrides);
        let mut client = node.connect();
        let length = client.ask(get("/rows/200")).body.len() as u64;
        client.ask(get_in("/rows/200", "gzip"));
        crate::support::until("a gauge is taken", || node.sum(|ledger| ledger.cache.entries.get()) == 1);
        (length, node.sum(|ledger| ledger.cache.bytes.get()))
    };
    let ((length, with), (_, without)) = (gauge(&[]), gauge(&["compression.codings=[]"]));
    assert_eq!(with - without, length);
}
