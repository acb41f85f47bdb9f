//! HTTP/1.0 and 1.1 as a server speaks it: bytes → `Request`, `Reply` → bytes (RFC 9110, RFC 9112).
//! Never here: sockets, clocks, leniency. What two readers could frame differently is refused and the connection closes.

mod chunked;
mod date;
pub(in crate::proto) mod framing;
mod head;
mod machine;
mod path;
mod percent;
pub mod query;
pub(in crate::proto) mod target;
mod write;

pub use date::imf_fixdate;
pub use head::HeaderTable;
pub use machine::{Advance, Awaiting, Event, Machine};
pub use path::normalize;
pub use write::{CONTINUE, ReplyContext, StreamCoding, write_chunk, write_last_chunk, write_reply, write_stream_head};

use crate::core::bounds;
use crate::core::config::checked::Server;

/// Bounds of a request head; those of a body belong to its route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the first byte of the method to the end of the empty line.
    pub head_bytes_max: usize,
    /// Smaller than `head_bytes_max`.
    pub target_bytes_max: usize,
    /// At most `bounds::HEADERS_MAX`.
    pub headers_max: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    Http10,
    Http11,
}

/// What happens to the connection after the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    KeepAlive,
    Close,
}

/// Whether the answer's body is sent or, for HEAD, only described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyMode {
    Send,
    Omit,
}

/// What the answer has to know about the request that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wire {
    pub version: Version,
    pub persistence: Persistence,
    pub body: BodyMode,
}

impl Limits {
    #[must_use]
    pub const fn of(server: &Server) -> Self {
        Self {
            head_bytes_max: server.head_bytes_max,
            target_bytes_max: server.target_bytes_max,
            headers_max: server.headers_max,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes_max: bounds::HEAD_BYTES_MAX,
            target_bytes_max: bounds::TARGET_BYTES_MAX,
            headers_max: bounds::HEADERS_MAX,
        }
    }
}
