//! One connection's HTTP/2 state without its socket: the library's connection, the pipe, what passes counted and judged.
//! All of it can go to another shard while the connection rests.
//! Never here: a task, a desk, a deadline.

use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ::h2::server::{Builder, Connection, Handshake};
use ::h2::{Reason, RecvStream};
use ::http::Request;

use crate::core::bounds::{HTTP2_FRAME_BYTES_MAX, HTTP2_HEADER_LIST_BYTES_MAX, HTTP2_STREAMS_CEILING};
use crate::core::config::http2::Http2;
use crate::core::flood::Flood;
use crate::core::time::Tick;
use crate::proto::http2::PREFACE;
use crate::proto::http2::block::blames_a_field;
use crate::proto::http2::budget::Budget;
use crate::proto::http2::meter::{HEAD_BYTES, Meter, Passing, Seen, flag, kind};
use crate::proto::http2::order::{Disorder, Order};
use crate::proto::http2::payload::Payload;

use super::pipe::Pipe;
use super::stage::Respond;

/// How long a stream that we reset is remembered, so that what the client sent before it knew is passed over: a long round trip.
const RESET_KEEP: Duration = Duration::from_secs(3);

/// Requests that a client takes back before any of them has been looked at. More than the budget lets pass at once.
const TAKEN_BACK_MAX: usize = 1024;

/// A GOAWAY without further words: its head, the last stream, the reason (RFC 9113 §6.8).
const GOAWAY_BYTES: usize = HEAD_BYTES + 8;

/// Unsent bytes of one answer that the library keeps beside the pipe.
const SEND_BYTES_MAX: usize = 4 * HTTP2_FRAME_BYTES_MAX;

pub struct Line {
    library: Library,
    pub pipe: Pipe,
    from_client: Meter,
    /// Where in what was fed last the first whole frame begins.
    first_frame: Option<u32>,
    to_client: Meter,
    /// Bytes at the front of what is to be sent that have been counted.
    counted: usize,
    /// Streams whose body ended, in what was fed last, with trailers without a field.
    pub blank: Vec<u32>,
    order: Order,
    budget: Budget,
    /// Frames of the client, and streams begun, so far.
    pub frames: u64,
    /// Header blocks that have come whole since the library last had nothing to say.
    heads: u32,
    pub streams: u64,
    /// We want the client to begin no more.
    parts: bool,
    /// The client has said that it begins no more.
    pub client_leaves: bool,
}

enum Library {
    /// Until the client's preface is here.
    Greets(Box<Handshake<Pipe, Payload>>),
    Speaks(Box<Connection<Pipe, Payload>>),
    Over,
}

/// What a client does that ends its connection.
#[derive(Clone, Copy, Debug)]
pub enum Offence {
    Flood(Flood),
    Disorder(Disorder),
}

/// What the library says next.
#[expect(clippy::large_enum_variant, reason = "taken apart where it is made: a box would cost more")]
pub enum Heard {
    Request(Request<RecvStream>, Respond),
    Nothing,
    /// The connection is at its end, in order or not; what is in the pipe are its last words.
    End(Result<(), ::h2::Error>),
}

impl Line {
    pub fn new(config: &Http2) -> Self {
        let pipe = Pipe::new();
        let handshake = builder(config).handshake(pipe.clone());
        Self {
            library: Library::Greets(Box::new(handshake)),
            pipe,
            from_client: Meter::after(PREFACE.len() as u32),
            first_frame: None,
            to_client: Meter::after(0),
            counted: 0,
            blank: Vec::new(),
            order: Order::default(),
            budget: Budget::new(),
            frames: 0,
            heads: 0,
            streams: 0,
            parts: false,
            client_leaves: false,
        }
    }

    /// Lays received bytes out for the library, up to the frame that ends the connection.
    ///
    /// # Errors
    /// They are out of order, or one flood too many.
    pub fn feed(&mut self, mut bytes: Vec<u8>, now: Tick) -> Result<(), Offence> {
        let mut judged = Ok(());
        self.first_frame = self.from_client.bytes_to_next();
        let Self { order, budget, frames, heads, client_leaves: leaves, blank, .. } = self;
        let mut withheld = Vec::new();
        blank.clear();
        let broken_off = self.from_client.pass(&bytes, |passing, began| {
            judged = order.follow(passing).map_err(Offence::Disorder).and_then(|()| match passing {
                Passing::Frame(frame) => {
                    let whole = began.map(|at| at..at + HEAD_BYTES + frame.bytes as usize);
                    withheld.extend(whole.filter(|_| is_withheld(&frame)));
                    blank.extend(is_blank(&frame).then_some(frame.stream));
                    *leaves |= frame.kind == kind::GOAWAY;
                    *frames += 1;
                    let ends_block = frame.flags & flag::END_HEADERS != 0;
                    *heads += u32::from(ends_block && matches!(frame.kind, kind::HEADERS | kind::CONTINUATION));
                    budget.received(frame, now).map_err(Offence::Flood)
                }
                Passing::Setting { .. } => Ok(()),
            });
            if judged.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        if let Some(len) = broken_off {
            bytes.truncate(len);
        }
        for range in withheld.into_iter().rev() {
            if range.end <= bytes.len() {
                bytes.drain(range);
            }
        }
        self.pipe.ends().feed(bytes);
        judged
    }

    /// Counts what the library has written.
    ///
    /// # Errors
    /// It is one flood too many.
    pub fn judge_written(&mut self, now: Tick) -> Result<(), Flood> {
        let mut judged = Ok(());
        let budget = &mut self.budget;
        let ends = self.pipe.ends();
        let fresh = ends.outbound.get(self.counted..).unwrap_or_default();
        self.to_client.pass(fresh, |passing, _| {
            if let (Passing::Frame(frame), Ok(())) = (passing, judged) {
                judged = budget.sent(frame, now);
            }
            ControlFlow::Continue(())
        });
        self.counted = ends.outbound.len();
        judged
    }

    /// So many bytes have left.
    pub const fn sent(&mut self, bytes: usize) {
        // The last words of a connection leave uncounted.
        self.counted = self.counted.saturating_sub(bytes);
    }

    /// Requests were answered, answers given up.
    ///
    /// # Errors
    /// Too many were given up.
    pub fn judge_served(&mut self, served: u32, stalled: u32, now: Tick) -> Result<(), Flood> {
        for _ in 0..served {
            self.budget.served();
        }
        (0..stalled).try_for_each(|_| self.budget.stalled(now))
    }

    /// Lets the library read, write, and say what came of it. It is asked again whenever anything has happened, so nobody
    /// needs to be woken.
    pub fn hear(&mut self) -> Heard {
        let mut cx = Context::from_waker(Waker::noop());
        if let Library::Greets(handshake) = &mut self.library {
            match Pin::new(&mut **handshake).poll(&mut cx) {
                Poll::Pending => return Heard::Nothing,
                Poll::Ready(Ok(mut connection)) => {
                    if self.parts {
                        connection.graceful_shutdown();
                    }
                    self.library = Library::Speaks(Box::new(connection));
                }
                Poll::Ready(Err(error)) => return self.end(Err(error)),
            }
        }
        let Library::Speaks(connection) = &mut self.library else { return Heard::Nothing };
        match connection.poll_accept(&mut cx) {
            Poll::Pending => {
                self.heads = 0;
                Heard::Nothing
            }
            Poll::Ready(Some(Ok((request, respond)))) => {
                self.streams += 1;
                self.heads = self.heads.saturating_sub(1);
                Heard::Request(request, respond)
            }
            Poll::Ready(Some(Err(error))) => self.end(Err(error)),
            Poll::Ready(None) => self.end(Ok(())),
        }
    }

    /// Tells the client to come no more (RFC 9113 §6.8): no stream is given up. Who has not finished its preface is told behind
    /// it.
    pub fn part(&mut self) {
        self.parts = true;
        if let Library::Speaks(connection) = &mut self.library {
            connection.graceful_shutdown();
        }
    }

    /// Ends the connection: GOAWAY with that reason, and nothing more.
    pub fn end_now(&mut self, reason: Reason) {
        if let Library::Greets(_) = self.library {
            // The preface may have come together with what ends the connection.
            self.hear();
        }
        if let Library::Speaks(connection) = &mut self.library {
            connection.abrupt_shutdown(reason);
            // Two answers at most: what came before, and the end.
            while !matches!(self.hear(), Heard::End(_) | Heard::Nothing) {}
        }
        self.library = Library::Over;
    }

    /// About how many requests the library has to hand out: trailers have a header block as well.
    pub fn heads(&self) -> usize {
        (self.heads as usize).min(HTTP2_STREAMS_CEILING)
    }

    /// Whether no stream is open, as far as the client knows.
    pub fn has_streams(&self) -> bool {
        matches!(&self.library, Library::Speaks(connection) if connection.has_streams())
    }

    /// Whether the client owes the rest of something that it has begun.
    pub const fn is_amid(&self) -> bool {
        self.from_client.is_amid()
    }

    /// Whether the conversation may go on elsewhere.
    pub fn rests(&self) -> bool {
        let speaks = matches!(self.library, Library::Speaks(_));
        speaks && !self.is_amid() && self.counted == 0 && self.pipe.ends().is_drained() && !self.has_streams()
    }

    /// Nothing but a header block is left that the library can mean, see `Order`; RFC 9113 §4.3 has a name for one that does
    /// not decode.
    fn name_refused_block(&self) {
        let mut ends = self.pipe.ends();
        let frames = self.first_frame.and_then(|at| ends.fed().get(at as usize..));
        if !frames.is_some_and(blames_a_field) {
            rename_goodbye(&mut ends.outbound, Reason::COMPRESSION_ERROR);
        }
    }

    fn end(&mut self, result: Result<(), ::h2::Error>) -> Heard {
        if let (Library::Speaks(_), Err(error)) = (&self.library, &result)
            && error.is_library()
            && error.reason() == Some(Reason::PROTOCOL_ERROR)
            && self.order.is_known()
        {
            self.name_refused_block();
        }
        self.library = Library::Over;
        Heard::End(result)
    }
}

/// Frames that the library does not get to see, where they came in one piece. The budget counts them.
const fn is_withheld(frame: &Seen) -> bool {
    match frame.kind {
        // It says nothing, and the library bears a hundred of them in the whole life of a connection.
        kind::DATA => frame.flags == 0 && frame.bytes == 0,
        // RFC 9113 §6.8: the client will begin nothing more, but it may still ask whether we are there. The library would
        // close at once; the client closes, or is closed a moment later.
        kind::GOAWAY => true,
        _ => false,
    }
}

/// Whether a frame is a whole header block with nothing in it: the library lets it pass as trailers alone.
const fn is_blank(frame: &Seen) -> bool {
    frame.kind == kind::HEADERS && frame.flags == flag::END_STREAM | flag::END_HEADERS && frame.bytes == 0
}

/// Puts another reason into the GOAWAY that was written last.
fn rename_goodbye(out: &mut [u8], reason: Reason) {
    let at = out.len().saturating_sub(GOAWAY_BYTES);
    if let Some([0, 0, 8, kind::GOAWAY, .., a, b, c, d]) = out.get_mut(at..) {
        [*a, *b, *c, *d] = u32::from(reason).to_be_bytes();
    }
}

/// Bounds for the edge; the library's defaults are for friends.
fn builder(config: &Http2) -> Builder {
    let streams_max = config.streams_max as u32;
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(streams_max)
        .initial_window_size(config.stream_window_bytes as u32)
        .initial_connection_window_size(config.connection_window_bytes as u32)
        .max_frame_size(HTTP2_FRAME_BYTES_MAX as u32)
        .max_header_list_size(HTTP2_HEADER_LIST_BYTES_MAX as u32)
        .max_send_buffer_size(SEND_BYTES_MAX)
        // The budget has judged them before the library sees them.
        .max_pending_accept_reset_streams(TAKEN_BACK_MAX)
        .max_concurrent_reset_streams(config.streams_max)
        .reset_stream_duration(RESET_KEEP)
        // Counted by our own budget, which comes back with work; the library's would end every long-lived connection.
        .max_local_error_reset_streams(None);
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resting_connection_can_go_to_another_thread() {
        fn goes<T: Send>() {}
        goes::<Line>();
    }
}
