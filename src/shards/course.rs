//! How conversations begin and end, whatever protocol they speak.
//! Never here: what is said in between.

use std::time::Duration;

use crate::actions::desk::Desk;
use crate::core::ledger::CloseReason;

/// How long a connection that came in while the shard closed its door may take to begin its request.
pub const LAST_WAIT: Duration = Duration::from_secs(1);

/// How long a connection may take to begin something, where it may take `wait` otherwise.
pub fn first_wait(desk: &Desk, wait: Duration) -> Duration {
    if desk.front.draining.get() { wait.min(LAST_WAIT) } else { wait }
}

/// How a connection ends on this shard.
pub enum Ending {
    /// Everything is said; the client gets its last bytes.
    Gently(CloseReason),
    /// Nobody listens any more.
    AtOnce(CloseReason),
    /// It goes on at its user's shard.
    Move,
    /// The client has begun to speak HTTP/2: see `take_refused`.
    Http2,
}

/// What has been said on a connection before this conversation's next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nothing: the client may still begin with HTTP/2.
    Fresh,
    /// HTTP/1: a preface here would be a request that somebody in between has let pass.
    Spoken,
}
