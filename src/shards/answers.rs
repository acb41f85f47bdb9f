//! Answers of one connection on their way out: written into a pooled buffer, booked once, sent together.
//! Never here: an answer without its line in the books, a buffer kept by an idle connection.

use std::net::IpAddr;
use std::rc::Rc;

use crate::actions::desk::{DateText, Desk};
use crate::core::bounds::SEND_BUF_BYTES;
use crate::core::fault::Fault;
use crate::core::hash::KeyHash;
use crate::core::ids::RequestId;
use crate::core::pace::{Demand, Pace};
use crate::net::stream::SendError;
use crate::net::transport::Transport;
use crate::proto::http1::{
    Persistence, ReplyContext, StreamCoding, Wire, imf_fixdate, write_chunk, write_last_chunk, write_reply,
    write_stream_head,
};
use crate::proto::reply::{Body, Chunks, Reply};

use super::booking::{Booking, Entry, Open};
use super::door::DoorKind;
use super::finish::{Finished, finish};
use super::pipeline::{Arrival, Proof, Tag};

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    pub addr: IpAddr,
    /// As the limiter knows it.
    pub key: KeyHash,
    pub door: DoorKind,
    pub proof: Proof,
}

impl Peer {
    /// A request of this peer.
    pub const fn arrival(&self, id: RequestId) -> Arrival {
        Arrival { ip: self.key, id, door: self.door, proof: self.proof }
    }
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

/// A request whose answer is not whole yet. Those of a connection are answered one after the other.
struct Owed {
    booking: Booking,
    wire: Wire,
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
    pub fn begin(&mut self, open: Open, wire: Wire) -> &mut Tag {
        debug_assert!(self.owed.is_none(), "one request at a time");
        let booking = Booking::begin(&self.desk, self.peer.addr, open);
        &mut self.owed.insert(Owed { booking, wire }).booking.tag
    }

    /// The request that has begun.
    ///
    /// # Panics
    /// When its answer is whole.
    pub fn begun(&self) -> &Open {
        &self.owed().booking.open
    }

    /// Appends the answer to the request that has begun and books it, or begins a stream.
    pub fn answer(&mut self, result: Result<Reply, Fault>, follows: Follows) -> After {
        let &Owed { ref booking, wire } = self.owed();
        let id = booking.open.id;
        let Finished { reply, fault_code, closes } = finish(&self.desk, &booking.open, &booking.tag, result);
        let parts =
            self.peer.door == DoorKind::Redirect || (self.desk.front.draining.get() && follows == Follows::Nothing);
        let persistence = if closes || parts { Persistence::Close } else { wire.persistence };
        let date = date(&self.desk);
        let cx = ReplyContext { date: &date, request_id: id.as_str(), wire: Wire { persistence, ..wire } };
        self.take_buf();
        let before = self.out.len();
        if let Body::Stream(_) = reply.body {
            let coding = write_stream_head(&mut self.out, &reply, &cx);
            let bytes_out = self.out.len() - before;
            self.owed_mut().booking.answered(Entry { status: reply.status, fault_code, bytes_out });
            let Body::Stream(chunks) = reply.body else { unreachable!("looked at three lines above") };
            return After::Stream(coding, chunks, persistence);
        }
        write_reply(&mut self.out, &reply, &cx);
        let bytes_out = self.out.len() - before;
        self.owed_mut().booking.answered(Entry { status: reply.status, fault_code, bytes_out });
        self.owed = None;
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
        self.owed_mut().booking.wrote(bytes);
    }

    /// Ends and books a stream. After a fault the end is left out: the client must see that it is broken.
    pub fn end_stream(&mut self, coding: StreamCoding, fault: Option<&Fault>) {
        match fault {
            Some(fault) => self.owed_mut().booking.broke(fault.verdict().code),
            None => {
                self.take_buf();
                write_last_chunk(&mut self.out, coding);
            }
        }
        self.owed = None;
    }

    /// Sends what is collected, to a client that takes it fast enough.
    ///
    /// # Errors
    /// The connection is broken, or the client too slow.
    pub async fn flush(&mut self, transport: &mut Transport) -> Result<(), SendError> {
        if self.flush_now(transport)? {
            return Ok(());
        }
        // Boxed: idle connections do not pay for it.
        Box::pin(self.flush_slowly(transport)).await
    }

    async fn flush_slowly(&mut self, transport: &mut Transport) -> Result<(), SendError> {
        let desk = self.desk.clone();
        let demand = Demand::of_answers(&desk.common.service.config.server);
        let pace = Pace::begin(demand, self.sent, desk.tick());
        loop {
            transport.set_deadline(Some(pace.due(demand, self.sent, desk.tick())));
            transport.writable().await?;
            if self.flush_now(transport)? {
                return Ok(());
            }
        }
    }

    /// Sends what the socket takes without waiting. True when everything has left.
    fn flush_now(&mut self, transport: &mut Transport) -> Result<bool, SendError> {
        if self.out.is_empty() && !transport.has_unsent() {
            return Ok(true);
        }
        self.sent += transport.send_now(self.out.get(self.sent..).unwrap_or_default())?;
        if self.sent < self.out.len() || transport.has_unsent() {
            return Ok(false);
        }
        self.sent = 0;
        self.desk.front.give_buf_back(std::mem::take(&mut self.out));
        Ok(true)
    }

    fn owed(&self) -> &Owed {
        self.owed.as_ref().unwrap_or_else(|| unreachable!("an answer belongs to a request that has begun"))
    }

    fn owed_mut(&mut self) -> &mut Owed {
        self.owed.as_mut().unwrap_or_else(|| unreachable!("an answer belongs to a request that has begun"))
    }

    fn take_buf(&mut self) {
        if self.out.capacity() == 0 {
            self.out = self.desk.front.take_buf();
        }
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
