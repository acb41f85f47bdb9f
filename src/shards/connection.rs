//! One connection: receive, let the HTTP machine say what it means, serve, send once per batch.
//! Never here: a kernel buffer held across an await, a wait without a deadline.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use futures_util::StreamExt;

use crate::actions::desk::Desk;
use crate::core::fault::{Backend, Fault};
use crate::core::ids::RequestId;
use crate::core::ledger::CloseReason;
use crate::core::pace::{Demand, Pace};
use crate::net::driver::yield_once;
use crate::net::sockets::End;
use crate::net::stream::{Received, RecvError, SendError};
use crate::net::transport::Transport;
use crate::proto::http1::{Awaiting, CONTINUE, Event, HeaderTable, Limits, Machine, Persistence, StreamCoding};
use crate::proto::http2::is_preface;
use crate::proto::reply::{Chunks, Reply};

use super::answers::{After, Answers, Follows, Peer};
use super::course::{Ending, Origin, first_wait};
use super::guard::guard;
use super::migrate::Streak;
use super::opening::{body_max, open, unread};
use super::pipeline::serve;
use super::room::Wait;

/// Answers on one connection while the shard drains, so that a client who never pauses does not hold it up: about as many as
/// requests fit Linux' largest default receive buffer, 6 MiB.
const LAST_ANSWERS_MAX: u32 = 1 << 16;

pub struct Conversation {
    transport: Transport,
    desk: Rc<Desk>,
    machine: Machine,
    answers: Answers,
    awaiting: Awaiting,
    origin: Origin,
    /// Bytes of the present request so far.
    bytes_in: usize,
    /// Of the body that is being received.
    pace: Pace,
    /// Bytes at hand behind the present request.
    behind: usize,
    /// Answers since the shard drains.
    last_answers: u32,
    pub streak: Streak,
}

/// What the bytes at hand come to.
enum Step {
    Read(Awaiting),
    GoOn,
    Wait(Wait),
    Stream(Box<Streaming>),
    Close(CloseReason),
    /// What the client began with is the preface of HTTP/2.
    Switch,
}

/// An answer that is sent in pieces.
struct Streaming {
    coding: StreamCoding,
    chunks: Chunks,
    persistence: Persistence,
}

impl Conversation {
    pub fn new(transport: Transport, desk: Rc<Desk>, peer: Peer, origin: Origin) -> Self {
        let server = &desk.common.service.config.server;
        let limits = Limits::of(server);
        let answers = Answers::new(desk.clone(), peer);
        let awaiting = Awaiting::Request;
        let machine = Machine::new(limits);
        Self {
            transport,
            desk,
            machine,
            answers,
            awaiting,
            origin,
            bytes_in: 0,
            pace: Pace::default(),
            behind: 0,
            last_answers: 0,
            streak: Streak::default(),
        }
    }

    /// What carried the conversation, when it has ended.
    pub fn into_transport(self) -> Transport {
        self.transport
    }

    /// Bytes of a request that has not begun to be read, for whoever serves the connection next.
    pub fn take_unread(&mut self) -> Vec<u8> {
        self.machine.take_unread()
    }

    pub const fn peer(&self) -> Peer {
        self.answers.peer
    }

    /// All that the client has sent, where it has begun to speak HTTP/2.
    pub fn take_refused(&mut self) -> Vec<u8> {
        self.machine.take_refused()
    }

    pub async fn run(&mut self) -> Ending {
        self.set_read_deadline();
        loop {
            let input = match self.transport.recv().await {
                Ok(input) => input,
                Err(RecvError::End(End::Closed)) => return Ending::AtOnce(CloseReason::ClientClosed),
                Err(RecvError::End(End::Broken)) => return Ending::AtOnce(CloseReason::Reset),
                Err(RecvError::TimedOut) => return Box::pin(self.silence()).await,
                Err(RecvError::Interrupted) if self.rests() => return Ending::Gently(CloseReason::Draining),
                Err(RecvError::Interrupted) => {
                    // What is here may be a part of something that never comes, such as a record of TLS.
                    if self.awaiting == Awaiting::Request {
                        self.set_read_deadline();
                    }
                    continue;
                }
            };
            match self.work_off(input).await {
                Ok(None) => {}
                Ok(Some(ending)) => return ending,
                Err(SendError::Broken) => return Ending::AtOnce(CloseReason::Reset),
                Err(SendError::TimedOut) => return Ending::AtOnce(CloseReason::Timeout),
            }
            if self.streak.moves(self.desk.shard) && self.machine.is_idle() && !self.desk.front.draining.get() {
                return Ending::Move;
            }
        }
    }

    /// Serves everything that lies whole in the bytes received; the answers leave together.
    async fn work_off(&mut self, mut input: Received) -> Result<Option<Ending>, SendError> {
        let mut at = 0;
        loop {
            let bytes = input.get_mut(at..).unwrap_or_default();
            let (consumed, step) = self.step(bytes);
            at += consumed;
            match step {
                Step::GoOn if !self.answers.is_full() => {}
                Step::Read(awaiting) => {
                    drop(input);
                    self.flush().await?;
                    self.await_next(awaiting);
                    return Ok(None);
                }
                Step::Switch => return Ok(Some(Ending::Http2)),
                Step::Close(reason) => {
                    drop(input);
                    self.flush().await?;
                    return Ok(Some(Ending::Gently(reason)));
                }
                slow => {
                    // What follows may wait: the kernel's buffer goes home, the rest of its bytes stays with us.
                    if let Received::Lent(lent) = &input {
                        input = Received::Copied(lent.get(at..).unwrap_or_default().to_vec());
                        at = 0;
                    }
                    // Boxed: what a slow request needs is not paid for by connections that are idle.
                    if let Some(reason) = Box::pin(self.wait(slow)).await? {
                        drop(input);
                        self.flush().await?;
                        return Ok(Some(Ending::Gently(reason)));
                    }
                }
            }
        }
    }

    /// One event of the machine.
    fn step(&mut self, bytes: &mut [u8]) -> (usize, Step) {
        let desk = &self.desk;
        let given = bytes.len();
        let mut table = HeaderTable::new();
        let door = self.answers.peer.door;
        let advance = self.machine.advance(bytes, &mut table, |method, path| body_max(desk, door, method, path));
        let consumed = advance.consumed;
        self.bytes_in += consumed;
        self.behind = given - consumed;
        let step = match advance.event {
            Event::NeedMore(awaiting) => Step::Read(awaiting),
            Event::SendContinue => {
                self.answers.push(CONTINUE);
                Step::GoOn
            }
            Event::Request { request, wire } => {
                let open = open(desk, &request, std::mem::take(&mut self.bytes_in));
                self.origin = Origin::Spoken;
                // The next head has a deadline of its own.
                self.awaiting = Awaiting::Request;
                let id = open.id;
                let from = self.answers.peer.arrival(id);
                let tag = self.answers.begin(open, wire);
                let outcome = guard(desk, id, || serve(desk, from, request, tag));
                self.streak.saw(tag.user);
                match Wait::begin(desk, outcome) {
                    Ok(wait) => Step::Wait(wait),
                    Err(result) => self.answered(result),
                }
            }
            Event::Fault { fault, wire } => {
                if self.is_http2(bytes) {
                    return (consumed, Step::Switch);
                }
                let unread = unread(&self.desk, std::mem::take(&mut self.bytes_in));
                self.answers.begin(unread, wire);
                self.answers.answer(Err(fault), Follows::Nothing);
                Step::Close(CloseReason::Fault)
            }
        };
        (consumed, step)
    }

    /// Whether the client began with HTTP/2. Asked only of what is no request of HTTP/1.
    fn is_http2(&mut self, bytes: &[u8]) -> bool {
        let spoken = self.desk.common.service.config.http2.enabled;
        spoken && self.origin == Origin::Fresh && is_preface(self.machine.refused(bytes))
    }

    /// Does what takes longer than this turn. A reason means that the connection ends after it.
    async fn wait(&mut self, step: Step) -> Result<Option<CloseReason>, SendError> {
        self.flush().await?;
        let next = match step {
            Step::Wait(wait) => self.finish(wait).await,
            other => other,
        };
        match next {
            Step::Stream(streaming) => self.send_stream(*streaming).await,
            Step::Close(reason) => Ok(Some(reason)),
            Step::Switch => unreachable!("a switch waits for nothing"),
            // A full buffer of answers is enough for a turn: a client that pipelines without pause is not alone here.
            Step::GoOn if self.behind > 0 => {
                yield_once().await;
                Ok(None)
            }
            Step::Read(_) | Step::GoOn | Step::Wait(_) => Ok(None),
        }
    }

    async fn finish(&mut self, mut wait: Wait) -> Step {
        let id = self.answers.begun().id;
        let config = &self.desk.common.service.config.server;
        let deadline = self.desk.tick().after(config.request_timeout);
        self.transport.set_deadline(Some(deadline));
        let result = poll_fn(|cx| match wait.poll(&self.desk, id, cx) {
            Poll::Pending if self.transport.timed_out() && self.desk.tick() >= deadline => {
                Poll::Ready(Err(Fault::Timeout(wait.backend)))
            }
            polled => polled,
        })
        .await;
        drop(wait);
        self.answered(result)
    }

    /// Writes an answer; says what the connection does next.
    fn answered(&mut self, result: Result<Reply, Fault>) -> Step {
        let failed = result.is_err();
        let follows = self.follows();
        match self.answers.answer(result, follows) {
            After::KeepAlive => Step::GoOn,
            After::Close if failed => Step::Close(CloseReason::Fault),
            After::Close => Step::Close(CloseReason::Finished),
            After::Stream(coding, chunks, persistence) => {
                Step::Stream(Box::new(Streaming { coding, chunks, persistence }))
            }
        }
    }

    /// While the shard drains, whether the present answer is the last one. RFC 9112 §9.6: what the client sent before it
    /// could know is answered.
    fn follows(&mut self) -> Follows {
        if !self.desk.front.draining.get() {
            return Follows::More;
        }
        self.last_answers += 1;
        let on = self.last_answers < LAST_ANSWERS_MAX && (self.behind > 0 || self.transport.has_unread());
        if on { Follows::More } else { Follows::Nothing }
    }

    /// Whether nothing of a request is here or on its way.
    fn rests(&self) -> bool {
        self.awaiting == Awaiting::Request && !self.transport.has_unread()
    }

    async fn send_stream(&mut self, streaming: Streaming) -> Result<Option<CloseReason>, SendError> {
        let Streaming { coding, mut chunks, persistence } = streaming;
        let id = self.answers.begun().id;
        let mut fault = None;
        // The answer to a HEAD has its head only.
        while coding != StreamCoding::Omit
            && let Some(piece) = self.next_piece(id, &mut chunks).await
        {
            match piece {
                Ok(piece) => self.answers.piece(coding, &piece),
                Err(broken) => {
                    fault = Some(broken);
                    break;
                }
            }
            self.flush().await?;
            // A stream that is always ready, to a client that is always fast, would be the only one served.
            yield_once().await;
        }
        self.answers.end_stream(coding, fault.as_ref());
        let ends = fault.is_some() || coding == StreamCoding::UntilClose || persistence == Persistence::Close;
        Ok(ends.then_some(if fault.is_some() { CloseReason::Fault } else { CloseReason::Finished }))
    }

    /// The next piece, guarded and awaited as long as a request may wait.
    async fn next_piece(&self, id: RequestId, chunks: &mut Chunks) -> Option<Result<Vec<u8>, Fault>> {
        let deadline = self.desk.tick().after(self.desk.common.service.config.server.request_timeout);
        self.transport.set_deadline(Some(deadline));
        poll_fn(|cx| match guard(&self.desk, id, || Ok(chunks.0.poll_next_unpin(cx))) {
            Ok(Poll::Pending) if self.transport.timed_out() => Poll::Ready(Some(Err(Fault::Timeout(Backend::Owner)))),
            Ok(polled) => polled,
            Err(panicked) => Poll::Ready(Some(Err(panicked))),
        })
        .await
    }

    async fn flush(&mut self) -> Result<(), SendError> {
        self.answers.flush(&mut self.transport).await
    }

    /// The deadline has passed without a byte.
    async fn silence(&mut self) -> Ending {
        let fault = match self.awaiting {
            Awaiting::Request if self.desk.front.draining.get() => return Ending::Gently(CloseReason::Draining),
            Awaiting::Request => return Ending::Gently(CloseReason::Idle),
            Awaiting::Head => Fault::HeadTimeout,
            Awaiting::Body => Fault::BodyTimeout,
        };
        let wire = self.machine.refusal_wire();
        self.answers.begin(unread(&self.desk, std::mem::take(&mut self.bytes_in)), wire);
        self.answers.answer(Err(fault), Follows::Nothing);
        match self.flush().await {
            Ok(()) => Ending::Gently(CloseReason::Timeout),
            Err(_) => Ending::AtOnce(CloseReason::Timeout),
        }
    }

    /// A head has one deadline from its first byte on; silence between requests starts afresh; a body has to keep pace.
    fn await_next(&mut self, awaiting: Awaiting) {
        let was = std::mem::replace(&mut self.awaiting, awaiting);
        if was != Awaiting::Body {
            let demand = Demand::of_bodies(&self.desk.common.service.config.server);
            self.pace = Pace::begin(demand, self.bytes_in, self.desk.tick());
        }
        if (was, awaiting) != (Awaiting::Head, Awaiting::Head) {
            self.set_read_deadline();
        }
    }

    fn set_read_deadline(&self) {
        let (server, now) = (&self.desk.common.service.config.server, self.desk.tick());
        let deadline = match self.awaiting {
            Awaiting::Request => now.after(first_wait(&self.desk, server.idle_timeout)),
            Awaiting::Head => now.after(server.head_timeout),
            Awaiting::Body => self.pace.due(Demand::of_bodies(server), self.bytes_in, now),
        };
        self.transport.set_deadline(Some(deadline));
    }
}
