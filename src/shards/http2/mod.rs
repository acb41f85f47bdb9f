//! HTTP/2 on one connection: the `h2` crate speaks it, into a pipe; here it is fed, bounded and timed, and every request goes the
//! way that those of HTTP/1 go.
//! Never here: a route's meaning, a second pipeline, the library's defaults.

mod backlog;
mod bodies;
mod conversation;
mod exchange;
mod line;
mod pipe;
mod places;
mod ready;
mod stage;

pub use conversation::Conversation;
pub use line::Line;
