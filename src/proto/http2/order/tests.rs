//! Sequences of frames, and where they break off.

use super::*;
use Disorder::{FlowControl, FrameSize, Protocol, StreamClosed};

fn frame(kind: u8, flags: u8, bytes: u32, stream: u32) -> Passing {
    let number = u32::from(kind == kind::WINDOW_UPDATE);
    Passing::Frame(Seen { kind, flags, bytes, stream, padding: 0, number })
}

fn padded(kind: u8, bytes: u32, padding: u32) -> Passing {
    let flags = flag::PADDED | flag::END_HEADERS;
    Passing::Frame(Seen { kind, flags, bytes, stream: 1, padding, number: 0 })
}

fn head(stream: u32) -> Passing {
    frame(kind::HEADERS, flag::END_HEADERS, 9, stream)
}

fn whole(stream: u32) -> Passing {
    frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 9, stream)
}

/// All frames but the last are in order; `expect` is what is said of that one. The client's SETTINGS come before.
#[track_caller]
fn check(frames: &[Passing], expect: Result<(), Disorder>) {
    let mut order = Order::default();
    order.follow(frame(kind::SETTINGS, 0, 0, 0)).unwrap();
    let (last, before) = frames.split_last().unwrap();
    for passing in before {
        assert_eq!(order.follow(*passing), Ok(()), "{passing:?}");
    }
    assert_eq!(order.follow(*last), expect, "{frames:?}");
}

#[test]
fn settings_come_first() {
    for first in [whole(1), frame(kind::SETTINGS, flag::ACK, 0, 0), frame(kind::PING, 0, 8, 0)] {
        assert_eq!(Order::default().follow(first), Err(Protocol));
    }
}

#[test]
fn lengths() {
    for (kind, stream, fits, wrong) in [
        (kind::PRIORITY, 1, &[5][..], &[0, 4, 6][..]),
        (kind::RST_STREAM, 1, &[4], &[0, 3, 5]),
        (kind::SETTINGS, 0, &[0, 6, 12], &[1, 5, 7]),
        (kind::PING, 0, &[8], &[0, 7, 9]),
        (kind::GOAWAY, 0, &[8, 9], &[0, 7]),
        (kind::WINDOW_UPDATE, 0, &[4], &[0, 3, 5]),
        (kind::DATA, 1, &[0, 1, 16 * 1024], &[16 * 1024 + 1]),
        (0x42, 1, &[0, 1], &[16 * 1024 + 1]),
    ] {
        for bytes in fits {
            check(&[head(1), frame(kind, 0, *bytes, stream)], Ok(()));
        }
        for bytes in wrong {
            check(&[head(1), frame(kind, 0, *bytes, stream)], Err(FrameSize));
        }
    }
    check(&[frame(kind::SETTINGS, flag::ACK, 6, 0)], Err(FrameSize));
    check(&[frame(kind::HEADERS, flag::PRIORITY | flag::END_HEADERS, 4, 1)], Err(FrameSize));
    check(&[frame(kind::HEADERS, flag::PRIORITY | flag::PADDED | flag::END_HEADERS, 5, 1)], Err(FrameSize));
}

#[test]
fn padding_fits_its_frame() {
    check(&[padded(kind::HEADERS, 4, 4)], Ok(()));
    check(&[padded(kind::HEADERS, 4, 5)], Err(Protocol));
    check(&[head(1), padded(kind::DATA, 4, 4)], Ok(()));
    check(&[head(1), padded(kind::DATA, 4, 5)], Err(Protocol));
    check(&[head(1), padded(kind::DATA, 0, 0)], Err(FrameSize));
}

#[test]
fn kinds_have_their_place() {
    for kind in [kind::DATA, kind::HEADERS] {
        check(&[frame(kind, flag::END_HEADERS, 1, 0)], Err(Protocol));
    }
    check(&[frame(kind::PRIORITY, 0, 5, 0)], Err(Protocol));
    check(&[frame(kind::RST_STREAM, 0, 4, 0)], Err(Protocol));
    check(&[whole(1), frame(kind::SETTINGS, 0, 0, 1)], Err(Protocol));
    check(&[whole(1), frame(kind::PING, 0, 8, 1)], Err(Protocol));
    check(&[whole(1), frame(kind::GOAWAY, 0, 8, 1)], Err(Protocol));
    check(&[whole(1), frame(kind::PUSH_PROMISE, 0, 8, 1)], Err(Protocol));
}

#[test]
fn streams_begin_and_end() {
    check(&[head(1), frame(kind::DATA, 0, 5, 1), frame(kind::DATA, flag::END_STREAM, 0, 1)], Ok(()));
    check(&[head(1), frame(kind::DATA, 0, 5, 1), whole(1)], Ok(()));
    check(&[head(1), whole(3), head(5), frame(kind::DATA, flag::END_STREAM, 1, 1), frame(kind::DATA, 0, 1, 5)], Ok(()));
    // Half-closed by its end, closed by a reset.
    check(&[whole(1), frame(kind::DATA, 0, 5, 1)], Err(StreamClosed));
    check(&[whole(1), whole(1)], Err(StreamClosed));
    check(&[head(1), frame(kind::RST_STREAM, 0, 4, 1), frame(kind::DATA, 0, 5, 1)], Err(StreamClosed));
    check(&[head(1), frame(kind::RST_STREAM, 0, 4, 1), whole(1)], Err(StreamClosed));
    check(&[whole(1), frame(kind::RST_STREAM, 0, 4, 1)], Ok(()));
    check(&[whole(1), frame(kind::WINDOW_UPDATE, 0, 4, 1)], Ok(()));
    // Passed over by a later one.
    check(&[whole(3), whole(1)], Err(Protocol));
    check(&[whole(1), whole(7), whole(5)], Err(Protocol));
    check(&[whole(1), whole(7), whole(1)], Err(StreamClosed));
    check(&[whole(1), whole(7), whole(7)], Err(StreamClosed));
    // Idle.
    check(&[frame(kind::DATA, 0, 5, 1)], Err(Protocol));
    check(&[frame(kind::RST_STREAM, 0, 4, 1)], Err(Protocol));
    check(&[frame(kind::WINDOW_UPDATE, 0, 4, 1)], Err(Protocol));
    check(&[frame(kind::PRIORITY, 0, 5, 1)], Ok(()));
    // Ours, and we begin none.
    check(&[whole(2)], Err(Protocol));
    check(&[whole(3), frame(kind::WINDOW_UPDATE, 0, 4, 2)], Err(Protocol));
}

#[test]
fn a_header_block_is_not_interrupted() {
    let begin = frame(kind::HEADERS, 0, 9, 1);
    let more = frame(kind::CONTINUATION, 0, 9, 1);
    let end = frame(kind::CONTINUATION, flag::END_HEADERS, 9, 1);
    check(&[begin, more, end, frame(kind::DATA, 0, 5, 1)], Ok(()));
    check(&[end], Err(Protocol));
    check(&[begin, end, end], Err(Protocol));
    check(&[begin, frame(kind::PING, 0, 8, 0)], Err(Protocol));
    check(&[begin, frame(0x42, 0, 8, 1)], Err(Protocol));
    check(&[begin, frame(kind::CONTINUATION, flag::END_HEADERS, 9, 3)], Err(Protocol));
}

#[test]
fn settings() {
    let setting = |id, value| Passing::Setting { id, value };
    for (id, fits, wrong, expect) in [
        (0x2, &[0, 1][..], &[2][..], Protocol),
        (0x4, &[0, WINDOW_BYTES_MAX], &[WINDOW_BYTES_MAX + 1, u32::MAX], FlowControl),
        (0x5, &[FRAME_BYTES_MAX, FRAME_BYTES_CEILING], &[FRAME_BYTES_MAX - 1, FRAME_BYTES_CEILING + 1], Protocol),
        (0x8, &[0, 1], &[2], Protocol),
    ] {
        for value in fits {
            check(&[setting(id, *value)], Ok(()));
        }
        for value in wrong {
            check(&[setting(id, *value)], Err(expect));
        }
    }
    check(&[setting(0x42, u32::MAX)], Ok(()));
    let ack = frame(kind::SETTINGS, flag::ACK, 0, 0);
    check(&[ack], Ok(()));
    check(&[ack, ack], Err(Protocol));
    let update =
        Passing::Frame(Seen { kind: kind::WINDOW_UPDATE, flags: 0, bytes: 4, stream: 0, padding: 0, number: 0 });
    check(&[update], Err(Protocol));
}

#[test]
fn beyond_its_bound_it_knows_no_streams_any_more() {
    let mut order = Order::default();
    order.follow(frame(kind::SETTINGS, 0, 0, 0)).unwrap();
    for index in 0..BODIES_MAX as u32 {
        order.follow(head(2 * index + 1)).unwrap();
    }
    assert!(order.is_known());
    let next = 2 * BODIES_MAX as u32 + 1;
    assert_eq!((order.follow(head(next)), order.is_known()), (Ok(()), false));
    assert_eq!(order.follow(frame(kind::DATA, 0, 5, next)), Ok(()), "the library knows");
}
