//! A client that sees bytes: it sends what it is told and reads exactly one answer at a time.
//! Never here: leniency. An answer that is not framed as RFC 9112 says fails the test.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use super::PATIENCE;
use super::tls::{Agreed, TlsSocket, agreed};

pub struct Client {
    stream: Carrier,
    /// Received behind the last answer.
    ahead: Vec<u8>,
}

/// What carries a client's bytes.
enum Carrier {
    Plain(TcpStream),
    Tls(Box<TlsSocket>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case, in wire order.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// How the length of an answer's body is known.
enum Framing {
    Sized(usize),
    Chunked,
    UntilClose,
}

impl Client {
    pub fn connect(addr: SocketAddr) -> Self {
        Self::over(TcpStream::connect(addr).expect("the port listens"))
    }

    pub fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a patience above zero");
        stream.set_nodelay(true).expect("a connected socket");
        Self { stream: Carrier::Plain(stream), ahead: Vec::new() }
    }

    pub fn over_tls(stream: TlsSocket) -> Self {
        Self { stream: Carrier::Tls(Box::new(stream)), ahead: Vec::new() }
    }

    /// What the handshake came to.
    ///
    /// # Panics
    /// Without TLS.
    pub fn agreed(&self) -> Agreed {
        match &self.stream {
            Carrier::Plain(_) => panic!("no handshake in the clear"),
            Carrier::Tls(tls) => agreed(&tls.conn),
        }
    }

    /// The session, for what only TLS can say.
    ///
    /// # Panics
    /// Without TLS.
    pub fn tls(&mut self) -> &mut TlsSocket {
        match &mut self.stream {
            Carrier::Plain(_) => panic!("no session in the clear"),
            Carrier::Tls(tls) => tls,
        }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the server reads");
    }

    /// As `send`, for a server that may have closed already.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// The next answer.
    pub fn answer(&mut self) -> Answer {
        self.try_answer().expect("an answer, but the connection ended")
    }

    /// The next answer, to a HEAD: whatever its headers say, it has no body.
    pub fn head_answer(&mut self) -> Answer {
        let text = self.head().expect("an answer, but the connection ended");
        let (status, headers) = parse_head(&text);
        Answer { status, headers, body: Vec::new() }
    }

    /// The next answer; `None` when the connection ended before its first byte.
    ///
    /// # Panics
    /// When it ends within an answer.
    pub fn try_answer(&mut self) -> Option<Answer> {
        let text = self.head()?;
        let (status, headers) = parse_head(&text);
        let body = match framing(status, &headers) {
            Framing::Sized(bytes) => self.take(bytes),
            Framing::Chunked => self.chunks(),
            Framing::UntilClose => {
                while self.more() {}
                std::mem::take(&mut self.ahead)
            }
        };
        Some(Answer { status, headers, body })
    }

    /// Sends one request and reads its answer.
    pub fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(request);
        self.answer()
    }

    /// Asserts that the server closes in order, with nothing more to say.
    pub fn expect_end(&mut self) {
        assert!(self.ahead.is_empty(), "bytes behind the last answer: {:?}", String::from_utf8_lossy(&self.ahead));
        let mut byte = [0];
        let read = self.stream.read(&mut byte).expect("an end in order");
        assert_eq!(read, 0, "a byte behind the last answer: {byte:?}");
    }

    /// Whether the connection has ended, in whatever way; waits for it.
    pub fn ended(&mut self) -> bool {
        let mut bytes = [0; 4096];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() == ErrorKind::ConnectionReset,
            }
        }
    }

    /// Waits until these bytes were received, and takes them and all before them.
    pub fn expect_bytes(&mut self, bytes: &[u8]) {
        loop {
            if let Some(at) = find(&self.ahead, bytes) {
                self.take(at + bytes.len());
                return;
            }
            assert!(self.more(), "{:?} did not come", String::from_utf8_lossy(bytes));
        }
    }

    /// Everything until the server closes.
    pub fn rest(&mut self) -> Vec<u8> {
        while self.more() {}
        std::mem::take(&mut self.ahead)
    }

    pub fn finish_sending(&self) {
        self.stream.socket().shutdown(Shutdown::Write).expect("a connected socket");
    }

    /// Leaves with a reset instead of an end in order.
    pub fn reset(self) {
        let socket = socket2::SockRef::from(self.stream.socket());
        socket.set_linger(Some(std::time::Duration::ZERO)).expect("a connected socket");
    }

    pub fn second_handle(&self) -> TcpStream {
        self.stream.socket().try_clone().expect("a descriptor is free")
    }

    fn head(&mut self) -> Option<String> {
        let mut searched = 0;
        let end = loop {
            if let Some(at) = find(&self.ahead[searched..], b"\r\n\r\n") {
                break searched + at + 4;
            }
            searched = self.ahead.len().saturating_sub(3);
            if !self.more() {
                assert!(self.ahead.is_empty(), "cut off in a head: {:?}", String::from_utf8_lossy(&self.ahead));
                return None;
            }
        };
        let head = self.take(end);
        Some(String::from_utf8(head).expect("a head is ASCII"))
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = self.line();
            let bytes = usize::from_str_radix(&line, 16).unwrap_or_else(|_| panic!("no chunk size: {line:?}"));
            body.extend_from_slice(&self.take(bytes));
            assert_eq!(self.take(2), b"\r\n", "behind a chunk");
            if bytes == 0 {
                return body;
            }
        }
    }

    fn line(&mut self) -> String {
        loop {
            if let Some(end) = find(&self.ahead, b"\r\n") {
                let line = self.take(end + 2);
                return String::from_utf8_lossy(&line[..end]).into_owned();
            }
            assert!(self.more(), "cut off in a line");
        }
    }

    fn take(&mut self, bytes: usize) -> Vec<u8> {
        while self.ahead.len() < bytes {
            assert!(self.more(), "cut off {} bytes before the end", bytes - self.ahead.len());
        }
        let rest = self.ahead.split_off(bytes);
        std::mem::replace(&mut self.ahead, rest)
    }

    /// Receives more; false at the end, and at a reset, which may follow an answer that closes.
    fn more(&mut self) -> bool {
        let mut bytes = [0; 64 * 1024];
        match self.stream.read(&mut bytes) {
            Ok(read) => {
                self.ahead.extend_from_slice(&bytes[..read]);
                read > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("waiting for an answer: {error}"),
        }
    }
}

impl Carrier {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => &tls.sock,
        }
    }
}

impl Read for Carrier {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(bytes),
            Self::Tls(tls) => tls.read(bytes),
        }
    }
}

impl Write for Carrier {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known == name);
        let first = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} is there twice");
        first
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(&self.body)))
    }

    /// Asserts the one error form, and answers the code in it.
    pub fn error_code(&self) -> u64 {
        let json = self.json();
        let object = json.as_object().expect("an error is an object");
        let names: Vec<&str> = object.keys().map(String::as_str).collect();
        assert_eq!(names, ["code", "message", "request_id"], "{json}");
        assert!(json["message"].as_str().is_some_and(|message| !message.is_empty()), "{json}");
        assert_eq!(json["request_id"].as_str(), self.header("x-request-id"), "{json}");
        assert_eq!(self.header("content-type"), Some("application/json; charset=utf-8"));
        let code = json["code"].as_u64().expect("a code is a number");
        assert_eq!(code / 100, u64::from(self.status), "a code begins with its status");
        code
    }

    pub fn closes(&self) -> bool {
        self.header("connection") == Some("close")
    }
}

/// A GET of HTTP/1.1.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")
}

/// A GET with a token.
pub fn get_as(path: &str, token: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {token}\r\n\r\n")
}

/// A POST of JSON.
pub fn post(path: &str, body: &str) -> String {
    let bytes = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: {bytes}\r\n\r\n{body}"
    )
}

fn parse_head(text: &str) -> (u16, Vec<(String, String)>) {
    let mut lines = text.trim_end_matches("\r\n").split("\r\n");
    let start = lines.next().unwrap_or_default();
    let status = start.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no status line: {start:?}"));
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("no header: {line:?}"));
        (name.to_ascii_lowercase(), value.to_owned())
    });
    (status, headers.collect())
}

/// RFC 9112 §6.3, as a client reads it.
fn framing(status: u16, headers: &[(String, String)]) -> Framing {
    let value = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    if matches!(status, 100..=199 | 204 | 304) {
        return Framing::Sized(0);
    }
    match (value("transfer-encoding"), value("content-length")) {
        (Some("chunked"), None) => Framing::Chunked,
        (None, Some(length)) => Framing::Sized(length.parse().expect("a length is a number")),
        (None, None) => Framing::UntilClose,
        (coding, length) => panic!("transfer-encoding {coding:?} with content-length {length:?}"),
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
