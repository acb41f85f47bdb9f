//! The same bytes give the same answers, however the network cuts them: pipelines of one to sixteen requests with bodies of
//! every framing, over a real socket.
//! Never here: what a machine without a socket can show; see `http1_properties`.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

use crate::support::cases;
use crate::support::client::{Answer, Client};
use crate::support::node::TestNode;

/// A request, and the status and body of its answer.
#[derive(Clone, Debug)]
struct Asked {
    text: String,
    status: u16,
    body: String,
    is_head: bool,
}

fn chunks(content: &str, size: usize) -> String {
    let pieces = content.as_bytes().chunks(size).map(|piece| String::from_utf8_lossy(piece).into_owned());
    let extensions = ["", ";a", ";a=b", "; a=\"b;\""].into_iter().cycle();
    let chunks =
        pieces.zip(extensions).map(|(piece, extension)| format!("{:x}{extension}\r\n{piece}\r\n", piece.len()));
    chunks.collect::<String>() + "0\r\n"
}

fn request() -> impl Strategy<Value = Asked> {
    let asked = |text: String, status, body: &str| Asked { text, status, body: body.to_owned(), is_head: false };
    let field =
        prop_oneof![Just(""), Just("X-Padding: 0123456789012345678901234567890123456789\r\n"), Just("Cookie: a=b\r\n")];
    (0..8_u8, "[a-z0-9 \r\n]{1,60}", 1..20_usize, field).prop_map(move |(kind, content, size, field)| {
        let head = |line: &str| format!("{line} HTTP/1.1\r\nHost: test\r\n{field}");
        match kind {
            0 => asked(head("GET /echo?abc") + "\r\n", 200, "abc"),
            1 => asked(head("GET /nowhere") + "\r\n", 404, ""),
            2 => Asked { is_head: true, ..asked(head("HEAD /echo?abc") + "\r\n", 200, "") },
            3 => asked(head("OPTIONS /echo") + "\r\n", 204, ""),
            4 => asked(head("GET /item/1") + "\r\n", 200, ""),
            5 => asked(
                format!("{}Transfer-Encoding: chunked\r\n\r\n{}\r\n", head("POST /echo"), chunks(&content, size)),
                200,
                &content,
            ),
            6 => asked(
                format!(
                    "{}Transfer-Encoding: chunked\r\n\r\n{}X-Sum: 1\r\n\r\n",
                    head("POST /echo"),
                    chunks(&content, size)
                ),
                200,
                &content,
            ),
            _ => asked(
                format!("{}Content-Length: {}\r\n\r\n{content}", head("POST /echo"), content.len()),
                200,
                &content,
            ),
        }
    })
}

/// What the client sees apart from the identity of the request.
fn seen(client: &mut Client, asked: &[Asked]) -> Vec<Answer> {
    let next = |one: &Asked| {
        let mut answer = if one.is_head { client.head_answer() } else { client.answer() };
        assert_eq!(answer.status, one.status, "{}", one.text);
        if !one.body.is_empty() {
            assert_eq!(String::from_utf8_lossy(&answer.body), one.body, "{}", one.text);
        }
        answer.headers.retain(|(name, _)| !matches!(name.as_str(), "x-request-id" | "date"));
        if answer.status >= 400 {
            answer.body.clear();
        }
        answer
    };
    asked.iter().map(next).collect()
}

#[test]
fn answers_do_not_depend_on_the_cuts() {
    let node = TestNode::start(&[]);
    let mut runner = TestRunner::new(Config { cases: cases(64), failure_persistence: None, ..Config::default() });
    let property = runner.run(&(vec(request(), 1..=16), vec(any::<Index>(), 0..24)), |(asked, at)| {
        let text: String = asked.iter().map(|one| one.text.as_str()).collect();
        let mut whole = node.connect();
        whole.send(&text);
        let expect = seen(&mut whole, &asked);

        let mut at: Vec<usize> = at.iter().map(|index| index.index(text.len() + 1)).collect();
        at.extend([0, text.len()]);
        at.sort_unstable();
        let mut cut = node.connect();
        at.windows(2).for_each(|pair| cut.send(&text.as_bytes()[pair[0]..pair[1]]));
        prop_assert_eq!(&seen(&mut cut, &asked), &expect);

        let mut trickled = node.connect();
        text.as_bytes().chunks(1).for_each(|byte| trickled.send(byte));
        prop_assert_eq!(&seen(&mut trickled, &asked), &expect);
        Ok(())
    });
    property.unwrap_or_else(|error| panic!("{error}"));
    node.until_quiet();
}
