//! HTTP/1.1 as strangers test it: several hundred requests, each with its answer, what becomes of the connection, and what
//! reached the action. Every one is sent whole and byte by byte. From RFC 9110 and 9112 and from the attacks that are known.
//! Never here: a request whose treatment a bound of the configuration decides; see `refusals`.

mod bodies;
mod heads;
mod smuggling;

use crate::support::client::{Client, get};
use crate::support::node::TestNode;

/// A node, and how many cases it has stood.
struct Stand {
    node: TestNode,
    cases: usize,
}

impl Stand {
    fn new() -> Self {
        Self { node: TestNode::start(&[]), cases: 0 }
    }

    /// The connection on which a case was sent, both ways.
    fn each_way(&mut self, bytes: &[u8], look: impl Fn(&TestNode, Client)) {
        self.cases += 1;
        let mut client = self.node.connect();
        client.send(bytes);
        look(&self.node, client);
        let mut client = self.node.connect();
        for byte in bytes.chunks(1) {
            // A refusal may come before the last byte.
            client.try_send(byte);
        }
        look(&self.node, client);
    }

    /// Refused with this status in the one error form; the connection ends, nothing reached the action, others are served.
    #[track_caller]
    fn refused(&mut self, status: u16, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let text = bytes.escape_ascii().to_string();
        self.each_way(bytes, |node, mut client| {
            let answer = client.answer();
            assert_eq!((answer.status, answer.closes()), (status, true), "{text}");
            assert_eq!(answer.error_code() / 100, u64::from(status), "{text}");
            client.expect_end();
            assert!(node.recorded.take().is_empty(), "a body of it reached the action: {text}");
            assert_eq!(node.connect().ask(get("/ping")).status, 200, "the next connection, after {text}");
        });
    }

    /// Answered with this status; the connection goes on, and only this body reached the action.
    #[track_caller]
    fn served(&mut self, status: u16, body: &str, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let text = bytes.escape_ascii().to_string();
        self.each_way(bytes, |node, mut client| {
            let answer = client.answer();
            assert_eq!((answer.status, answer.closes()), (status, false), "{text}");
            let reached = node.recorded.take();
            assert!(reached.iter().all(|reached| reached == body.as_bytes()), "{text}: {reached:?}");
            if text.contains("/record") && status == 200 {
                assert_eq!((reached.len(), String::from_utf8_lossy(&answer.body).as_ref()), (1, body), "{text}");
            }
            assert_eq!(client.ask(get("/echo?next")).body, b"next", "the next request, after {text}");
        });
    }

    /// Waited for: no answer, and when the client ends there is none either, and nothing reached the action.
    #[track_caller]
    fn awaited(&mut self, bytes: impl AsRef<[u8]>) {
        let text = bytes.as_ref().escape_ascii().to_string();
        self.each_way(bytes.as_ref(), |node, mut client| {
            client.finish_sending();
            let rest = client.rest();
            assert!(rest.is_empty(), "{text}: {}", rest.escape_ascii());
            assert!(node.recorded.take().is_empty(), "a part of it reached the action: {text}");
        });
    }

    /// The last line of a test: what was promised is there, and the node is as it was.
    #[track_caller]
    fn stood(self, cases_min: usize) {
        assert!(self.cases >= cases_min, "{} cases", self.cases);
        self.node.until_quiet();
    }
}

/// A GET with one more line.
fn with(line: &str) -> String {
    format!("GET /ping HTTP/1.1\r\nHost: test\r\n{line}\r\n\r\n")
}

/// A POST to the action that records, with these lines.
fn post(lines: &str, body: &str) -> String {
    format!("POST /record HTTP/1.1\r\nHost: test\r\n{lines}\r\n\r\n{body}")
}

fn chunked(body: &str) -> String {
    post("Transfer-Encoding: chunked", body)
}
