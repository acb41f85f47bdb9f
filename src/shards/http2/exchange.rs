//! Requests and their answers on one connection: from the library's request through the pipeline to its reply, at once where
//! that is possible. Where it is not, what is left to do is a `Stage`.
//! Never here: bytes, frames, sockets.

use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ::bytes::Bytes;
use ::h2::{Reason, RecvStream};
use ::http::header::HeaderValue;
use ::http::request::Parts;
use ::http::{Request, Response, StatusCode};

use crate::actions::desk::Desk;
use crate::core::bounds::HTTP2_STREAMS_CEILING;
use crate::core::fault::{Backend, Fault};
use crate::core::pace::{Demand, Pace};
use crate::core::time::UnixSeconds;
use crate::proto::http1::{BodyMode, Limits};
use crate::proto::http2::head::{FieldTable, Head, Refusal};
use crate::proto::http2::payload::Payload;
use crate::proto::http2::reply;
use crate::proto::reply::{Body, Reply};
use crate::shards::answers::{Peer, date};
use crate::shards::booking::{Booking, Entry};
use crate::shards::finish::{Finished, finish};
use crate::shards::guard::guard;
use crate::shards::migrate::Streak;
use crate::shards::opening::{body_max, open, unread};
use crate::shards::pipeline::serve;
use crate::shards::room::Wait;

use super::bodies::{Bodies, Full};
use super::stage::{Asked, Broken, Flow, Gather, Last, Respond, Sending, Stage, Streaming, Trailers, Waiting};

pub struct Exchange {
    pub desk: Rc<Desk>,
    pub peer: Peer,
    limits: Limits,
    /// The `date` of answers, made once a second.
    date: (UnixSeconds, HeaderValue),
    pub streak: Streak,
    /// A stream could go on, but has had its share of this turn.
    pub gives_way: bool,
    bodies: Bodies,
    /// Streams whose trailers have no field, the latest last, until their bodies are read.
    blank: Vec<u32>,
    /// Requests answered, and answers given up, since the budget was told.
    pub served: u32,
    pub stalled: u32,
}

impl Exchange {
    pub fn new(desk: Rc<Desk>, peer: Peer) -> Self {
        let server = &desk.common.service.config.server;
        let limits = Limits::of(server);
        let date = (UnixSeconds(0), HeaderValue::from_static(""));
        Self {
            desk,
            peer,
            limits,
            date,
            streak: Streak::default(),
            gives_way: false,
            bodies: Bodies::default(),
            blank: Vec::new(),
            served: 0,
            stalled: 0,
        }
    }

    /// The body of a stream ends with trailers in which there is nothing.
    pub fn ends_blank(&mut self, stream: u32) {
        if self.blank.len() == HTTP2_STREAMS_CEILING {
            // Of a body that nobody reads: there are not so many that somebody does.
            self.blank.remove(0);
        }
        self.blank.push(stream);
    }

    /// A new request. `None`: it is done with.
    pub fn begin(&mut self, request: Request<RecvStream>, respond: Respond) -> Option<Stage> {
        let (parts, body) = request.into_parts();
        if body.is_end_stream() {
            return self.serve(&parts, &mut [], respond);
        }
        self.gather(parts, body, respond)
    }

    /// Goes on with a stream that has something to do. `None`: it is done with.
    pub fn go_on(&mut self, mut stage: Stage, cx: &mut Context<'_>) -> Option<Stage> {
        loop {
            let next = match stage {
                Stage::Body(gather) => self.read_on(gather, cx),
                Stage::Action(mut waiting) => match waiting.poll(&self.desk, cx) {
                    Poll::Pending => Step::Waits(Stage::Action(waiting)),
                    Poll::Ready(result) => Step::of(self.finished(*waiting, result)),
                },
                Stage::Payload(mut sending) => {
                    match sending.poll(cx, self.of_answers(), self.desk.tick(), Last::Ends) {
                        Poll::Pending => Step::Waits(Stage::Payload(sending)),
                        Poll::Ready(_) => Step::Done,
                    }
                }
                Stage::Pieces(mut streaming) => {
                    let polled = streaming.poll(&self.desk, cx);
                    self.gives_way |= streaming.gives_way;
                    match polled {
                        Poll::Pending => Step::Waits(Stage::Pieces(streaming)),
                        Poll::Ready(()) => Step::Done,
                    }
                }
            };
            match next {
                Step::Waits(stage) => return Some(stage),
                Step::Done => return None,
                Step::GoesOn(then) => stage = then,
            }
        }
    }

    /// The deadline of a stage has passed.
    pub fn expire(&mut self, stage: Stage) -> Option<Stage> {
        match stage {
            Stage::Body(gather) => {
                let Gather { parts, respond, content, .. } = *gather;
                self.refuse(&parts, respond, content.bytes.len(), Fault::BodyTimeout.into())
            }
            Stage::Action(mut waiting) => {
                // A last look: it may have its answer, and knows what it waits for by now.
                let result = match waiting.poll(&self.desk, &mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(result) => result,
                    Poll::Pending => Err(Fault::Timeout(waiting.wait.backend)),
                };
                self.finished(*waiting, result)
            }
            Stage::Payload(mut sending) => {
                self.stalled += 1;
                sending.reset(Reason::CANCEL);
                None
            }
            Stage::Pieces(mut streaming) if streaming.sending.left.is_empty() => {
                streaming.broke(&Fault::Timeout(Backend::Owner));
                None
            }
            Stage::Pieces(mut streaming) => {
                self.stalled += 1;
                streaming.sending.reset(Reason::CANCEL);
                None
            }
        }
    }

    /// Reads a head whose body is not whole yet, and as much of the body as is here.
    fn gather(&mut self, parts: Parts, body: RecvStream, mut respond: Respond) -> Option<Stage> {
        let mut table = FieldTable::new();
        let opened = Head::read(&parts, &mut table, &self.limits).and_then(|head| {
            let bytes_max = body_max(&self.desk, self.peer.door, head.method, &head.path)?;
            let content = self.bodies.begin(head.content_length.unwrap_or(0), bytes_max);
            Ok((content.map_err(|full| too_much(full, bytes_max))?, head.expects_continue))
        });
        let (content, expects_continue) = match opened {
            Ok(opened) => opened,
            Err(refusal) => return self.refuse(&parts, respond, 0, refusal),
        };
        let (demand, now) = (self.of_bodies(), self.desk.tick());
        let pace = Pace::begin(demand, 0, now);
        if expects_continue {
            let mut interim = Response::new(());
            *interim.status_mut() = StatusCode::CONTINUE;
            // A stream that is gone waits for nothing.
            let _ = respond.send_informational(interim);
        }
        Some(Stage::Body(Box::new(Gather { parts, body, respond, content, pace, deadline: pace.due(demand, 0, now) })))
    }

    fn read_on(&mut self, mut gather: Box<Gather>, cx: &mut Context<'_>) -> Step {
        match gather.poll(cx, self.of_bodies(), self.desk.tick()) {
            Poll::Pending => Step::Waits(Stage::Body(gather)),
            Poll::Ready(Ok(trailers)) if trailers == Trailers::Emptied && !self.was_blank(&gather) => {
                let Gather { parts, respond, content, .. } = *gather;
                let refusal = Refusal::Reset(Fault::Malformed("pseudo-field in trailers"));
                Step::of(self.refuse(&parts, respond, content.bytes.len(), refusal))
            }
            Poll::Ready(Ok(_)) => {
                let Gather { parts, mut content, respond, .. } = *gather;
                Step::of(self.serve(&parts, &mut content.bytes, respond))
            }
            Poll::Ready(Err(Broken::Gone)) => Step::Done,
            Poll::Ready(Err(Broken::Full(full))) => {
                let Gather { parts, respond, content, .. } = *gather;
                let refusal = too_much(full, content.bytes_max);
                Step::of(self.refuse(&parts, respond, content.bytes.len(), refusal))
            }
        }
    }

    /// Whether the trailers of this body had no field when they came.
    fn was_blank(&mut self, gather: &Gather) -> bool {
        let stream = gather.body.stream_id().as_u32();
        let at = self.blank.iter().position(|blank| *blank == stream);
        at.map(|at| self.blank.remove(at)).is_some()
    }

    /// A whole request.
    fn serve(&mut self, parts: &Parts, content: &mut [u8], respond: Respond) -> Option<Stage> {
        let mut table = FieldTable::new();
        let head = match Head::read(parts, &mut table, &self.limits) {
            Ok(head) => head,
            Err(refusal) => return self.refuse(parts, respond, content.len(), refusal),
        };
        let desk = &self.desk;
        let bytes_in = head.bytes + content.len();
        let request = head.with(content);
        let open = open(desk, &request, bytes_in);
        let from = self.peer.arrival(open.id);
        let mut booking = Booking::begin(desk, self.peer.addr, open);
        let outcome = guard(desk, from.id, || serve(desk, from, request, &mut booking.tag));
        self.streak.saw(booking.tag.user);
        let asked = Asked { booking, respond, mode: mode(parts) };
        match Wait::begin(desk, outcome) {
            Ok(wait) => {
                let deadline = desk.tick().after(desk.common.service.config.server.request_timeout);
                Some(Stage::Action(Box::new(Waiting { asked, wait, deadline })))
            }
            Err(result) => self.answer(asked, result),
        }
    }

    /// A request that could not be read, or is not worth reading on. The library resets the stream behind the answer, so
    /// that the client sends no more of the body (RFC 9113 §8.1).
    fn refuse(&mut self, parts: &Parts, mut respond: Respond, body_bytes: usize, refusal: Refusal) -> Option<Stage> {
        let mut booking = Booking::begin(&self.desk, self.peer.addr, unread(&self.desk, body_bytes));
        match refusal {
            Refusal::Answer(fault) => self.answer(Asked { booking, respond, mode: mode(parts) }, Err(fault)),
            Refusal::Reset(fault) => {
                let verdict = fault.verdict();
                booking.answered(Entry { status: verdict.status, fault_code: Some(verdict.code), bytes_out: 0 });
                // RFC 9113 §8.7: what is refused was not worked on, and clients try it again by themselves.
                let reason = if fault == Fault::Overloaded { Reason::REFUSED_STREAM } else { Reason::PROTOCOL_ERROR };
                respond.send_reset(reason);
                None
            }
        }
    }

    fn finished(&mut self, waiting: Waiting, result: Result<Reply, Fault>) -> Option<Stage> {
        let Waiting { asked, wait, .. } = waiting;
        drop(wait);
        self.answer(asked, result)
    }

    /// Sends what can be sent at once.
    fn answer(&mut self, asked: Asked, result: Result<Reply, Fault>) -> Option<Stage> {
        let Asked { mut booking, mut respond, mode } = asked;
        let Finished { reply, fault_code, .. } = finish(&self.desk, &booking.open, &booking.tag, result);
        let id = booking.open.id;
        let (head, bytes_out) = reply::head(&reply, self.date(), id.as_str());
        let status = reply.status;
        let (left, chunks) = match reply.body {
            _ if mode == BodyMode::Omit || matches!(status, 204 | 304) => (Payload::of(Body::Empty), None),
            Body::Stream(chunks) => (Payload::of(Body::Empty), Some(chunks)),
            body => (Payload::of(body), None),
        };
        // A client that has taken its request back gets no answer, and the books say so.
        let stream = respond.send_response(head, left.is_empty() && chunks.is_none()).ok()?;
        self.served += 1;
        booking.answered(Entry { status, fault_code, bytes_out });
        let (demand, now) = (self.of_answers(), self.desk.tick());
        let sending =
            Sending { booking, stream, left, flow: Flow::begin(demand, now), deadline: now.after(demand.grace) };
        match chunks {
            Some(chunks) => Some(Stage::Pieces(Box::new(Streaming::new(sending, chunks)))),
            None if sending.left.is_empty() => None,
            None => send_at_once(sending),
        }
    }

    fn date(&mut self) -> &HeaderValue {
        let now = self.desk.unix();
        if self.date.0 != now {
            let text = Bytes::copy_from_slice(&date(&self.desk));
            self.date = (now, HeaderValue::from_maybe_shared(text).unwrap_or(HeaderValue::from_static("")));
        }
        &self.date.1
    }

    fn of_bodies(&self) -> Demand {
        Demand::of_bodies(&self.desk.common.service.config.server)
    }

    fn of_answers(&self) -> Demand {
        Demand::of_answers(&self.desk.common.service.config.server)
    }
}

/// What a client is told whose body has no room.
const fn too_much(full: Full, bytes_max: usize) -> Refusal {
    match full {
        Full::Body => Refusal::Answer(Fault::BodyTooLarge { bytes_max }),
        Full::Connection => Refusal::Reset(Fault::Overloaded),
    }
}

/// What a stage came to.
enum Step {
    Waits(Stage),
    GoesOn(Stage),
    Done,
}

impl Step {
    fn of(stage: Option<Stage>) -> Self {
        stage.map_or(Self::Done, Self::GoesOn)
    }
}

/// The usual answer fits the client's windows: it is handed over whole and needs no place.
fn send_at_once(mut sending: Sending) -> Option<Stage> {
    sending.stream.reserve_capacity(sending.left.len());
    if sending.stream.capacity() < sending.left.len() {
        return Some(Stage::Payload(Box::new(sending)));
    }
    let Sending { mut booking, mut stream, left, .. } = sending;
    booking.wrote(left.len());
    // An error means that the client has just given up.
    let _ = stream.send_data(left, true);
    None
}

fn mode(parts: &Parts) -> BodyMode {
    if parts.method == ::http::Method::HEAD { BodyMode::Omit } else { BodyMode::Send }
}
