//! Version 2, binary: a signature, four fixed bytes, addresses, and fields of type, length, value (section 2.2).
//! Never here: the meaning of a field, except the checksum of the whole.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::core::bounds::PROXY_HEADER_BYTES_MAX;

use super::{Defect, Header, Version, crc32c};

pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family and transport, length.
const FIXED_BYTES: usize = 16;
const TYPE_CRC32C: u8 = 0x03;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Command {
    /// The proxy speaks for itself, as in a health check.
    Local,
    Proxy,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Unspecified,
    V4,
    V6,
    Unix,
}

/// `bytes` begin as `SIGNATURE` does. `None`: the header has not ended yet.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Header>, Defect> {
    let Some(&[command, family, high, low]) = bytes.get(SIGNATURE.len()..FIXED_BYTES) else { return Ok(None) };
    let (command, family) = (read_command(command)?, read_family(family)?);
    let total = FIXED_BYTES + usize::from(u16::from_be_bytes([high, low]));
    if total > PROXY_HEADER_BYTES_MAX {
        return Err(Defect::TooLong { bytes_max: PROXY_HEADER_BYTES_MAX });
    }
    let Some(header) = bytes.get(..total) else { return Ok(None) };
    let block = header.get(FIXED_BYTES..).unwrap_or_default();
    let source = match (command, block.split_at_checked(address_bytes(family))) {
        // A local connection's block is to be discarded, whatever it holds; a checksum is still that of the header.
        (Command::Local, parts) => {
            let fields = parts.map_or(&[][..], |(_, fields)| fields);
            match check_fields(fields, header) {
                Err(Defect::Checksum) => return Err(Defect::Checksum),
                Ok(()) | Err(_) => None,
            }
        }
        (Command::Proxy, Some((addresses, fields))) => {
            check_fields(fields, header)?;
            source(family, addresses)
        }
        (Command::Proxy, None) => return Err(Defect::Binary("shorter than the addresses of its family")),
    };
    Ok(Some(Header { bytes: total, version: Version::Binary, source }))
}

const fn read_command(byte: u8) -> Result<Command, Defect> {
    match byte {
        0x20 => Ok(Command::Local),
        0x21 => Ok(Command::Proxy),
        _ => Err(Defect::Binary("version and command are not 2 with local or proxy")),
    }
}

/// The transport does not matter: a stream came here, whatever it was behind the proxy.
const fn read_family(byte: u8) -> Result<Family, Defect> {
    match byte {
        // With either half unspecified the connection's own addresses count.
        0x00..=0x02 => Ok(Family::Unspecified),
        0x11 | 0x12 => Ok(Family::V4),
        0x21 | 0x22 => Ok(Family::V6),
        0x31 | 0x32 => Ok(Family::Unix),
        _ => Err(Defect::Binary("family and transport are not known")),
    }
}

/// Source and destination; with ports for the families of the internet.
const fn address_bytes(family: Family) -> usize {
    match family {
        Family::Unspecified => 0,
        Family::V4 => 2 * 4 + 2 * 2,
        Family::V6 => 2 * 16 + 2 * 2,
        Family::Unix => 2 * 108,
    }
}

fn source(family: Family, addresses: &[u8]) -> Option<SocketAddr> {
    match family {
        Family::V4 => {
            let (ip, port) = (addresses.first_chunk::<4>()?, addresses.get(8..)?.first_chunk()?);
            Some(SocketAddr::from((Ipv4Addr::from(*ip), u16::from_be_bytes(*port))))
        }
        Family::V6 => {
            let (ip, port) = (addresses.first_chunk::<16>()?, addresses.get(32..)?.first_chunk()?);
            Some(SocketAddr::from((Ipv6Addr::from(*ip), u16::from_be_bytes(*port))))
        }
        Family::Unspecified | Family::Unix => None,
    }
}

/// Fields are skipped, but must end where the header does; at most one of them is the checksum (section 2.2.3).
fn check_fields(mut fields: &[u8], header: &[u8]) -> Result<(), Defect> {
    let mut checked = false;
    while !fields.is_empty() {
        let [kind, high, low, rest @ ..] = fields else { return Err(Defect::Binary("field cut off")) };
        let bytes = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, rest) = rest.split_at_checked(bytes).ok_or(Defect::Binary("field longer than the header"))?;
        if *kind == TYPE_CRC32C {
            if std::mem::replace(&mut checked, true) {
                return Err(Defect::Binary("two checksums"));
            }
            check_sum(value, rest.len(), header)?;
        }
        fields = rest;
    }
    Ok(())
}

/// The sum is over the header with zeros in the place of the sum, `behind` bytes before its end.
fn check_sum(value: &[u8], behind: usize, header: &[u8]) -> Result<(), Defect> {
    let expected: [u8; 4] = value.try_into().map_err(|_| Defect::Binary("checksum is not 4 bytes"))?;
    let after = header.len() - behind;
    let parts = [header.get(..after - expected.len()), Some(&[0; 4][..]), header.get(after..)];
    let sum = crc32c::sum(parts.into_iter().flatten());
    if sum == u32::from_be_bytes(expected) { Ok(()) } else { Err(Defect::Checksum) }
}
