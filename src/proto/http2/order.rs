//! What a client's frames must be to be frames at all: their lengths, their streams, their order (RFC 9113 §4–§6). The library
//! knows most of it, but calls nearly everything PROTOCOL_ERROR; here it gets its right name before the library sees it.
//! Never here: header blocks, flow control, how many frames there may be.

use super::meter::{Passing, Seen, flag, kind};

/// Streams whose body is on its way. Beyond it, which takes a client that begins bodies and leaves them unfinished, streams
/// are left to the library alone.
const BODIES_MAX: usize = 1024;
/// RFC 9113 §4.2: the least that everybody accepts, and the most that we do.
const FRAME_BYTES_MAX: u32 = 16 * 1024;
/// RFC 9113 §6.5.2: values of SETTINGS_MAX_FRAME_SIZE.
const FRAME_BYTES_CEILING: u32 = (1 << 24) - 1;
/// RFC 9113 §6.9.1.
const WINDOW_BYTES_MAX: u32 = (1 << 31) - 1;

/// Why a connection cannot go on (RFC 9113 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disorder {
    Protocol,
    FlowControl,
    StreamClosed,
    FrameSize,
}

/// What has to be remembered of the frames so far.
#[derive(Debug, Default)]
pub struct Order {
    began: bool,
    /// Our SETTINGS have been acknowledged; there is one frame of them.
    acknowledged: bool,
    /// The stream whose header block goes on.
    block: Option<u32>,
    /// The latest stream of the client.
    last_stream: u32,
    /// From the first to the last stream that was passed over; most clients pass over none.
    skipped: Option<(u32, u32)>,
    /// Streams that the client has begun and not ended, in rising order.
    bodies: Vec<u32>,
    /// Too many of them to know.
    lost: bool,
}

impl Order {
    /// The next thing that a client says.
    ///
    /// # Errors
    /// Nothing may follow.
    pub fn follow(&mut self, passing: Passing) -> Result<(), Disorder> {
        match passing {
            Passing::Frame(frame) => self.frame(&frame),
            Passing::Setting { id, value } => setting(id, value),
        }
    }

    /// Whether nothing but a header block that cannot be decoded is left for the library to call a PROTOCOL_ERROR.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.began && !self.lost
    }

    fn frame(&mut self, frame: &Seen) -> Result<(), Disorder> {
        // RFC 9113 §3.4.
        let first = !std::mem::replace(&mut self.began, true);
        if first && (frame.kind != kind::SETTINGS || frame.flags & flag::ACK != 0) {
            return Err(Disorder::Protocol);
        }
        if frame.bytes > FRAME_BYTES_MAX {
            return Err(Disorder::FrameSize);
        }
        // RFC 9113 §6.10.
        let goes_on = frame.kind == kind::CONTINUATION && self.block == Some(frame.stream);
        if (self.block.is_some() || frame.kind == kind::CONTINUATION) && !goes_on {
            return Err(Disorder::Protocol);
        }
        length(frame)?;
        place(frame)?;
        match frame.kind {
            kind::DATA => self.body(frame),
            kind::HEADERS => self.head(frame),
            kind::CONTINUATION => {
                self.block = (frame.flags & flag::END_HEADERS == 0).then_some(frame.stream);
                Ok(())
            }
            kind::RST_STREAM => {
                self.not_idle(frame.stream)?;
                self.end(frame.stream);
                Ok(())
            }
            kind::WINDOW_UPDATE if frame.number == 0 => Err(Disorder::Protocol),
            kind::WINDOW_UPDATE => self.not_idle(frame.stream),
            kind::SETTINGS if frame.flags & flag::ACK != 0 => {
                let again = std::mem::replace(&mut self.acknowledged, true);
                if again { Err(Disorder::Protocol) } else { Ok(()) }
            }
            // RFC 9113 §8.4.
            kind::PUSH_PROMISE => Err(Disorder::Protocol),
            _ => Ok(()),
        }
    }

    fn body(&mut self, frame: &Seen) -> Result<(), Disorder> {
        self.not_idle(frame.stream)?;
        self.open(frame.stream)?;
        if frame.flags & flag::END_STREAM != 0 {
            self.end(frame.stream);
        }
        Ok(())
    }

    fn head(&mut self, frame: &Seen) -> Result<(), Disorder> {
        // RFC 9113 §5.1.1: streams of a client are odd.
        if frame.stream.is_multiple_of(2) {
            return Err(Disorder::Protocol);
        }
        if frame.flags & flag::END_HEADERS == 0 {
            self.block = Some(frame.stream);
        }
        let ends = frame.flags & flag::END_STREAM != 0;
        if frame.stream > self.last_stream {
            let next = self.last_stream.saturating_add(if self.last_stream == 0 { 1 } else { 2 });
            if frame.stream > next {
                let from = self.skipped.map_or(next, |(from, _)| from);
                self.skipped = Some((from, frame.stream - 2));
            }
            self.last_stream = frame.stream;
            if !ends {
                self.begin(frame.stream);
            }
            return Ok(());
        }
        // Trailers.
        self.open(frame.stream)?;
        if ends {
            self.end(frame.stream);
        }
        Ok(())
    }

    fn begin(&mut self, stream: u32) {
        if self.bodies.len() == BODIES_MAX {
            self.lost = true;
            self.bodies = Vec::new();
        }
        if !self.lost {
            self.bodies.push(stream);
        }
    }

    fn end(&mut self, stream: u32) {
        if let Ok(at) = self.bodies.binary_search(&stream) {
            self.bodies.remove(at);
        }
        if self.bodies.is_empty() {
            // A connection that rests holds nothing.
            self.bodies = Vec::new();
        }
    }

    /// RFC 9113 §5.1: behind its end nothing comes on a stream.
    fn open(&self, stream: u32) -> Result<(), Disorder> {
        let known = self.lost || self.bodies.binary_search(&stream).is_ok();
        // RFC 9113 §5.1.1: a stream that was passed over never began.
        let skipped = self.skipped.is_some_and(|(from, to)| (from..=to).contains(&stream));
        match (known, skipped) {
            (true, _) => Ok(()),
            (false, true) => Err(Disorder::Protocol),
            (false, false) => Err(Disorder::StreamClosed),
        }
    }

    /// RFC 9113 §5.1: before a stream begins nothing comes on it. We begin none.
    const fn not_idle(&self, stream: u32) -> Result<(), Disorder> {
        let is_idle = stream > self.last_stream || (stream != 0 && stream.is_multiple_of(2));
        if is_idle { Err(Disorder::Protocol) } else { Ok(()) }
    }
}

/// RFC 9113 §6: payloads of these kinds have a length of their own.
const fn length(frame: &Seen) -> Result<(), Disorder> {
    let Seen { kind, flags, bytes, padding, .. } = *frame;
    let fits = match kind {
        kind::HEADERS if flags & flag::PRIORITY != 0 => bytes >= 5 + (flags & flag::PADDED != 0) as u32,
        kind::PRIORITY => bytes == 5,
        kind::RST_STREAM | kind::WINDOW_UPDATE => bytes == 4,
        kind::SETTINGS if flags & flag::ACK != 0 => bytes == 0,
        kind::SETTINGS => bytes.is_multiple_of(6),
        kind::PING => bytes == 8,
        kind::GOAWAY => bytes >= 8,
        kind::DATA | kind::HEADERS => bytes > 0 || flags & flag::PADDED == 0,
        _ => true,
    };
    if !fits {
        return Err(Disorder::FrameSize);
    }
    // RFC 9113 §6.1: padding leaves room for what it pads, be that nothing.
    if padding > bytes { Err(Disorder::Protocol) } else { Ok(()) }
}

/// RFC 9113 §6: some kinds belong to a stream, others to the connection.
const fn place(frame: &Seen) -> Result<(), Disorder> {
    let fits = match frame.kind {
        kind::DATA | kind::HEADERS | kind::PRIORITY | kind::RST_STREAM => frame.stream != 0,
        kind::SETTINGS | kind::PING | kind::GOAWAY => frame.stream == 0,
        _ => true,
    };
    if fits { Ok(()) } else { Err(Disorder::Protocol) }
}

/// RFC 9113 §6.5.2, RFC 8441 §3.
fn setting(id: u16, value: u32) -> Result<(), Disorder> {
    match id {
        0x2 | 0x8 if value > 1 => Err(Disorder::Protocol),
        0x4 if value > WINDOW_BYTES_MAX => Err(Disorder::FlowControl),
        0x5 if !(FRAME_BYTES_MAX..=FRAME_BYTES_CEILING).contains(&value) => Err(Disorder::Protocol),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
