//! HTTP/2 as the operator allows it: [http2], checked.
//! Never here: limits that no operator should change, see `core::bounds`.

#[derive(Clone, Copy, Debug)]
pub struct Http2 {
    pub enabled: bool,
    /// Requests at a time on one connection.
    pub streams_max: usize,
    /// Body bytes that a client may send ahead, on one stream and on all of a connection.
    pub stream_window_bytes: usize,
    pub connection_window_bytes: usize,
}
