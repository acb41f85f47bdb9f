//! The clocks of the backends' threads, which have no shard's turn to take the time from.
//! Never here: decisions about time.

use std::time::{Instant, SystemTime};

use crate::core::time::UnixSeconds;

#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// A wall clock before 1970 counts as 1970.
#[must_use]
pub fn unix_now() -> UnixSeconds {
    UnixSeconds(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}
