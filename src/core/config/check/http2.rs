//! The section [http2]: whether it is spoken, and how much a client may begin and send ahead.
//! Never here: a default.

use crate::core::bounds;
use crate::core::config::error::Complaint;
use crate::core::config::http2::Http2;
use crate::core::config::section::{Relation, Section};

use super::knobs::open;

pub(super) const HTTP2: &[&str] = &["enabled", "streams_max", "stream_window_bytes", "connection_window_bytes"];

/// RFC 9113 §6.9.2: where every window begins; below it a client would have sent too much before it knew.
const WINDOW_BYTES_MIN: usize = 64 * 1024 - 1;
const STREAM_WINDOW_BYTES_MAX: usize = 16 * 1024 * 1024;
const CONNECTION_WINDOW_BYTES_MAX: usize = 64 * 1024 * 1024;

pub(super) fn http2(root: &Section<'_>) -> Http2 {
    let section = open(root, "http2", HTTP2);
    let http2 = Http2 {
        enabled: section
            .read("enabled", true, |value| value.as_bool().ok_or_else(|| Complaint::new("must be true or false", ""))),
        streams_max: section.count(
            "streams_max",
            1..=bounds::HTTP2_STREAMS_CEILING,
            "requests at a time on one connection; browsers want 100",
        ),
        stream_window_bytes: section.bytes(
            "stream_window_bytes",
            WINDOW_BYTES_MIN..=STREAM_WINDOW_BYTES_MAX,
            "what a client may send of one body before any of it is read",
        ),
        connection_window_bytes: section.bytes(
            "connection_window_bytes",
            WINDOW_BYTES_MIN..=CONNECTION_WINDOW_BYTES_MAX,
            "what a client may send of all bodies before any of it is read",
        ),
    };
    section.relate(
        "stream_window_bytes",
        "http2.connection_window_bytes",
        Relation {
            holds: http2.stream_window_bytes <= http2.connection_window_bytes,
            need: "must be at most",
            cure: "a stream cannot send more than its connection",
        },
    );
    http2
}
