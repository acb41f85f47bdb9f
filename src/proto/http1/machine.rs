//! One connection's requests, from bytes: what is whole, what is missing, what is refused.
//! Never here: a buffer of a connection that waits; a copy of a request that arrived in one piece.

use std::borrow::Cow;
use std::mem;

use crate::core::bounds::HEADERS_MAX;
use crate::core::fault::Fault;
use crate::core::method::Method;
use crate::proto::request::Request;

use super::chunked::{BodyReader, Dechunker, Progress};
use super::framing::{Expectation, Length};
use super::head::{Head, HeaderTable, Scan};
use super::{BodyMode, Limits, Persistence, Version, Wire};

/// The reading side of one connection. It holds no heap between requests.
pub struct Machine {
    limits: Limits,
    phase: Phase,
    /// The current request as far as it arrived in pieces: its head, the content of its body, what is not decoded yet.
    buf: Vec<u8>,
    /// Path of the current request, if decoding changed it.
    path: String,
}

const _: () = assert!(size_of::<Machine>() <= 96, "every idle connection pays for it");

/// What became of some bytes.
pub struct Advance<'m> {
    /// How many of the given bytes are done with; the rest belong to the next call.
    pub consumed: usize,
    pub event: Event<'m>,
}

pub enum Event<'m> {
    /// All bytes are consumed; the enum says for what the peer is awaited.
    NeedMore(Awaiting),
    /// The client waits for `CONTINUE` before it sends the body. At most once a request.
    SendContinue,
    Request {
        request: Request<'m>,
        wire: Wire,
    },
    /// The last event of this connection: whatever the fault, bytes behind it have no certain meaning.
    Fault {
        fault: Fault,
        wire: Wire,
    },
}

/// Which deadline applies while bytes are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaiting {
    /// Nothing of a request has arrived.
    Request,
    Head,
    Body,
}

enum Phase {
    /// Between requests, or within a head.
    Head(Scan),
    /// Boxed, so that idle connections do not pay for it.
    Body(Box<PartialBody>),
    /// A request was handed out; what it borrowed is released by the next call.
    Served(Persistence),
    /// Further bytes are ignored.
    Closed,
}

struct PartialBody {
    /// Length of the head at the front of the buffer.
    head_bytes: usize,
    reader: BodyReader,
}

impl Machine {
    /// # Panics
    /// If the limits contradict each other; the configuration is checked before.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        assert!(limits.headers_max <= HEADERS_MAX && limits.target_bytes_max < limits.head_bytes_max);
        Self { limits, phase: Phase::Head(Scan::NEW), buf: Vec::new(), path: String::new() }
    }

    /// Reads on in `bytes`: what was received, then what the call before did not consume (perhaps nothing), until
    /// `NeedMore`. A request that lies whole in `bytes` is read in place and borrows them.
    ///
    /// `body_max` is asked once for each request that announces a body, before any of it is read. Its fault, like any
    /// other, ends the connection, because the body that follows is not read.
    pub fn advance<'m>(
        &'m mut self,
        bytes: &'m mut [u8],
        table: &'m mut HeaderTable<'m>,
        body_max: impl FnOnce(Method, &str) -> Result<usize, Fault>,
    ) -> Advance<'m> {
        let consumed = bytes.len();
        let scan = match mem::replace(&mut self.phase, Phase::Closed) {
            Phase::Head(scan) => scan,
            Phase::Served(Persistence::KeepAlive) => {
                self.release();
                Scan::NEW
            }
            Phase::Served(Persistence::Close) | Phase::Closed => {
                self.release();
                return Advance { consumed, event: Event::NeedMore(Awaiting::Request) };
            }
            Phase::Body(partial) => {
                let wire = refusal_wire(&self.buf);
                self.buf.extend_from_slice(bytes);
                let advance = self.read_body(partial, Expectation::None, consumed, table);
                return advance.unwrap_or_else(|fault| refuse(fault, wire, consumed));
            }
        };
        // From here on `phase` is `Closed` unless a request or a part of one is left: a fault needs no second look.
        if self.buf.is_empty() {
            let wire = refusal_wire(bytes);
            self.read_in_place(scan, bytes, table, body_max).unwrap_or_else(|fault| refuse(fault, wire, consumed))
        } else {
            self.buf.extend_from_slice(bytes);
            let wire = refusal_wire(&self.buf);
            self.read_buffered(scan, consumed, table, body_max).unwrap_or_else(|fault| refuse(fault, wire, consumed))
        }
    }

    /// How the request that is not whole yet would be refused.
    #[must_use]
    pub fn refusal_wire(&self) -> Wire {
        refusal_wire(&self.buf)
    }

    /// Whether no part of a request is inside.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        match self.phase {
            Phase::Head(_) => self.buf.is_empty(),
            Phase::Body(_) => false,
            Phase::Served(_) | Phase::Closed => true,
        }
    }

    /// The bytes of a head that is not whole yet, so that another machine can go on with them; empty when there are none.
    /// A request whose body is on its way cannot be moved.
    pub fn take_unread(&mut self) -> Vec<u8> {
        match self.phase {
            Phase::Head(_) => {
                self.phase = Phase::Head(Scan::NEW);
                mem::take(&mut self.buf)
            }
            Phase::Body(_) | Phase::Served(_) | Phase::Closed => Vec::new(),
        }
    }

    /// What was refused, for whoever knows another protocol: the bytes from the first on. `given` is what the last call had.
    pub fn refused(&mut self, given: &[u8]) -> &[u8] {
        if self.buf.is_empty() {
            self.buf.extend_from_slice(given);
        }
        &self.buf
    }

    /// The bytes that `refused` has shown.
    pub fn take_refused(&mut self) -> Vec<u8> {
        mem::take(&mut self.buf)
    }

    fn release(&mut self) {
        self.buf = Vec::new();
        self.path = String::new();
    }

    /// The usual case: nothing is buffered, the request is looked for where the bytes lie.
    fn read_in_place<'m>(
        &'m mut self,
        mut scan: Scan,
        bytes: &'m mut [u8],
        table: &'m mut HeaderTable<'m>,
        body_max: impl FnOnce(Method, &str) -> Result<usize, Fault>,
    ) -> Result<Advance<'m>, Fault> {
        let given = bytes.len();
        let skipped = scan.skip_empty_line(bytes);
        let bytes = bytes.get_mut(skipped..).unwrap_or_default();
        let Some(head_bytes) = scan.head_end(bytes, &self.limits)? else {
            self.buf.extend_from_slice(bytes);
            self.phase = Phase::Head(scan);
            let awaiting = if bytes.is_empty() { Awaiting::Request } else { Awaiting::Head };
            return Ok(Advance { consumed: given, event: Event::NeedMore(awaiting) });
        };
        let (text, raw) = bytes.split_at_mut(head_bytes);
        let text: &'m [u8] = text;
        let head = Head::read(text, table, &self.limits)?;
        let mut reader = open_body(&head, body_max)?;
        match reader.take(raw)? {
            Progress::Whole { body_bytes, wire_bytes } => {
                self.phase = Phase::Served(head.framing.persistence);
                let body = raw.get_mut(..body_bytes).unwrap_or_default();
                let event = request(head, body, &mut self.path);
                Ok(Advance { consumed: skipped + head_bytes + wire_bytes, event })
            }
            Progress::Partial { kept, read } => {
                let event = body_event(head.framing.expectation, raw);
                for part in [text, raw.get(..kept).unwrap_or_default(), raw.get(read..).unwrap_or_default()] {
                    self.buf.extend_from_slice(part);
                }
                self.phase = Phase::Body(Box::new(PartialBody { head_bytes, reader }));
                Ok(Advance { consumed: given, event })
            }
        }
    }

    /// A head that came in pieces. It is read here for its framing, and once more when its request is handed out: what
    /// is read borrows the buffer, and the buffer grows until then.
    fn read_buffered<'m>(
        &'m mut self,
        mut scan: Scan,
        given: usize,
        table: &'m mut HeaderTable<'m>,
        body_max: impl FnOnce(Method, &str) -> Result<usize, Fault>,
    ) -> Result<Advance<'m>, Fault> {
        let skipped = scan.skip_empty_line(&self.buf);
        self.buf.drain(..skipped);
        if self.buf.is_empty() {
            self.release();
            self.phase = Phase::Head(scan);
            return Ok(Advance { consumed: given, event: Event::NeedMore(Awaiting::Request) });
        }
        let Some(head_bytes) = scan.head_end(&self.buf, &self.limits)? else {
            self.phase = Phase::Head(scan);
            return Ok(Advance { consumed: given, event: Event::NeedMore(Awaiting::Head) });
        };
        let mut scratch = HeaderTable::new();
        let text = self.buf.get(..head_bytes).unwrap_or_default();
        let head = Head::read(text, &mut scratch, &self.limits)?;
        let partial = Box::new(PartialBody { head_bytes, reader: open_body(&head, body_max)? });
        let expectation = head.framing.expectation;
        self.read_body(partial, expectation, given, table)
    }

    /// The body behind a head in the buffer, which has just grown by `given` bytes. `expectation` is what the client still
    /// waits for.
    fn read_body<'m>(
        &'m mut self,
        mut partial: Box<PartialBody>,
        expectation: Expectation,
        given: usize,
        table: &'m mut HeaderTable<'m>,
    ) -> Result<Advance<'m>, Fault> {
        let head_bytes = partial.head_bytes;
        let raw = self.buf.get_mut(head_bytes..).unwrap_or_default();
        match partial.reader.take(raw)? {
            Progress::Partial { kept, read } => {
                let event = body_event(expectation, raw);
                self.buf.drain(head_bytes + kept..head_bytes + read);
                self.phase = Phase::Body(partial);
                Ok(Advance { consumed: given, event })
            }
            Progress::Whole { body_bytes, wire_bytes } => {
                let (text, raw) = self.buf.split_at_mut(head_bytes);
                // What is left over came with the last bytes: with any earlier ones the request would have been whole.
                let left_over = raw.len() - wire_bytes;
                assert!(left_over <= given, "bytes of the next request were consumed too early");
                let head = Head::read(text, table, &self.limits)?;
                self.phase = Phase::Served(head.framing.persistence);
                let body = raw.get_mut(..body_bytes).unwrap_or_default();
                Ok(Advance { consumed: given - left_over, event: request(head, body, &mut self.path) })
            }
        }
    }
}

/// How a refused request is answered. Its head may be unread or wrong, so only what the answer cannot do without is
/// taken from it: a HEAD gets no body. The version matters to answers that stay open, and this one closes.
fn refusal_wire(bytes: &[u8]) -> Wire {
    // However many empty lines are the reason of the refusal.
    let mut line = bytes;
    while let Some(next) = line.strip_prefix(b"\r\n") {
        line = next;
    }
    let body = if line.starts_with(b"HEAD ") { BodyMode::Omit } else { BodyMode::Send };
    Wire { version: Version::Http11, persistence: Persistence::Close, body }
}

const fn refuse<'m>(fault: Fault, wire: Wire, consumed: usize) -> Advance<'m> {
    Advance { consumed, event: Event::Fault { fault, wire } }
}

fn open_body(
    head: &Head<'_>,
    body_max: impl FnOnce(Method, &str) -> Result<usize, Fault>,
) -> Result<BodyReader, Fault> {
    let length = match head.framing.length {
        Length::Sized(0) => return Ok(BodyReader::Sized { bytes: 0 }),
        Length::Sized(length) => Some(length),
        Length::Chunked => None,
    };
    let bytes_max = body_max(head.method, &head.path)?;
    let Some(length) = length else {
        return Ok(BodyReader::Chunked(Dechunker::new(bytes_max)));
    };
    match usize::try_from(length) {
        Ok(bytes) if bytes <= bytes_max => Ok(BodyReader::Sized { bytes }),
        _ => Err(Fault::BodyTooLarge { bytes_max }),
    }
}

/// RFC 9110 §10.1.1: no 100 is needed once a part of the body has arrived.
const fn body_event<'m>(expectation: Expectation, raw: &[u8]) -> Event<'m> {
    match expectation {
        Expectation::Continue if raw.is_empty() => Event::SendContinue,
        Expectation::Continue | Expectation::None => Event::NeedMore(Awaiting::Body),
    }
}

fn request<'m>(head: Head<'m>, body: &'m mut [u8], decoded: &'m mut String) -> Event<'m> {
    let wire = head.wire();
    let path = match head.path {
        Cow::Borrowed(path) => path,
        Cow::Owned(path) => {
            *decoded = path;
            decoded
        }
    };
    let request = Request { method: head.method, path, query: head.query, headers: head.headers, body };
    Event::Request { request, wire }
}

#[cfg(test)]
mod tests;
