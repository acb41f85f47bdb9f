//! The one answer that every floor and peer gives: a synthetic one, or one captured from the gateway, so that sizes are equal.
//! Never here: a decision by request. A floor does not look at what it is asked.

use std::io::{self, Error, ErrorKind};

/// Body of the 27-byte workload.
const HELLO: &[u8] = br#"{"message":"Hello, World!"}"#;
/// From this size on the gateway's answers come from its cache and carry an entity tag.
const ETAG_BODY_BYTES_MIN: usize = 512;

/// A 200 with its header fields, in order, and its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The fields that the gateway sends, with fixed values of the usual length.
    pub fn synthetic(body_bytes: usize) -> Self {
        Self::with_body(json_of(body_bytes))
    }

    /// A list of products as the demo gives it, because a filler would compress to nothing.
    pub fn synthetic_list(items: u64) -> Self {
        let item = |n: u64| {
            let (price, stock) = (990 + n * 7919 % 50_000, 500 + n * 37 % 1000);
            format!(r#"{{"id":{n},"name":"景德镇月白手工陶杯 {n:04} 号","price":{price},"stock":{stock}}}"#)
        };
        let items: Vec<String> = (1..=items).map(item).collect();
        Self::with_body(format!(r#"{{"items":[{}],"page":1,"has_more":true}}"#, items.join(",")).into_bytes())
    }

    fn with_body(body: Vec<u8>) -> Self {
        let mut headers = vec![
            field("content-type", "application/json"),
            field("content-length", &body.len().to_string()),
            field("date", "Thu, 01 Jan 2026 00:00:00 GMT"),
            field("x-request-id", "0123456789abcdef"),
        ];
        if body.len() >= ETAG_BODY_BYTES_MIN {
            headers.push(field("etag", "\"0123456789abcdef\""));
        }
        Self { headers, body }
    }

    /// Takes a captured answer apart. Fails when it is not a 200 with as many body bytes as `content-length` says.
    pub fn from_bytes(bytes: &[u8]) -> io::Result<Self> {
        let bad = |what: &str| Error::new(ErrorKind::InvalidData, format!("captured answer: {what}"));
        let head_bytes = bytes.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(|| bad("head has no end"))?;
        let head = std::str::from_utf8(&bytes[..head_bytes]).map_err(|_| bad("head is not text"))?;
        let mut lines = head.split("\r\n");
        if lines.next() != Some("HTTP/1.1 200 OK") {
            return Err(bad("status line must be HTTP/1.1 200 OK"));
        }
        let headers: Option<Vec<_>> = lines.map(|line| line.split_once(": ").map(|(n, v)| field(n, v))).collect();
        let answer = Self {
            headers: headers.ok_or_else(|| bad("a field has no colon"))?,
            body: bytes[head_bytes + 4..].to_vec(),
        };
        if answer.header("content-length") != Some(&*answer.body.len().to_string()) {
            return Err(bad("content-length must equal the length of the body"));
        }
        Ok(answer)
    }

    /// The bytes on the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = b"HTTP/1.1 200 OK\r\n".to_vec();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Value of the first field of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The fields that a peer does not write by itself. Servers add `date`, `server` and `content-length` of their own.
    pub fn own_headers(&self) -> impl Iterator<Item = &(String, String)> {
        let added = |name: &str| {
            ["date", "server", "content-length", "connection"].iter().any(|n| n.eq_ignore_ascii_case(name))
        };
        self.headers.iter().filter(move |(name, _)| !added(name))
    }
}

fn field(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn json_of(body_bytes: usize) -> Vec<u8> {
    if body_bytes == HELLO.len() {
        return HELLO.to_vec();
    }
    // Shorter than its own frame there is no JSON left, and only the length matters.
    let mut body = br#"{"code":0,"message":"ok","data":""#.to_vec();
    let end = br#""}"#;
    let filler = body_bytes.saturating_sub(body.len() + end.len());
    body.resize(body.len() + filler, b'x');
    body.extend_from_slice(end);
    body.truncate(body_bytes);
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_synthetic_body_has_the_length_asked_for() {
        for body_bytes in [0, 1, 26, 27, 28, 35, 36, 511, 512, 1024] {
            let answer = Answer::synthetic(body_bytes);
            assert_eq!(answer.body.len(), body_bytes);
            assert_eq!(answer.header("ETag").is_some(), body_bytes >= 512);
        }
        assert_eq!(Answer::synthetic(27).body, HELLO);
        assert!(serde_json::from_slice::<serde_json::Value>(&Answer::synthetic(1024).body).is_ok());
    }

    #[test]
    fn a_synthetic_list_is_json_of_about_nine_kilobytes() {
        let list = Answer::synthetic_list(114);
        assert!((8_000..10_000).contains(&list.body.len()), "{}", list.body.len());
        assert!(serde_json::from_slice::<serde_json::Value>(&list.body).is_ok());
        assert_eq!(Answer::from_bytes(&list.to_bytes()).unwrap(), list);
    }

    #[test]
    fn a_captured_answer_comes_back_byte_for_byte() {
        let bytes = Answer::synthetic(1024).to_bytes();
        assert_eq!(Answer::from_bytes(&bytes).unwrap().to_bytes(), bytes);
    }

    #[test]
    fn a_capture_that_no_floor_may_repeat_is_refused() {
        let check = |bytes: &[u8], reason: &str| {
            let error = Answer::from_bytes(bytes).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        };
        check(b"HTTP/1.1 200 OK\r\n", "no end");
        check(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "status line");
        check(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{", "must equal");
        check(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n{", "must equal");
        check(b"HTTP/1.1 200 OK\r\nbroken\r\n\r\n", "no colon");
    }
}
