//! A request as every layer above the wire sees it, whatever protocol carried it.

use crate::core::method::Method;

/// One header field: the name is a token, the value has no control bytes and no outer white space.
pub use httparse::Header;

/// One whole request, borrowed from the receive buffer: nothing is copied until an action has to wait.
pub struct Request<'a> {
    pub method: Method,
    /// Percent-decoded, dot segments resolved, starts with `/`; or `*`, only with OPTIONS.
    pub path: &'a str,
    /// Raw text behind `?`, without it; see `proto::http1::query`.
    pub query: &'a str,
    /// In wire order, names as sent. At most `bounds::HEADERS_MAX`.
    pub headers: &'a [Header<'a>],
    /// Whole body, transfer coding removed. Mutable, because JSON is parsed in place.
    pub body: &'a mut [u8],
}

/// What a field value may hold (RFC 9110 §5.5): visible ASCII, space, tab, and obs-text, which is nobody's business: phones
/// put UTF-8 into fields of their own. Fields with a meaning are compared as bytes and know none of it.
#[must_use]
pub const fn is_value_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=0x7e | 0x80..)
}

/// The first header of that name, any case; `None` when absent. `name` is given in lower case.
#[must_use]
pub fn header<'a>(headers: &[Header<'a>], name: &str) -> Option<&'a [u8]> {
    debug_assert!(name.bytes().all(|b| !b.is_ascii_uppercase()));
    headers.iter().find(|h| h.name.eq_ignore_ascii_case(name)).map(|h| h.value)
}
