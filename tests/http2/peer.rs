//! A client of HTTP/2 that sees frames: it sends what it is told, right or wrong, and shows what came back.
//! Never here: leniency, a window that opens by itself.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::support::PATIENCE;
use crate::support::tls::TlsSocket;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub mod kind {
    pub const DATA: u8 = 0x0;
    pub const HEADERS: u8 = 0x1;
    pub const PRIORITY: u8 = 0x2;
    pub const RST_STREAM: u8 = 0x3;
    pub const SETTINGS: u8 = 0x4;
    pub const PING: u8 = 0x6;
    pub const GOAWAY: u8 = 0x7;
    pub const WINDOW_UPDATE: u8 = 0x8;
    pub const CONTINUATION: u8 = 0x9;
}

pub const ACK: u8 = 0x1;
pub const END_STREAM: u8 = 0x1;
pub const END_HEADERS: u8 = 0x4;

/// RFC 9113 §7.
pub mod code {
    pub const NO_ERROR: u32 = 0x0;
    pub const PROTOCOL_ERROR: u32 = 0x1;
    pub const STREAM_CLOSED: u32 = 0x5;
    pub const FRAME_SIZE_ERROR: u32 = 0x6;
    pub const REFUSED_STREAM: u32 = 0x7;
    pub const CANCEL: u32 = 0x8;
    pub const COMPRESSION_ERROR: u32 = 0x9;
    pub const ENHANCE_YOUR_CALM: u32 = 0xb;
}

const HEADER_TABLE_SIZE: u16 = 0x1;
pub const INITIAL_WINDOW_SIZE: u16 = 0x4;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// What came on one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Zero until there is one.
    pub status: u16,
    pub body: Vec<u8>,
    pub ended: bool,
    pub reset: Option<u32>,
}

/// What carries a client's bytes.
trait Carrier: Read + Write + Send {}
impl<C: Read + Write + Send> Carrier for C {}

pub struct Peer {
    stream: Box<dyn Carrier>,
    socket: TcpStream,
    answers: HashMap<u32, Answer>,
    /// Reasons of the GOAWAYs so far, with the last stream that each names.
    pub goodbyes: Vec<(u32, u32)>,
    pub pongs: usize,
}

impl Peer {
    /// Says the preface and reads the server's settings.
    pub fn begin(addr: SocketAddr) -> Self {
        Self::begin_with(addr, &[])
    }

    /// As `begin`, with settings of its own.
    pub fn begin_with(addr: SocketAddr, settings: &[(u16, u32)]) -> Self {
        Self::connect(addr).greet(settings)
    }

    /// Says the preface and reads the server's settings.
    pub fn greet(self, settings: &[(u16, u32)]) -> Self {
        let mut peer = self;
        peer.send(PREFACE);
        // Without a table of known fields an answer's status is always spelled out.
        let all = [&[(HEADER_TABLE_SIZE, 0)], settings].concat();
        let payload: Vec<u8> =
            all.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect();
        peer.say(kind::SETTINGS, 0, 0, &payload);
        let first = peer.frame().expect("the server's settings");
        assert_eq!((first.kind, first.flags), (kind::SETTINGS, 0), "settings come first");
        peer.say(kind::SETTINGS, ACK, 0, &[]);
        peer
    }

    /// Says nothing yet.
    pub fn connect(addr: SocketAddr) -> Self {
        Self::over(TcpStream::connect(addr).expect("the port listens"))
    }

    /// As `connect`, on a connection that is there.
    pub fn over(stream: TcpStream) -> Self {
        let socket = stream.try_clone().expect("a descriptor is free");
        Self::carried(Box::new(stream), socket)
    }

    /// As `connect`, behind TLS.
    pub fn over_tls(stream: TlsSocket) -> Self {
        let socket = stream.sock.try_clone().expect("a descriptor is free");
        Self::carried(Box::new(stream), socket)
    }

    fn carried(stream: Box<dyn Carrier>, socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).expect("a patience above zero");
        socket.set_write_timeout(Some(PATIENCE)).expect("a patience above zero");
        socket.set_nodelay(true).expect("a connected socket");
        Self { stream, socket, answers: HashMap::new(), goodbyes: Vec::new(), pongs: 0 }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }

    /// As `send`, for a server that may have closed already.
    pub fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    pub fn say(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.send(&frame(kind, flags, stream, payload));
    }

    pub fn get(&mut self, stream: u32, path: &str) {
        self.send(&request(stream, "GET", path, &[], END_STREAM));
    }

    /// As `get`, from a server that may have closed already.
    pub fn try_get(&mut self, stream: u32, path: &str) -> bool {
        self.try_send(&request(stream, "GET", path, &[], END_STREAM))
    }

    /// A request with its body in one frame.
    pub fn post(&mut self, stream: u32, path: &str, body: &[u8]) {
        self.send(&[request(stream, "POST", path, &[], 0), frame(kind::DATA, END_STREAM, stream, body)].concat());
    }

    /// Opens the window of a stream, or of the connection.
    pub fn open(&mut self, stream: u32, increment: u32) {
        self.say(kind::WINDOW_UPDATE, 0, stream, &increment.to_be_bytes());
    }

    /// The answer on a stream, once it is whole or reset.
    pub fn answer(&mut self, stream: u32) -> Answer {
        self.until(|peer| peer.is_over(stream));
        self.answers.remove(&stream).expect("waited for above")
    }

    /// Whether nothing more will come on a stream, as far as frames have been read.
    pub fn is_over(&self, stream: u32) -> bool {
        self.answers.get(&stream).is_some_and(|answer| answer.ended || answer.reset.is_some())
    }

    /// The status of a stream's answer, as soon as its head is here.
    pub fn status(&mut self, stream: u32) -> u16 {
        self.until(|peer| peer.answers.get(&stream).is_some_and(|answer| answer.status != 0));
        self.answers[&stream].status
    }

    /// Body bytes of a stream so far.
    pub fn received(&self, stream: u32) -> usize {
        self.answers.get(&stream).map_or(0, |answer| answer.body.len())
    }

    /// Asks and waits for the echo: everything sent before has been worked on.
    pub fn ping(&mut self) {
        let pongs = self.pongs;
        self.say(kind::PING, 0, 0, b"are you?");
        self.until(|peer| peer.pongs > pongs);
    }

    /// Reads until the connection ends; the reason of its last GOAWAY.
    pub fn goodbye(&mut self) -> Option<u32> {
        while self.step() {}
        self.goodbyes.last().map(|(reason, _)| *reason)
    }

    /// For what is not a frame.
    pub fn second_handle(&self) -> TcpStream {
        self.socket.try_clone().expect("a descriptor is free")
    }

    /// As `answer`, from a server that may end the connection instead.
    pub fn try_answer(&mut self, stream: u32) -> Option<Answer> {
        while !self.is_over(stream) {
            if !self.step() {
                return None;
            }
        }
        self.answers.remove(&stream)
    }

    /// Reads until `done`.
    pub fn until(&mut self, done: impl Fn(&Self) -> bool) {
        while !done(self) {
            assert!(self.step(), "the connection ended, after {:?}", self.goodbyes);
        }
    }

    /// Takes one frame in. False when the connection has ended.
    fn step(&mut self) -> bool {
        let Some(frame) = self.frame() else { return false };
        let number =
            |at: usize| frame.payload.get(at..at + 4).map_or(0, |bytes| u32::from_be_bytes(bytes.try_into().unwrap()));
        let answer = self.answers.entry(frame.stream).or_default();
        let ends = frame.flags & END_STREAM != 0;
        match frame.kind {
            kind::HEADERS => {
                assert!(frame.flags & END_HEADERS != 0, "heads of ours fit one frame");
                let status = status(&frame.payload);
                // An interim answer is followed by another.
                answer.status = if status == 100 { 0 } else { status };
                answer.ended |= ends;
            }
            kind::DATA => {
                answer.body.extend_from_slice(&frame.payload);
                answer.ended |= ends;
            }
            kind::RST_STREAM => answer.reset = Some(number(0)),
            kind::GOAWAY => self.goodbyes.push((number(4), number(0))),
            kind::PING if frame.flags & ACK != 0 => self.pongs += 1,
            kind::PING => self.say(kind::PING, ACK, 0, &frame.payload),
            kind::SETTINGS | kind::WINDOW_UPDATE => {}
            other => panic!("a server does not send frames of kind {other}"),
        }
        true
    }

    fn frame(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.read(&mut head)?;
        let [a, b, c, kind, flags, e, f, g, h] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.read(&mut payload)?;
        Some(Frame { kind, flags, stream: u32::from_be_bytes([e, f, g, h]), payload })
    }

    fn read(&mut self, buf: &mut [u8]) -> Option<()> {
        match self.stream.read_exact(buf) {
            Ok(()) => Some(()),
            Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => None,
            Err(error) => panic!("nothing came: {error}"),
        }
    }
}

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
    out
}

/// The head of a request as one frame.
pub fn request(stream: u32, method: &str, path: &str, more: &[(&str, &str)], flags: u8) -> Vec<u8> {
    let pseudo = [(":method", method), (":scheme", "http"), (":authority", "test"), (":path", path)];
    frame(kind::HEADERS, END_HEADERS | flags, stream, &block(&[&pseudo, more].concat()))
}

/// Fields as literals that nobody remembers (RFC 7541 §6.2.2).
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        for text in [name, value] {
            integer(&mut out, text.len());
            out.extend_from_slice(text.as_bytes());
        }
    }
    out
}

/// RFC 7541 §5.1, seven bits of prefix.
fn integer(out: &mut Vec<u8>, number: usize) {
    if number < 127 {
        return out.push(number as u8);
    }
    out.push(127);
    let mut rest = number - 127;
    while rest >= 128 {
        out.push(rest as u8 | 128);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// The status is the first field of a head; before it there may be an update of the table's size.
fn status(block: &[u8]) -> u16 {
    match block {
        [0x20..=0x3f, rest @ ..] => status(rest),
        // RFC 7541 Appendix A.
        [known @ 0x88..=0x8e, ..] => [200, 204, 206, 304, 400, 404, 500][usize::from(known - 0x88)],
        [0x08 | 0x18 | 0x48, text @ ..] => digits(text),
        other => panic!("no status: {other:02x?}"),
    }
}

/// A text of digits, plain or as Huffman codes (RFC 7541 Appendix B): 0 to 2 have five bits, 3 to 9 six.
fn digits(text: &[u8]) -> u16 {
    let (len, huffman) = (usize::from(text[0] & 0x7f), text[0] & 0x80 != 0);
    let bytes = &text[1..=len];
    if !huffman {
        return std::str::from_utf8(bytes).unwrap().parse().unwrap();
    }
    let bits: Vec<u8> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let (mut at, mut number) = (0, 0);
    for _ in 0..3 {
        let value = |len: usize| bits[at..at + len].iter().fold(0_u16, |value, bit| value << 1 | u16::from(*bit));
        let (digit, len) = if value(5) <= 2 { (value(5), 5) } else { (value(6) - 0b01_1001 + 3, 6) };
        number = number * 10 + digit;
        at += len;
    }
    number
}
