//! Identities as newtypes, so that one kind of number or text is never taken for another.

use std::fmt;
use std::sync::Arc;

/// Index of a shard on this node, counted from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

/// Index of a route in the configuration, counted from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteId(pub u16);

/// A WeChat user within one mini-program. Cheap to clone; never printed in a log, see `core::mask`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpenId(Arc<str>);

/// A mini-program.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppId(Arc<str>);

/// One login of one user: 128 random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u128);

/// Identity of one request in logs and answers. Ours are 16 hex digits; a client's own is kept when well formed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId {
    len: u8,
    bytes: [u8; RequestId::BYTES_MAX],
}

impl OpenId {
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An openid identifies a person: debug output of a structure must not spill it.
impl fmt::Debug for OpenId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("OpenId(…)")
    }
}

impl AppId {
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SessionId {
    /// 32 lower-case hex digits.
    #[must_use]
    pub fn to_hex(self) -> String {
        format!("{:032x}", self.0)
    }

    /// Reads what [`SessionId::to_hex`] writes and nothing else.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let hex = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if hex { u128::from_str_radix(text, 16).ok().map(Self) } else { None }
    }
}

impl RequestId {
    /// Longest identity taken over from a client: a UUID is 36, a W3C trace id 32.
    pub const BYTES_MAX: usize = 40;

    /// Our own identity from a number: 16 lower-case hex digits, without going through `fmt`.
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut bytes = [0; Self::BYTES_MAX];
        for (index, byte) in bytes.iter_mut().take(16).enumerate() {
            *byte = DIGITS[(number >> (60 - 4 * index) & 15) as usize];
        }
        Self { len: 16, bytes }
    }

    /// A client's identity, if it is 8 to 40 letters, digits, `-`, `_` or `.`; nothing else may reach a log.
    #[must_use]
    pub fn from_client(text: &[u8]) -> Option<Self> {
        let well_formed = (8..=Self::BYTES_MAX).contains(&text.len())
            && text.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if !well_formed {
            return None;
        }
        let mut bytes = [0; Self::BYTES_MAX];
        bytes[..text.len()].copy_from_slice(text);
        Some(Self { len: text.len() as u8, bytes })
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len as usize]).unwrap_or_default()
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_request_ids_are_sixteen_hex_digits() {
        assert_eq!(RequestId::from_number(0x00ab_cdef_0123_4567).as_str(), "00abcdef01234567");
    }

    #[test]
    fn a_clients_request_id_is_bounded_and_plain() {
        let check =
            |text: &str, kept: bool| assert_eq!(RequestId::from_client(text.as_bytes()).is_some(), kept, "{text}");
        check("1234567", false);
        check("12345678", true);
        check(&"a".repeat(40), true);
        check(&"a".repeat(41), false);
        check("abcdefgh\r\nx: y", false);
        check("abc def ghi", false);
    }

    #[test]
    fn session_ids_survive_their_text() {
        let id = SessionId(0x0123_4567_89ab_cdef_0000_0000_0000_0001);
        assert_eq!(SessionId::from_hex(&id.to_hex()), Some(id));
        assert_eq!(SessionId::from_hex("+0000000000000000000000000000001"), None);
    }
}
