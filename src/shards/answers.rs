//! Answers of one connection on their way out: written into a pooled buffer, booked once, sent together.
//! Never here: an answer without its line in the books, a buffer kept by an idle connection.

use std::net::IpAddr;
use std::rc::Rc;

use crate::actions::desk::{DateText, Desk};
use crate::core::bounds::SEND_BUF_BYTES;
use crate::core::fault::Fault;
use crate::core::hash::KeyHash;
use crate::core::ids::RequestId;
use crate::core::ledger::Outcome;
use crate::core::ledger::access::AccessRecord;
use crate::core::method::Method;
use crate::core::time::Tick;
use crate::net::stream::{SendError, Stream};
use crate::proto::http1::{
    Persistence, ReplyContext, StreamCoding, Wire, imf_fixdate, write_chunk, write_last_chunk, write_reply,
    write_stream_head,
};
use crate::proto::reply::{Body, Chunks, Reply};

use super::pipeline::Tag;

/// Buffers kept for reuse: more connections than this rarely answer within one turn.
const SPARE_BUFS_MAX: usize = 64;

/// In the books, of a request that got no answer.
const NO_STATUS: u16 = 0;

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    pub addr: IpAddr,
    /// As the limiter knows it.
    pub key: KeyHash,
}

/// A request as it begins.
#[derive(Clone, Copy, Debug)]
pub struct Open {
    pub id: RequestId,
    pub method: Option<Method>,
    pub wire: Wire,
    pub began: Tick,
    pub bytes_in: usize,
}

/// What the connection does after an answer.
pub enum After {
    KeepAlive,
    Close,
    /// The body follows in pieces.
    Stream(StreamCoding, Chunks, Persistence),
}

/// What the client has sent behind a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// Nothing that would have to be answered: the connection may end here if somebody wants it to.
    Nothing,
    More,
}

/// A request that has begun and has no line in the books yet. Requests of a connection are answered one after the other.
struct Owed {
    open: Open,
    tag: Tag,
    /// Of a stream that has begun, else `NO_STATUS`.
    status: u16,
    /// Of a stream, so far.
    bytes_out: usize,
}

pub struct Answers {
    desk: Rc<Desk>,
    pub peer: Peer,
    out: Vec<u8>,
    /// How much of `out` has left; nothing is appended until all has.
    sent: usize,
    owed: Option<Owed>,
}

impl Answers {
    pub const fn new(desk: Rc<Desk>, peer: Peer) -> Self {
        Self { desk, peer, out: Vec::new(), sent: 0, owed: None }
    }

    /// Whether enough is collected for a send.
    pub const fn is_full(&self) -> bool {
        self.out.len() >= SEND_BUF_BYTES
    }

    /// Appends bytes that answer no request by themselves.
    pub fn push(&mut self, bytes: &[u8]) {
        self.take_buf();
        self.out.extend_from_slice(bytes);
    }

    /// A request has begun: from here on it is owed an answer and a line in the books. Its tag is the caller's to fill in.
    pub fn begin(&mut self, open: Open) -> &mut Tag {
        debug_assert!(self.owed.is_none(), "one request at a time");
        &mut self.owed.insert(Owed { open, tag: Tag::default(), status: NO_STATUS, bytes_out: 0 }).tag
    }

    /// The request that has begun.
    ///
    /// # Panics
    /// When its answer is whole.
    pub fn begun(&self) -> &Open {
        match &self.owed {
            Some(owed) => &owed.open,
            None => unreachable!("an answer belongs to a request that has begun"),
        }
    }

    /// Appends the answer to the request that has begun and books it, or begins a stream.
    pub fn answer(&mut self, result: Result<Reply, Fault>, follows: Follows) -> After {
        let Open { id, wire, .. } = *self.begun();
        let (reply, fault) = match result {
            Ok(reply) => (reply, None),
            Err(fault) => (Reply::from_fault(&fault, id.as_str()), Some(fault)),
        };
        let parts = self.desk.front.draining.get() && follows == Follows::Nothing;
        let closes = parts || fault.as_ref().is_some_and(Fault::closes);
        let persistence = if closes { Persistence::Close } else { wire.persistence };
        let date = date(&self.desk);
        let wire = Wire { persistence, ..wire };
        let cx = ReplyContext { date: &date, request_id: id.as_str(), wire };
        self.take_buf();
        let before = self.out.len();
        if let Body::Stream(_) = reply.body {
            let coding = write_stream_head(&mut self.out, &reply, &cx);
            self.streamed(reply.status, self.out.len() - before);
            let Body::Stream(chunks) = reply.body else { unreachable!("looked at three lines above") };
            return After::Stream(coding, chunks, persistence);
        }
        write_reply(&mut self.out, &reply, &cx);
        let bytes_out = self.out.len() - before;
        self.book(Entry { status: reply.status, fault_code: fault.map(|f| f.verdict().code), bytes_out });
        match persistence {
            Persistence::KeepAlive => After::KeepAlive,
            Persistence::Close => After::Close,
        }
    }

    /// Appends a piece of a stream.
    pub fn piece(&mut self, coding: StreamCoding, piece: &[u8]) {
        self.take_buf();
        let before = self.out.len();
        write_chunk(&mut self.out, coding, piece);
        let bytes = self.out.len() - before;
        if let Some(owed) = &mut self.owed {
            owed.bytes_out += bytes;
        }
    }

    /// Ends and books a stream. After a fault the end is left out: the client must see that it is broken.
    pub fn end_stream(&mut self, coding: StreamCoding, fault: Option<&Fault>) {
        if fault.is_none() {
            self.take_buf();
            write_last_chunk(&mut self.out, coding);
        }
        self.book_as_it_is(fault.map(|fault| fault.verdict().code));
    }

    /// Sends what the socket takes without waiting. True when everything has left.
    pub fn flush_now(&mut self, stream: &Stream) -> Result<bool, SendError> {
        if self.out.is_empty() {
            return Ok(true);
        }
        self.sent += stream.send_now(self.out.get(self.sent..).unwrap_or_default())?;
        if self.sent < self.out.len() {
            return Ok(false);
        }
        self.sent = 0;
        self.give_buf_back();
        Ok(true)
    }

    fn streamed(&mut self, status: u16, head_bytes: usize) {
        if let Some(owed) = &mut self.owed {
            (owed.status, owed.bytes_out) = (status, head_bytes);
        }
    }

    fn book_as_it_is(&mut self, fault_code: Option<u32>) {
        if let Some(&Owed { status, bytes_out, .. }) = self.owed.as_ref() {
            self.book(Entry { status, fault_code, bytes_out });
        }
    }

    fn book(&mut self, entry: Entry) {
        let Some(Owed { open, tag, .. }) = self.owed.take() else { return };
        let clock = self.desk.driver.clock();
        let duration = clock.refresh_tick().since(open.began);
        let Entry { status, fault_code, bytes_out } = entry;
        let (bytes_in, bytes_out) = (open.bytes_in as u64, bytes_out as u64);
        self.desk.ledger.record(&Outcome { route: tag.route, status, fault_code, duration, bytes_in, bytes_out });
        let Some(access) = &self.desk.front.access else { return };
        let (unix, micros) = clock.wall();
        let record = AccessRecord {
            unix,
            micros,
            request_id: open.id,
            route: tag.route,
            method: open.method,
            status,
            fault_code,
            bytes_in,
            bytes_out,
            duration,
            shard: self.desk.shard,
            openid_hash: tag.user.map(|user| user.hash.0),
            remote: self.peer.addr,
        };
        if access.try_send(record).is_err() {
            self.desk.ledger.access_log_dropped.one();
        }
    }

    fn take_buf(&mut self) {
        if self.out.capacity() == 0 {
            self.out = self.desk.front.bufs.borrow_mut().pop().unwrap_or_default();
        }
    }

    fn give_buf_back(&mut self) {
        self.out.clear();
        let mut bufs = self.desk.front.bufs.borrow_mut();
        let out = std::mem::take(&mut self.out);
        if bufs.len() < SPARE_BUFS_MAX && out.capacity() <= 2 * SEND_BUF_BYTES {
            bufs.push(out);
        }
    }
}

/// Whatever ends a connection, be it in the middle of a request: the request gets its line.
impl Drop for Answers {
    fn drop(&mut self) {
        self.book_as_it_is(None);
    }
}

/// The `date` of an answer made now.
pub fn date(desk: &Desk) -> [u8; 29] {
    let now = desk.unix();
    let known = desk.front.date.get();
    if known.at == now {
        return known.text;
    }
    let text = imf_fixdate(now);
    desk.front.date.set(DateText { at: now, text });
    text
}

/// The part of the books that only the answer knows.
struct Entry {
    status: u16,
    fault_code: Option<u32>,
    bytes_out: usize,
}
