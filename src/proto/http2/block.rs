//! Why a header block was refused, looked at once it has been: it does not decode, or it holds an octet that no field may
//! have. The library says the same of both.
//! Never here: a table of fields. This is for the name of an error, not for reading requests.

use crate::proto::request::is_value_byte;

use super::meter::{HEAD_BYTES, flag, kind};

/// Whether one of the header blocks in `frames` decodes as far as it can be seen and holds an octet that no field has
/// (RFC 9113 §8.2.1). `frames` begins with a frame; what is cut off or Huffman-coded is not looked into.
#[must_use]
pub fn blames_a_field(mut frames: &[u8]) -> bool {
    while let Some((head, rest)) = frames.split_at_checked(HEAD_BYTES) {
        let &[a, b, c, kind, flags, ..] = head else { return false };
        let len = u32::from_be_bytes([0, a, b, c]) as usize;
        let Some((payload, next)) = rest.split_at_checked(len) else { return false };
        if kind == kind::HEADERS
            && fragment(payload, flags).is_some_and(|block| has_forbidden_octet(block) == Some(true))
        {
            return true;
        }
        frames = next;
    }
    false
}

/// The header block in a HEADERS frame, without padding and priority.
fn fragment(payload: &[u8], flags: u8) -> Option<&[u8]> {
    let (padding, rest) = match flags & flag::PADDED {
        0 => (0, payload),
        _ => payload.split_first().map(|(padding, rest)| (usize::from(*padding), rest))?,
    };
    let rest = if flags & flag::PRIORITY == 0 { rest } else { rest.get(5..)? };
    rest.get(..rest.len().checked_sub(padding)?)
}

/// RFC 7541 §6. `None`: it does not decode.
fn has_forbidden_octet(mut block: &[u8]) -> Option<bool> {
    let mut found = false;
    while let Some(&first) = block.first() {
        let (bits, is_literal) = match first {
            0x80.. => (7, false),
            0x40.. => (6, true),
            0x20.. => (5, false),
            _ => (4, true),
        };
        let (index, rest) = integer(block, bits)?;
        block = rest;
        if !is_literal {
            continue;
        }
        if index == 0 {
            let (name, rest) = string(block)?;
            found |= name.is_some_and(is_no_name);
            block = rest;
        }
        let (value, rest) = string(block)?;
        found |= value.is_some_and(|value| !value.iter().all(|&octet| is_value_byte(octet)));
        block = rest;
    }
    Some(found)
}

/// Names are in lower case, and those with a colon are few (RFC 9113 §8.2, §8.3).
fn is_no_name(name: &[u8]) -> bool {
    let known = matches!(name, b":method" | b":scheme" | b":authority" | b":path" | b":status" | b":protocol");
    name.iter().any(|octet| !matches!(octet, 0x21..=0x7e) || octet.is_ascii_uppercase())
        || (name.contains(&b':') && !known)
}

/// RFC 7541 §5.2. The text is `None` when it is Huffman-coded.
fn string(bytes: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let is_coded = bytes.first()? & 0x80 != 0;
    let (len, rest) = integer(bytes, 7)?;
    let (text, rest) = rest.split_at_checked(len)?;
    Some(((!is_coded).then_some(text), rest))
}

/// RFC 7541 §5.1. No length in a frame needs more than three octets behind the prefix.
fn integer(bytes: &[u8], bits: u32) -> Option<(usize, &[u8])> {
    let (first, mut rest) = bytes.split_first()?;
    let prefix = (1_usize << bits) - 1;
    let mut number = usize::from(*first) & prefix;
    if number < prefix {
        return Some((number, rest));
    }
    for shift in [0, 7, 14] {
        let (octet, left) = rest.split_first()?;
        rest = left;
        number += usize::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            return Some((number, rest));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(flags: u8, payload: &[u8], expect: bool) {
        let ping = [0, 0, 8, kind::PING, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
        let mut frames = ping.to_vec();
        frames.extend_from_slice(&[0, 0, payload.len() as u8, kind::HEADERS, flags, 0, 0, 0, 1]);
        frames.extend_from_slice(payload);
        assert_eq!(blames_a_field(&frames), expect, "{}", payload.escape_ascii());
        for len in 0..frames.len() {
            assert!(!blames_a_field(&frames[..len]), "a frame that is cut off");
        }
    }

    #[test]
    fn fields_are_told_from_blocks_that_do_not_decode() {
        // An indexed field, then a literal with a new name.
        check(0, b"\x82\x40\x01a\x01b", false);
        check(0, b"\x82\x40\x01a\x02b\n", true);
        check(0, b"\x82\x00\x01\xe9\x01b", true);
        check(0, b"\x10\x01a\x01\x7f", true);
        check(0, b"\x10\x01a\x01\xe9", false);
        check(0, b"\x00\x01A\x01b", true);
        check(0, b"\x00\x02:x\x01b", true);
        check(0, b"\x00\x05:path\x01/", false);
        check(0, b"\x3f\xe1\x1f\x41\x01\0", true);
        // Huffman-coded: not looked into.
        check(0, b"\x40\x81\x1f\x81\x00", false);
        // Cut off, too long, an integer without end.
        check(0, b"\x40", false);
        check(0, b"\x40\x01a\x05b\n", false);
        check(0, b"\x40\x01a\x02b\n\x40", false);
        check(0, b"\x7f\xff\xff\xff\xff\xff", false);
        check(0, b"", false);
    }

    #[test]
    fn padding_and_priority_are_no_part_of_it() {
        check(flag::PADDED, b"\x02\x40\x01a\x01b\n\n", false);
        check(flag::PADDED, b"\x02\x40\x01a\x01\n\0\0", true);
        check(flag::PRIORITY, b"\0\0\0\0\n\x40\x01a\x01b", false);
        check(flag::PADDED | flag::PRIORITY, b"\x01\0\0\0\0\n\x40\x01a\x01\n\0", true);
        check(flag::PADDED, b"\x09\x40", false);
    }

    proptest! {
        #[test]
        fn noise_is_survived(flags in any::<u8>(), block in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = has_forbidden_octet(&block);
            let mut frame = vec![0, 0, block.len() as u8, kind::HEADERS, flags, 0, 0, 0, 1];
            frame.extend(block);
            let _ = blames_a_field(&frame);
        }
    }
}
