//! The task of one connection that speaks HTTP/2: what came is fed to the library, requests are served, and what one turn
//! has to say leaves in one send.
//! Never here: a kernel buffer held across a turn, a wait without a deadline, a stream that is worked on alone.

mod deadlines;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ::h2::{Reason, RecvStream};
use ::http::Request;

use crate::actions::desk::Desk;
use crate::core::flood::Flood;
use crate::core::ids::ShardId;
use crate::core::ledger::CloseReason;
use crate::core::pace::Demand;
use crate::core::time::Tick;
use crate::net::sockets::End;
use crate::net::stream::{Received, RecvError, SendError};
use crate::net::transport::Transport;
use crate::proto::http2::order::Disorder;
use crate::shards::answers::Peer;
use crate::shards::course::Ending;

use super::backlog::Backlog;
use super::exchange::Exchange;
use super::line::{Heard, Line, Offence};
use super::places::Places;
use super::stage::Respond;

pub struct Conversation {
    transport: Transport,
    line: Box<Line>,
    exchange: Exchange,
    places: Places,
    state: State,
    /// Since when the state is what it is.
    since: Tick,
    /// When the client began something that it still owes the rest of.
    amid_since: Option<Tick>,
    /// Streams that had begun when the connection last had none.
    streams_seen: u64,
    /// What ends the connection once the frames before it are worked off.
    disorder: Option<Disorder>,
    /// Bytes wait for the socket to take them.
    backlog: Option<Backlog>,
}

/// A request, and where its answer goes.
type Asking = (Request<RecvStream>, Respond);

/// How far the conversation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// We have told the client to come no more.
    Parting,
    /// The last words are on their way.
    Over(CloseReason),
}

/// Whether a look at the socket changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    Nothing,
    Something,
    /// What came before is not read yet.
    NotAsked,
}

/// The turn cannot go on.
enum Stop {
    AtOnce(CloseReason),
}

impl Conversation {
    /// `first`: what was received before it was known what the client speaks.
    pub fn new(transport: Transport, desk: Rc<Desk>, peer: Peer, line: Box<Line>) -> Self {
        let since = desk.tick();
        let places = Places::new(desk.common.service.config.http2.streams_max);
        Self {
            transport,
            line,
            exchange: Exchange::new(desk, peer),
            places,
            state: State::Open,
            since,
            amid_since: None,
            streams_seen: 0,
            disorder: None,
            backlog: None,
        }
    }

    /// What is left when the conversation has ended or moves.
    pub fn into_parts(self) -> (Transport, Box<Line>) {
        (self.transport, self.line)
    }

    pub const fn peer(&self) -> Peer {
        self.exchange.peer
    }

    /// Where the connection should live.
    pub const fn target(&self) -> Option<ShardId> {
        self.exchange.streak.target()
    }

    /// Speaks until the connection ends or moves. `first` has been received already.
    pub async fn run(&mut self, first: Vec<u8>) -> Ending {
        if !first.is_empty() {
            self.take(first);
        }
        poll_fn(|cx| self.turn(cx)).await
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        self.places.run();
        loop {
            match self.pass(cx) {
                Err(Stop::AtOnce(reason)) => return Poll::Ready(Ending::AtOnce(reason)),
                Ok(()) => {}
            }
            if let State::Over(reason) = self.state
                && self.backlog.is_none()
            {
                return Poll::Ready(Ending::Gently(reason));
            }
            if self.wants_to_move() {
                return Poll::Ready(Ending::Move);
            }
            let gives_way = std::mem::take(&mut self.exchange.gives_way);
            if gives_way {
                cx.waker().wake_by_ref();
            }
            if gives_way || self.places.rest() {
                self.set_deadline();
                return Poll::Pending;
            }
        }
    }

    /// Receives, serves, sends.
    fn pass(&mut self, cx: &mut Context<'_>) -> Result<(), Stop> {
        let now = self.exchange.desk.tick();
        if self.transport.timed_out() {
            self.look_at_deadlines(now)?;
        }
        let mut has_worked = false;
        loop {
            // Bytes first, so that the usual turn works once.
            let came = self.receive(cx, now)?;
            if came == Came::Nothing && has_worked {
                break;
            }
            self.work(cx.waker());
            has_worked = true;
            if came == Came::NotAsked && !self.takes_more() {
                break;
            }
        }
        self.send(cx)
    }

    /// Lays out what has come, once everything before it is read.
    fn receive(&mut self, cx: &mut Context<'_>, now: Tick) -> Result<Came, Stop> {
        if !self.takes_more() {
            return Ok(Came::NotAsked);
        }
        let received = match pin!(self.transport.recv()).poll(cx) {
            Poll::Pending => return Ok(Came::Nothing),
            Poll::Ready(received) => received,
        };
        match received {
            Ok(bytes) => self.take_received(bytes),
            Err(RecvError::End(End::Closed)) => return Err(Stop::AtOnce(self.left())),
            Err(RecvError::End(End::Broken)) => return Err(Stop::AtOnce(CloseReason::Reset)),
            Err(RecvError::TimedOut) => {
                self.look_at_deadlines(now)?;
                self.set_deadline();
            }
            Err(RecvError::Interrupted) => {}
        }
        Ok(Came::Something)
    }

    fn takes_more(&self) -> bool {
        self.line.pipe.ends().is_drained() && !matches!(self.state, State::Over(_))
    }

    fn take_received(&mut self, bytes: Received) {
        let bytes = match bytes {
            Received::Copied(bytes) => bytes,
            // The kernel's buffer goes home with the turn; the copy lies in a buffer that is used again.
            Received::Lent(lent) => {
                let mut buf = self.exchange.desk.front.take_buf();
                buf.extend_from_slice(&lent);
                buf
            }
        };
        self.take(bytes);
    }

    fn take(&mut self, bytes: Vec<u8>) {
        let now = self.exchange.desk.tick();
        let frames = self.line.frames;
        match self.line.feed(bytes, now) {
            Ok(()) => {}
            Err(Offence::Flood(flood)) => return self.calm(flood),
            // What came before it is answered first.
            Err(Offence::Disorder(disorder)) => self.disorder = Some(disorder),
        }
        self.line.blank.drain(..).for_each(|stream| self.exchange.ends_blank(stream));
        // A long upload is amid a frame whenever one looks; what counts is that frames come to their end.
        let goes_on = self.line.frames == frames;
        self.amid_since = self.line.is_amid().then_some(self.amid_since.filter(|_| goes_on).unwrap_or(now));
    }

    /// Serves everything that can be served now.
    fn work(&mut self, task: &Waker) {
        if self.state == State::Open && self.exchange.desk.front.draining.get() {
            self.line.part();
            self.enter(State::Parting);
        }
        let mut asked = Vec::with_capacity(self.line.heads());
        let ended = loop {
            let ended = self.hear_all(&mut asked);
            let some = !asked.is_empty();
            for (request, respond) in asked.drain(..) {
                self.begin(request, respond, task);
            }
            let goes_on = !self.exchange.gives_way && self.places.go_on_ready(&mut self.exchange);
            if ended.is_some() || !(goes_on || some) {
                break ended;
            }
        };
        if let Some(result) = ended {
            return self.end(result);
        }
        if let Some(disorder) = self.disorder.take() {
            self.line.end_now(reason(disorder));
            self.over(CloseReason::Fault);
        }
        let (served, stalled) = (std::mem::take(&mut self.exchange.served), std::mem::take(&mut self.exchange.stalled));
        let now = self.exchange.desk.tick();
        self.exchange.desk.ledger.http2.stalled.add(stalled.into());
        let judged = self.line.judge_served(served, stalled, now).and_then(|()| self.line.judge_written(now));
        if let Err(flood) = judged {
            self.calm(flood);
        }
        self.give_drained_back();
    }

    /// Takes every request that is here before any is answered: the library writes whenever it is asked to read, and this way it
    /// writes all answers of a turn together.
    fn hear_all(&mut self, asked: &mut Vec<Asking>) -> Option<Result<(), ::h2::Error>> {
        loop {
            match self.line.hear() {
                Heard::Request(request, respond) => {
                    asked.push((request, respond));
                    if self.line.heads() == 0 {
                        return None;
                    }
                }
                Heard::Nothing => return None,
                Heard::End(result) => return Some(result),
            }
        }
    }

    fn begin(&mut self, request: Request<RecvStream>, mut respond: Respond, task: &Waker) {
        if self.places.is_full() {
            // As many requests are being worked on as may, be it that the client has taken some of them back.
            respond.send_reset(Reason::REFUSED_STREAM);
        } else if let Some(stage) = self.exchange.begin(request, respond) {
            self.places.add(stage, &mut self.exchange, task);
        }
    }

    /// One send for all that the turn has brought.
    fn send(&mut self, cx: &mut Context<'_>) -> Result<(), Stop> {
        let mut out = std::mem::take(&mut self.line.pipe.ends().outbound);
        if out.is_empty() && !self.transport.has_unsent() {
            self.unblock();
            self.line.pipe.ends().outbound = out;
            return Ok(());
        }
        let taken = self.transport.send_now(&out).map_err(|_| Stop::AtOnce(CloseReason::Reset))?;
        self.line.sent(taken);
        let now = self.exchange.desk.tick();
        let blocked = taken < out.len() || self.transport.has_unsent();
        let was_full = std::mem::take(&mut self.line.pipe.ends().is_full);
        out.drain(..taken);
        if out.is_empty() {
            self.exchange.desk.front.give_buf_back(out);
        } else {
            self.line.pipe.ends().outbound = out;
        }
        if blocked {
            let demand = Demand::of_answers(&self.exchange.desk.common.service.config.server);
            match &mut self.backlog {
                None => self.backlog = Some(Backlog::begin(demand, now)),
                Some(backlog) if taken > 0 => backlog.took(taken, demand, now),
                Some(_) => {}
            }
            match pin!(self.transport.writable()).poll(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => cx.waker().wake_by_ref(),
                Poll::Ready(Err(SendError::Broken)) => return Err(Stop::AtOnce(CloseReason::Reset)),
                // Looked at with the other deadlines.
                Poll::Ready(Err(SendError::TimedOut)) => {}
            }
        } else {
            self.unblock();
            if was_full {
                // The library has more to say; the other connections go first.
                cx.waker().wake_by_ref();
            }
        }
        Ok(())
    }

    /// Everything has left; rest begins now.
    fn unblock(&mut self) {
        if self.backlog.take().is_some() {
            self.since = self.exchange.desk.tick();
        }
    }

    /// Ends a connection that costs more than it brings.
    fn calm(&mut self, flood: Flood) {
        if matches!(self.state, State::Over(_)) {
            return;
        }
        self.exchange.desk.ledger.http2.calmed(flood);
        self.line.end_now(Reason::ENHANCE_YOUR_CALM);
        self.over(CloseReason::Fault);
    }

    fn end(&mut self, result: Result<(), ::h2::Error>) {
        let reason = match &result {
            Ok(()) if self.state == State::Parting => CloseReason::Draining,
            Ok(()) => CloseReason::ClientClosed,
            Err(error) => {
                if error.is_library() && error.reason() == Some(Reason::ENHANCE_YOUR_CALM) {
                    self.exchange.desk.ledger.http2.calmed(Flood::Library);
                }
                CloseReason::Fault
            }
        };
        self.over(reason);
    }

    /// Whoever still waits for something waits for nothing: nobody is left to be answered.
    fn over(&mut self, reason: CloseReason) {
        self.places = Places::new(0);
        self.enter(State::Over(reason));
    }

    /// The client has gone: between requests, or in the midst of one.
    fn left(&self) -> CloseReason {
        if self.places.is_empty() && !self.line.has_streams() { CloseReason::ClientClosed } else { CloseReason::Reset }
    }

    fn wants_to_move(&self) -> bool {
        let desk = &self.exchange.desk;
        self.state == State::Open
            && self.exchange.streak.moves(desk.shard)
            && self.is_idle()
            && !desk.front.draining.get()
            && self.line.rests()
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.since = self.exchange.desk.tick();
    }

    /// A connection that waits holds no buffer.
    fn give_drained_back(&mut self) {
        let mut ends = self.line.pipe.ends();
        if ends.is_drained() {
            let buf = ends.take_drained();
            self.exchange.desk.front.give_buf_back(buf);
        }
    }
}

const fn reason(disorder: Disorder) -> Reason {
    match disorder {
        Disorder::Protocol => Reason::PROTOCOL_ERROR,
        Disorder::FlowControl => Reason::FLOW_CONTROL_ERROR,
        Disorder::StreamClosed => Reason::STREAM_CLOSED,
        Disorder::FrameSize => Reason::FRAME_SIZE_ERROR,
    }
}
