//! Percent-decoding (RFC 3986 §2.1) for paths and queries.
//! Never here: a bad escape that passes as text.

/// The byte that `%XY` at the start of `text` means, and the text behind it; `None` if those are no two hex digits.
pub(super) fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let [b'%', high, low, rest @ ..] = text else { return None };
    Some((hex(*high)? << 4 | hex(*low)?, rest))
}

/// Value of a hex digit of either case.
pub(super) const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
