//! What HTTP/2 is allowed, checked: whether it is spoken, and how much a client may begin and send ahead.
//! Never here: how it is checked.

#[derive(Clone, Copy, Debug)]
pub struct Http2 {
    pub enabled: bool,
    /// Requests at a time on one connection.
    pub streams_max: usize,
    /// Body bytes that a client may send ahead, on one stream and on all of a connection.
    pub stream_window_bytes: usize,
    pub connection_window_bytes: usize,
}
