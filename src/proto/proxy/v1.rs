//! Version 1, a line of text: `PROXY TCP4 198.51.100.7 10.0.0.1 40312 443` (section 2.1).
//! Never here: a second way to write the same line. One space, CRLF, numbers without leading zeros.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use memchr::memchr;

use crate::core::bounds::PROXY_LINE_BYTES_MAX;

use super::{Defect, Header, Version};

pub(super) const START: &[u8] = b"PROXY ";

/// `bytes` begin as `START` does. `None`: the line has not ended yet.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Header>, Defect> {
    let window = bytes.get(..PROXY_LINE_BYTES_MAX).unwrap_or(bytes);
    let Some(end) = memchr(b'\n', window) else {
        let full = window.len() == PROXY_LINE_BYTES_MAX;
        return if full { Err(Defect::TooLong { bytes_max: PROXY_LINE_BYTES_MAX }) } else { Ok(None) };
    };
    let line = window.get(..end).and_then(|line| line.strip_suffix(b"\r")).ok_or(Defect::Text("bare LF"))?;
    let text = std::str::from_utf8(line).ok().filter(|text| text.bytes().all(|b| matches!(b, b' '..=0x7e)));
    let text = text.ok_or(Defect::Text("byte that is not printable ASCII"))?;
    Ok(Some(Header { bytes: end + 1, version: Version::Text, source: source(text)? }))
}

fn source(line: &str) -> Result<Option<SocketAddr>, Defect> {
    let mut words = line.split(' ').skip(1);
    let family = words.next().unwrap_or_default();
    // The rest of such a line means nothing, and the connection's own addresses count.
    if family == "UNKNOWN" {
        return Ok(None);
    }
    let rest: Vec<&str> = words.take(5).collect();
    let [source, destination, source_port, destination_port] = rest[..] else {
        return Err(Defect::Text("not two addresses and two ports"));
    };
    let read: fn(&str) -> Option<IpAddr> = match family {
        "TCP4" => |text| text.parse::<Ipv4Addr>().ok().map(IpAddr::from),
        "TCP6" => |text| text.parse::<Ipv6Addr>().ok().map(IpAddr::from),
        _ => return Err(Defect::Text("family is not TCP4, TCP6 or UNKNOWN")),
    };
    let (Some(ip), Some(_)) = (read(source), read(destination)) else {
        return Err(Defect::Text("address is not of its family"));
    };
    let (Some(port), Some(_)) = (port(source_port), port(destination_port)) else {
        return Err(Defect::Text("port is not 0 to 65535 without leading zeros"));
    };
    Ok(Some(SocketAddr::new(ip, port)))
}

fn port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}
