//! Sockets: the ring, listeners, streams, buffers, timers.
//! Never here: paths, JSON, users.

pub mod probe;
