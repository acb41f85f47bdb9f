//! The only place that reads a clock. A shard reads it once per connection it serves, everyone else is told.
//! Never here: decisions about time.

use std::cell::Cell;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::core::time::{Now, Tick, UnixSeconds, nanos};

/// Readings of one thread, relative to an instant that all threads of the process share.
#[derive(Debug)]
pub struct Clock {
    zero: Instant,
    last: Cell<Now>,
}

/// The common zero of all clocks of this process, taken once by whoever starts the shards.
#[derive(Clone, Copy, Debug)]
pub struct ClockZero(Instant);

impl ClockZero {
    #[must_use]
    pub fn now() -> Self {
        Self(Instant::now())
    }
}

/// An instant of a backend's thread, which has no shard's turn to take the time from.
#[must_use]
pub fn instant() -> Instant {
    Instant::now()
}

/// The wall clock of a backend's thread. A clock before 1970 counts as 1970.
#[must_use]
pub fn unix_now() -> UnixSeconds {
    UnixSeconds(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

impl Clock {
    #[must_use]
    pub fn new(zero: ClockZero) -> Self {
        let clock = Self { zero: zero.0, last: Cell::default() };
        clock.refresh();
        clock
    }

    /// Reads both clocks. The wall clock may jump; the tick cannot.
    pub fn refresh(&self) -> Now {
        let now = Now { tick: self.read_tick(), unix: unix_now() };
        self.last.set(now);
        now
    }

    /// Reads the monotonic clock only: 20 ns, for durations inside a turn.
    pub fn refresh_tick(&self) -> Tick {
        let tick = self.read_tick();
        self.last.set(Now { tick, ..self.last.get() });
        tick
    }

    /// Wall-clock seconds and microseconds, for lines of a log.
    #[must_use]
    pub fn wall(&self) -> (UnixSeconds, u32) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        (UnixSeconds(since.as_secs()), since.subsec_micros())
    }

    /// The last reading.
    #[must_use]
    pub fn now(&self) -> Now {
        self.last.get()
    }

    fn read_tick(&self) -> Tick {
        Tick(nanos(self.zero.elapsed()))
    }
}
