//! What lies where while a chunked body arrives; the rules of its syntax are tested through the machine.

use super::*;

/// Feeds pieces as the machine does: what `Partial` names as read is removed before the next piece comes.
fn decode(pieces: &[&[u8]], bytes_max: usize) -> (Progress, Vec<u8>) {
    let mut dechunker = Dechunker::new(bytes_max);
    let mut buf = Vec::new();
    let mut last = Progress::Partial { kept: 0, read: 0 };
    for piece in pieces {
        buf.extend_from_slice(piece);
        last = dechunker.decode(&mut buf).expect("lawful");
        if let Progress::Partial { kept, read } = last {
            buf.drain(kept..read);
        }
    }
    (last, buf)
}

#[test]
fn content_moves_to_the_front() {
    let (progress, buf) = decode(&[b"2\r\nab\r\n3\r\ncde\r\n0\r\n\r\nGET"], 5);
    assert_eq!(progress, Progress::Whole { body_bytes: 5, wire_bytes: 20 });
    assert_eq!(&buf[..5], b"abcde");
    assert_eq!(&buf[20..], b"GET");
}

#[test]
fn an_unfinished_line_is_kept_and_framing_is_not() {
    let (progress, buf) = decode(&[b"2\r\nab\r\n3;x"], 5);
    assert_eq!(progress, Progress::Partial { kept: 2, read: 7 });
    assert_eq!(buf, b"ab3;x");
    let (progress, buf) = decode(&[b"2\r\nab\r\n3;x", b"\r\nc", b"de\r", b"\n0\r\n\r\n"], 5);
    assert!(matches!(progress, Progress::Whole { body_bytes: 5, .. }));
    assert_eq!(&buf[..5], b"abcde");
}

#[test]
fn sizes_fill_a_u64() {
    assert_eq!(size(b"ffffffffffffffff"), Ok((u64::MAX, &b""[..])));
    assert_eq!(size(b"0Af;x"), Ok((0xaf, &b";x"[..])));
    assert!(size(b"10000000000000000").is_err());
}
