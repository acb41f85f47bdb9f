//! A blocking HTTP client that shows exactly what came back, and small helpers around it.
//! Never here: a wait without a bound.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Longer than any answer may take on a busy machine; only a hang meets it.
const PATIENCE: Duration = Duration::from_secs(60);

/// One connection.
pub struct Client {
    stream: TcpStream,
    seen: Vec<u8>,
}

/// One answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A request to be written.
pub struct Ask {
    method: &'static str,
    target: String,
    headers: String,
    body: Vec<u8>,
}

impl Client {
    pub fn connect(addr: SocketAddr) -> Self {
        Self::over(TcpStream::connect(addr).expect("a listener"))
    }

    pub fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        Self { stream, seen: Vec::new() }
    }

    pub fn ask(&mut self, ask: &Ask) -> Answer {
        self.send(ask);
        self.receive()
    }

    pub fn get(&mut self, target: &str, token: &str) -> Answer {
        self.ask(&get(target).token(token))
    }

    pub fn post(&mut self, target: &str, body: &str) -> Answer {
        self.ask(&post(target, body))
    }

    pub fn send(&mut self, ask: &Ask) {
        self.send_raw(&ask.bytes());
    }

    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("a writable socket");
    }

    pub fn receive(&mut self) -> Answer {
        loop {
            if let Some(answer) = self.take_answer() {
                return answer;
            }
            let mut piece = [0; 16 * 1024];
            match self.stream.read(&mut piece) {
                Ok(0) => panic!("closed before the answer was whole: {:?}", String::from_utf8_lossy(&self.seen)),
                Ok(count) => self.seen.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("no answer: {error}"),
            }
        }
    }

    fn take_answer(&mut self) -> Option<Answer> {
        let head_len = self.seen.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let head = std::str::from_utf8(&self.seen[..head_len]).expect("an ASCII head");
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").expect("a header"))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length: usize = length.map_or(0, |(_, value)| value.parse().expect("a length"));
        if self.seen.len() < head_len + length {
            return None;
        }
        let answer = Answer {
            status: status.expect("a status line"),
            headers,
            body: self.seen[head_len..head_len + length].to_vec(),
        };
        self.seen.drain(..head_len + length);
        Some(answer)
    }
}

pub fn get(target: &str) -> Ask {
    Ask { method: "GET", target: target.to_owned(), headers: String::new(), body: Vec::new() }
}

pub fn post(target: &str, body: &str) -> Ask {
    let ask = Ask { method: "POST", target: target.to_owned(), headers: String::new(), body: body.into() };
    ask.header("content-type", "application/json")
}

/// A POST that says nothing of its body's type.
pub fn untyped_post(target: &str, body: &[u8]) -> Ask {
    Ask { method: "POST", target: target.to_owned(), headers: String::new(), body: body.into() }
}

impl Ask {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers += &format!("{name}: {value}\r\n");
        self
    }

    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn bytes(&self) -> Vec<u8> {
        let Self { method, target, headers, body } = self;
        let length = if *method == "GET" { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        let mut bytes = format!("{method} {target} HTTP/1.1\r\nhost: shop\r\n{headers}{length}\r\n").into_bytes();
        bytes.extend_from_slice(body);
        bytes
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        let parsed = serde_json::from_slice(&self.body);
        parsed.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// `data` of a successful answer.
    pub fn data(&self) -> Value {
        let json = self.json();
        assert_eq!((self.status, &json["code"]), (200, &Value::from(0)), "{json}");
        json["data"].clone()
    }

    /// Status and code of a refusal; what all refusals have is checked.
    pub fn refusal(&self) -> (u16, u64) {
        let json = self.json();
        let code = json["code"].as_u64().expect("a code");
        assert_eq!(code / 100, u64::from(self.status), "{json}");
        assert!(json["message"].is_string() && json["request_id"].is_string(), "{json}");
        (self.status, code)
    }
}
