//! What a stream waits for, once it has to wait: the rest of its body, its action, a window to send into, the next piece.
//! Never here: what a request is answered, see `exchange`; a wait without a deadline.

use std::task::{Context, Poll};

use ::h2::server::SendResponse;
use ::h2::{Reason, RecvStream, SendStream};
use ::http::request::Parts;
use futures_util::StreamExt;

use crate::actions::desk::Desk;
use crate::core::fault::Fault;
use crate::core::pace::{Demand, Pace};
use crate::core::time::Tick;
use crate::proto::http1::BodyMode;
use crate::proto::http2::payload::Payload;
use crate::proto::reply::{Chunks, Reply};
use crate::shards::booking::Booking;
use crate::shards::guard::guard;
use crate::shards::room::Wait;

use super::bodies::{Content, Full};

/// The answering side of a stream, before it is answered.
pub type Respond = SendResponse<Payload>;

/// A stream that is not done within the turn in which it came.
pub enum Stage {
    Body(Box<Gather>),
    Action(Box<Waiting>),
    Payload(Box<Sending>),
    Pieces(Box<Streaming>),
}

/// A request whose body is on its way.
pub struct Gather {
    pub parts: Parts,
    pub body: RecvStream,
    pub respond: Respond,
    pub content: Content,
    pub pace: Pace,
    pub deadline: Tick,
}

/// A request that has begun and has no answer yet.
pub struct Asked {
    pub booking: Booking,
    pub respond: Respond,
    pub mode: BodyMode,
}

/// A request whose action waits. Its place is taken until the action has ended, also when the client has taken the request
/// back: else a client could have more work done than it has streams.
pub struct Waiting {
    pub asked: Asked,
    pub wait: Wait,
    pub deadline: Tick,
}

/// An answer for which the client has no window yet.
pub struct Sending {
    pub booking: Booking,
    pub stream: SendStream<Payload>,
    pub left: Payload,
    pub flow: Flow,
    pub deadline: Tick,
}

/// How fast a client takes what it has asked for.
#[derive(Clone, Copy)]
pub struct Flow {
    pace: Pace,
    taken: usize,
}

/// An answer that comes in pieces.
pub struct Streaming {
    pub sending: Sending,
    pub chunks: Chunks,
    /// The turn in which the last piece was made.
    made_in: Option<u64>,
    /// The next piece may be made, in the next turn.
    pub gives_way: bool,
}

/// Why a body does not arrive.
pub enum Broken {
    /// The client has given up, or its frames were not what they said.
    Gone,
    Full(Full),
}

/// What came behind a body. Trailers are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trailers {
    Lawful,
    /// The library takes pseudo-fields in trailers and keeps them to itself. RFC 9113 §8.1: they must not be there; where they
    /// are all there is, nothing is left.
    Emptied,
}

impl Stage {
    pub const fn deadline(&self) -> Tick {
        match self {
            Self::Body(gather) => gather.deadline,
            Self::Action(waiting) => waiting.deadline,
            Self::Payload(sending) => sending.deadline,
            Self::Pieces(streaming) => streaming.sending.deadline,
        }
    }
}

impl Gather {
    /// Takes what has come of the body, and gives the window back for it.
    pub fn poll(&mut self, cx: &mut Context<'_>, demand: Demand, now: Tick) -> Poll<Result<Trailers, Broken>> {
        loop {
            let Poll::Ready(data) = self.body.poll_data(cx) else { return Poll::Pending };
            match data {
                None => return self.poll_trailers(cx),
                Some(Err(_)) => return Poll::Ready(Err(Broken::Gone)),
                Some(Ok(data)) => {
                    if let Err(full) = self.content.extend(&data) {
                        return Poll::Ready(Err(Broken::Full(full)));
                    }
                    self.deadline = self.pace.due(demand, self.content.bytes.len(), now);
                    // An error means that the stream has ended, which the next look at it says.
                    let _ = self.body.flow_control().release_capacity(data.len());
                }
            }
        }
    }

    fn poll_trailers(&mut self, cx: &mut Context<'_>) -> Poll<Result<Trailers, Broken>> {
        match self.body.poll_trailers(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(Some(trailers))) if trailers.is_empty() => Poll::Ready(Ok(Trailers::Emptied)),
            Poll::Ready(Ok(_)) => Poll::Ready(Ok(Trailers::Lawful)),
            Poll::Ready(Err(_)) => Poll::Ready(Err(Broken::Gone)),
        }
    }
}

impl Waiting {
    pub fn poll(&mut self, desk: &Desk, cx: &mut Context<'_>) -> Poll<Result<Reply, Fault>> {
        self.wait.poll(desk, self.asked.booking.open.id, cx)
    }
}

impl Flow {
    pub fn begin(demand: Demand, now: Tick) -> Self {
        Self { pace: Pace::begin(demand, 0, now), taken: 0 }
    }

    /// The client had room for so many more. Until when it must have room again.
    fn took(&mut self, bytes: usize, demand: Demand, now: Tick) -> Tick {
        self.taken = self.taken.saturating_add(bytes);
        self.pace.due(demand, self.taken, now)
    }
}

impl Sending {
    /// Sends as much as the client's windows allow. Ready when all is handed over, or nobody wants it any more.
    pub fn poll(&mut self, cx: &mut Context<'_>, demand: Demand, now: Tick, last: Last) -> Poll<Result<(), Broken>> {
        while !self.left.is_empty() {
            self.stream.reserve_capacity(self.left.len());
            let room = match self.stream.capacity() {
                0 => match self.stream.poll_capacity(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Some(Ok(room))) => room,
                    Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(Err(Broken::Gone)),
                },
                room => room,
            };
            let part = self.left.split_to(room);
            let ends = last == Last::Ends && self.left.is_empty();
            self.booking.wrote(part.len());
            self.deadline = self.flow.took(part.len(), demand, now);
            if self.stream.send_data(part, ends).is_err() {
                return Poll::Ready(Err(Broken::Gone));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Gives the stream up.
    pub fn reset(&mut self, reason: Reason) {
        self.stream.send_reset(reason);
    }
}

/// What comes behind the bytes that are being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    Ends,
    Follows,
}

impl Streaming {
    pub const fn new(sending: Sending, chunks: Chunks) -> Self {
        Self { sending, chunks, made_in: None, gives_way: false }
    }

    /// Sends pieces as they come and as they are wanted, one a turn: a stream that is always ready, to a client whose windows
    /// are always open, would be the only one served.
    pub fn poll(&mut self, desk: &Desk, cx: &mut Context<'_>) -> Poll<()> {
        let server = &desk.common.service.config.server;
        let (demand, now) = (Demand::of_answers(server), desk.tick());
        self.gives_way = false;
        loop {
            match self.sending.poll(cx, demand, now, Last::Follows) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) => {}
            }
            self.sending.deadline = now.after(server.request_timeout);
            let turn = desk.turn();
            self.gives_way = self.made_in == Some(turn);
            if self.gives_way {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let id = self.sending.booking.open.id;
            let piece = match guard(desk, id, || Ok(self.chunks.0.poll_next_unpin(cx))) {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(piece)) => piece,
                Err(panicked) => Some(Err(panicked)),
            };
            match piece {
                Some(Ok(piece)) => {
                    self.made_in = Some(turn);
                    self.sending.left = Payload::piece(piece);
                    // The client had nothing to take before.
                    self.sending.flow = Flow::begin(demand, now);
                    self.sending.deadline = now.after(server.write_timeout);
                }
                Some(Err(fault)) => {
                    self.broke(&fault);
                    return Poll::Ready(());
                }
                None => {
                    // A stream that is gone needs no end.
                    let _ = self.sending.stream.send_data(Payload::piece(Vec::new()), true);
                    return Poll::Ready(());
                }
            }
        }
    }

    /// The head has left: all that can be said is that the rest will not come.
    pub fn broke(&mut self, fault: &Fault) {
        self.sending.booking.broke(fault.verdict().code);
        self.sending.reset(Reason::INTERNAL_ERROR);
    }
}
