//! Request targets (RFC 9112 §3.2) and the host they are meant for.
//! Never here: a target that could name another resource to the balancer in front of us.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use memchr::memchr;

use crate::core::fault::Fault;
use crate::core::method::Method;

use super::Version;
use super::path;

pub(in crate::proto) struct Target<'t> {
    /// Host and port of an absolute-form target.
    pub authority: Option<&'t str>,
    pub path: Cow<'t, str>,
    pub query: &'t str,
}

/// Takes a target apart: `/path?query`, `http://host/path?query`, or `*` with OPTIONS.
pub(in crate::proto) fn read(method: Method, target: &str) -> Result<Target<'_>, Fault> {
    // RFC 9112 §3.2 would have 400 for whatever RFC 3986 does not know. But apps send `{`, `|`, `"` and a lone `%` raw in their
    // queries, and no reader stands behind us who could see another target in them. A fragment never travels.
    if !target.bytes().all(|b| matches!(b, 0x21..=0x7e) && b != b'#') {
        return Err(Fault::Malformed("request target has a byte that no URI has"));
    }
    if target.starts_with('/') {
        return split(None, target);
    }
    if target == "*" && method == Method::Options {
        return Ok(Target { authority: None, path: Cow::Borrowed("*"), query: "" });
    }
    let rest = strip_scheme(target).ok_or(Fault::Malformed("request target does not fit the method"))?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, resource) = rest.split_at_checked(end).unwrap_or((rest, ""));
    split(Some(authority), resource)
}

/// RFC 9112 §3.2: a 1.1 request has exactly one valid Host, equal to the authority of an absolute-form target.
pub(in crate::proto) fn check_host(
    host: Option<&[u8]>,
    authority: Option<&str>,
    version: Version,
) -> Result<(), Fault> {
    match (host, version) {
        (None, Version::Http11) => return Err(Fault::Malformed("no host header")),
        (Some(host), _) if !is_host(host) => return Err(Fault::Malformed("host header is not HOST or HOST:PORT")),
        _ => {}
    }
    let Some(authority) = authority else { return Ok(()) };
    if !is_host(authority.as_bytes()) {
        return Err(Fault::Malformed("host of the request target is not HOST or HOST:PORT"));
    }
    match host {
        Some(host) if !host.eq_ignore_ascii_case(authority.as_bytes()) => {
            Err(Fault::Malformed("host header differs from the request target"))
        }
        _ => Ok(()),
    }
}

fn split<'t>(authority: Option<&'t str>, resource: &'t str) -> Result<Target<'t>, Fault> {
    let (path, query) = resource.split_once('?').unwrap_or((resource, ""));
    // RFC 9110 §4.2.3: an empty path of an absolute URI is the same as "/".
    let path = if path.is_empty() { "/" } else { path };
    Ok(Target { authority, path: path::normalize(path)?, query })
}

fn strip_scheme(target: &str) -> Option<&str> {
    ["http://", "https://"].iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

/// A DNS name, IPv4 address or bracketed IPv6 address, and perhaps a port. Stricter than RFC 3986 §3.2.2, whose
/// registered names may hold `,`, `%` and `;`: no name of a server has those.
fn is_host(text: &[u8]) -> bool {
    let (name, port) = match text {
        [b'[', inside @ ..] => {
            let Some((address, after)) = memchr(b']', inside).and_then(|end| inside.split_at_checked(end)) else {
                return false;
            };
            let parsed = std::str::from_utf8(address).ok().and_then(|text| text.parse::<Ipv6Addr>().ok());
            return parsed.is_some() && is_port_suffix(after.get(1..).unwrap_or_default());
        }
        _ => text.split_at(memchr(b':', text).unwrap_or(text.len())),
    };
    let named = name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    !name.is_empty() && named && is_port_suffix(port)
}

/// Nothing, or a colon and a port of up to five digits; RFC 3986 §3.2.3 allows the colon alone.
fn is_port_suffix(text: &[u8]) -> bool {
    match text {
        [] => true,
        [b':', digits @ ..] if digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit) => {
            digits.iter().fold(0, |port, digit| port * 10 + u32::from(digit - b'0')) <= u32::from(u16::MAX)
        }
        _ => false,
    }
}
