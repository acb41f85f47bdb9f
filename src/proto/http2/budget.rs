//! What a client may ask of a connection without bringing a request: each kind of such frames has an allowance that comes
//! back with time and with useful work, so that a client that works never meets it.
//! Never here: a clock, a frame's bytes.

use std::time::Duration;

use crate::core::flood::Flood;
use crate::core::time::Tick;

use super::meter::{Seen, flag, kind};

/// Increments below this are not worth the frame that carries them: a client takes in at least a packet before it says so.
const TINY_INCREMENT: u32 = 1024;
/// RFC 9113 §7.
const NO_ERROR: u32 = 0;
const CANCEL: u32 = 8;
/// Body bytes, in either direction, that count as much as a request.
const WORK_BYTES: u32 = 16 * 1024;

/// How much of one kind is allowed.
struct Allowance {
    /// At once.
    burst: u64,
    per_second: u64,
    /// Given back for each piece of useful work.
    per_work: u64,
}

/// The allowances of one connection, each as the instant at which it will be whole again.
#[derive(Debug)]
pub struct Budget {
    whole_at: [Tick; Flood::ALL.len()],
    /// Body bytes that have not been counted as work yet.
    moved: u32,
}

impl Budget {
    #[must_use]
    pub const fn new() -> Self {
        Self { whole_at: [Tick(0); Flood::ALL.len()], moved: 0 }
    }

    /// A frame from the client.
    ///
    /// # Errors
    /// What there was too much of.
    pub fn received(&mut self, frame: Seen, now: Tick) -> Result<(), Flood> {
        match frame.kind {
            kind::DATA if frame.flags & flag::END_STREAM == 0 && frame.bytes <= frame.padding => {
                self.charge(Flood::EmptyData, 1, now)
            }
            kind::DATA => {
                self.moved(frame.bytes);
                Ok(())
            }
            kind::HEADERS => self.charge(Flood::HeaderBytes, frame.bytes, now),
            kind::CONTINUATION => {
                self.charge(Flood::Continuation, 1, now)?;
                self.charge(Flood::HeaderBytes, frame.bytes, now)
            }
            kind::PRIORITY => self.charge(Flood::Priority, 1, now),
            kind::RST_STREAM => self.charge(Flood::RapidReset, 1, now),
            kind::PING => self.charge(Flood::Ping, 1, now),
            kind::WINDOW_UPDATE if frame.number >= TINY_INCREMENT => Ok(()),
            kind::WINDOW_UPDATE => self.charge(Flood::WindowUpdate, 1, now),
            // What the library passes over still has to be read.
            _ => self.charge(Flood::Settings, 1, now),
        }
    }

    /// A frame to the client.
    ///
    /// # Errors
    /// What there was too much of.
    pub fn sent(&mut self, frame: Seen, now: Tick) -> Result<(), Flood> {
        match (frame.kind, frame.number) {
            // Ours to decide: the rest of a body that nobody needs, an answer that was not taken.
            (kind::RST_STREAM, NO_ERROR | CANCEL) => Ok(()),
            (kind::RST_STREAM, _) => self.charge(Flood::ProvokedReset, 1, now),
            (kind::DATA, _) => {
                self.moved(frame.bytes);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A stream was given up because its window stayed closed.
    ///
    /// # Errors
    /// There were too many.
    pub fn stalled(&mut self, now: Tick) -> Result<(), Flood> {
        self.charge(Flood::Stall, 1, now)
    }

    /// A request has its answer.
    pub fn served(&mut self) {
        self.worked(1);
    }

    fn moved(&mut self, bytes: u32) {
        let moved = self.moved.saturating_add(bytes);
        self.moved = moved % WORK_BYTES;
        if moved >= WORK_BYTES {
            self.worked(moved / WORK_BYTES);
        }
    }

    fn worked(&mut self, pieces: u32) {
        for (flood, whole_at) in Flood::ALL.iter().zip(&mut self.whole_at) {
            let Allowance { per_second, per_work, .. } = allowance(*flood);
            whole_at.0 = whole_at.0.saturating_sub(u64::from(pieces) * per_work * nanos_each(per_second));
        }
    }

    fn charge(&mut self, flood: Flood, amount: u32, now: Tick) -> Result<(), Flood> {
        let Allowance { burst, per_second, .. } = allowance(flood);
        let whole_at = &mut self.whole_at[flood as usize];
        let each = nanos_each(per_second);
        *whole_at = Tick(whole_at.0.max(now.0) + u64::from(amount) * each);
        if whole_at.0 - now.0 > burst * each { Err(flood) } else { Ok(()) }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new()
    }
}

const fn allowance(flood: Flood) -> Allowance {
    let (burst, per_second, per_work) = match flood {
        // A page of a hundred requests left twice in a row, a user who leaves ten requests a second, and who has his
        // answers may leave as many again.
        Flood::RapidReset => (200, 10, 1),
        // A client that opens its streams before it knows our bound has all beyond it refused, once or twice.
        Flood::ProvokedReset => (200, 5, 1),
        // Keep-alive needs one in ten seconds; a client that measures its bandwidth sends one per round trip while
        // data flows, which is work.
        Flood::Ping => (64, 2, 4),
        // One at the start, its acknowledgement of ours, and a change of windows now and then.
        Flood::Settings => (32, 1, 1),
        // Obsolete (RFC 9113 §5.3.2): older browsers send five at the start and one or two with a request.
        Flood::Priority => (128, 10, 4),
        // Some writers end a piece with an empty frame; nobody needs two in a row.
        Flood::EmptyData => (64, 10, 4),
        // A simple client reports every frame it reads, for the stream and for the connection.
        Flood::WindowUpdate => (256, 20, 16),
        // Our list of headers fits one frame: a client that splits it at a lower bound sends a few.
        Flood::Continuation => (64, 10, 8),
        // Sixteen of the longest lists at once; with each request that is served one comes back.
        Flood::HeaderBytes => (256 * 1024, 16 * 1024, 16 * 1024),
        // A phone that goes into a tunnel leaves what it had asked for: a screen has fewer than this.
        Flood::Stall => (32, 1, 1),
        // Judged by the library, by bounds of its own.
        Flood::Library => (1, 1, 1),
    };
    Allowance { burst, per_second, per_work }
}

const fn nanos_each(per_second: u64) -> u64 {
    Duration::from_secs(1).as_nanos() as u64 / per_second
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Tick = Tick(1_000_000_000);

    fn later(seconds: u64) -> Tick {
        START.after(Duration::from_secs(seconds))
    }

    /// A flood is met after exactly its burst, comes back with time, and with work.
    #[track_caller]
    fn check(flood: Flood, each: impl Fn(&mut Budget, Tick) -> Result<(), Flood>) {
        let Allowance { burst, per_second, .. } = allowance(flood);
        let mut budget = Budget::new();
        for _ in 0..burst {
            assert_eq!(each(&mut budget, START), Ok(()), "{flood:?} within the burst");
        }
        assert_eq!(each(&mut budget, START), Err(flood), "{flood:?} beyond the burst");

        let mut budget = Budget::new();
        for second in 0..1000 {
            for _ in 0..per_second {
                assert_eq!(each(&mut budget, later(second)), Ok(()), "{flood:?} at its rate");
            }
        }

        let mut budget = Budget::new();
        for _ in 0..100 * burst {
            assert_eq!(each(&mut budget, START), Ok(()), "{flood:?} with work");
            budget.served();
        }
    }

    fn seen(kind: u8) -> Seen {
        Seen { kind, flags: 0, bytes: 0, stream: 1, padding: 0, number: 1 }
    }

    fn data(bytes: u32) -> Seen {
        Seen { bytes, ..seen(kind::DATA) }
    }

    #[test]
    fn every_flood_is_met_after_its_burst_and_not_by_who_works() {
        let received = |flood: Flood, frame: Seen| check(flood, |budget, now| budget.received(frame, now));
        received(Flood::RapidReset, seen(kind::RST_STREAM));
        received(Flood::Ping, seen(kind::PING));
        received(Flood::Settings, seen(kind::SETTINGS));
        received(Flood::Settings, seen(0x42));
        received(Flood::Priority, seen(kind::PRIORITY));
        received(Flood::EmptyData, data(0));
        received(Flood::EmptyData, Seen { padding: 8, ..data(8) });
        received(Flood::WindowUpdate, seen(kind::WINDOW_UPDATE));
        received(Flood::Continuation, seen(kind::CONTINUATION));
        check(Flood::ProvokedReset, |budget, now| budget.sent(seen(kind::RST_STREAM), now));
        check(Flood::Stall, Budget::stalled);
    }

    #[test]
    fn header_bytes_are_counted_as_bytes() {
        let list = Seen { bytes: 16 * 1024, ..seen(kind::HEADERS) };
        let mut budget = Budget::new();
        for _ in 0..16 {
            assert_eq!(budget.received(list, START), Ok(()));
        }
        assert_eq!(budget.received(Seen { bytes: 1, ..list }, START), Err(Flood::HeaderBytes));
        let mut budget = Budget::new();
        for _ in 0..10_000 {
            assert_eq!(budget.received(list, START), Ok(()));
            budget.served();
        }
    }

    #[test]
    fn data_in_either_direction_is_work() {
        for is_sent in [false, true] {
            let mut budget = Budget::new();
            for _ in 0..10_000 {
                let data = data(8 * 1024);
                let moved = if is_sent { budget.sent(data, START) } else { budget.received(data, START) };
                assert_eq!((moved, budget.received(seen(kind::PING), START)), (Ok(()), Ok(())));
            }
        }
    }

    #[test]
    fn what_an_honest_client_does_anyway_costs_nothing() {
        let mut budget = Budget::new();
        for _ in 0..1000 {
            for code in [NO_ERROR, CANCEL] {
                assert_eq!(budget.sent(Seen { number: code, ..seen(kind::RST_STREAM) }, START), Ok(()));
            }
            let update = Seen { number: TINY_INCREMENT, ..seen(kind::WINDOW_UPDATE) };
            assert_eq!(budget.received(update, START), Ok(()));
            assert_eq!(budget.received(Seen { flags: flag::END_STREAM, ..data(0) }, START), Ok(()));
        }
    }
}
