//! The header fields that decide where a request ends and whether the connection goes on (RFC 9112 §6, §9).
//! Never here: a guess. Two statements about one length are a refusal, even when they agree.

use httparse::Header;

use crate::core::fault::Fault;

use super::target;
use super::{Persistence, Version};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proto) struct Framing {
    pub length: Length,
    pub persistence: Persistence,
    pub expectation: Expectation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proto) enum Length {
    /// Zero also when nothing is announced (RFC 9112 §6.3, case 7).
    Sized(u64),
    Chunked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proto) enum Expectation {
    None,
    Continue,
}

/// What the fields say, gathered in one pass.
#[derive(Default)]
struct Fields<'h> {
    host: Option<&'h [u8]>,
    content_length: Option<u64>,
    transfer_encoding: Option<&'h [u8]>,
    /// 100-continue.
    expect: bool,
    close: bool,
    keep_alive: bool,
}

/// Judges all framing fields together. `authority` is that of an absolute-form target.
pub(in crate::proto) fn read(
    headers: &[Header<'_>],
    version: Version,
    authority: Option<&str>,
) -> Result<Framing, Fault> {
    let mut fields = Fields::default();
    for header in headers {
        fields.add(header)?;
    }
    target::check_host(fields.host, authority, version)?;
    Ok(Framing {
        length: fields.length(version)?,
        persistence: fields.persistence(version),
        expectation: fields.expectation(version),
    })
}

impl<'h> Fields<'h> {
    fn add(&mut self, header: &Header<'h>) -> Result<(), Fault> {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        // The length alone tells most fields apart from these five.
        match header.name.len() {
            4 if is("host") => {
                once(&mut self.host, header.value, "host given twice")?;
            }
            6 if is("expect") => {
                if !header.value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(Fault::ExpectationUnknown);
                }
                self.expect = true;
            }
            10 if is("connection") => self.add_connection(header.value),
            14 if is("content-length") => {
                let length = digits(header.value).ok_or(Fault::Malformed("content-length is not a number"))?;
                once(&mut self.content_length, length, "content-length given twice")?;
            }
            17 if is("transfer-encoding") => {
                once(&mut self.transfer_encoding, header.value, "transfer-encoding given twice")?;
            }
            _ => {}
        }
        Ok(())
    }

    fn add_connection(&mut self, value: &[u8]) {
        for option in value.split(|&b| b == b',').map(<[u8]>::trim_ascii) {
            if option.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            }
        }
    }

    fn length(&self, version: Version) -> Result<Length, Fault> {
        match (self.transfer_encoding, self.content_length, version) {
            (None, length, _) => Ok(Length::Sized(length.unwrap_or(0))),
            // RFC 9112 §6.1: a 1.0 reader on the way has ignored the coding and framed the request differently.
            (Some(_), _, Version::Http10) => Err(Fault::Malformed("transfer-encoding in HTTP/1.0")),
            // RFC 9112 §6.3: both lengths present means two readers may disagree where this request ends.
            (Some(_), Some(_), _) => Err(Fault::Malformed("both content-length and transfer-encoding")),
            (Some(coding), None, Version::Http11) => check_coding(coding).map(|()| Length::Chunked),
        }
    }

    /// RFC 9112 §9.3.
    const fn persistence(&self, version: Version) -> Persistence {
        match version {
            _ if self.close => Persistence::Close,
            Version::Http10 if !self.keep_alive => Persistence::Close,
            Version::Http10 | Version::Http11 => Persistence::KeepAlive,
        }
    }

    /// RFC 9110 §10.1.1: the expectation of a 1.0 client is ignored, it would not understand the 100.
    const fn expectation(&self, version: Version) -> Expectation {
        match version {
            Version::Http11 if self.expect => Expectation::Continue,
            Version::Http10 | Version::Http11 => Expectation::None,
        }
    }
}

fn once<T>(slot: &mut Option<T>, value: T, twice: &'static str) -> Result<(), Fault> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Fault::Malformed(twice)),
    }
}

/// RFC 9110 §8.6: digits and nothing else; no sign, no list, no overflow.
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// Chunked, once and alone, is the one transfer coding there is.
fn check_coding(value: &[u8]) -> Result<(), Fault> {
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    if is_chunked(value) {
        return Ok(());
    }
    let codings: Vec<&[u8]> = value.split(|&b| b == b',').map(<[u8]>::trim_ascii).collect();
    match codings.split_last() {
        Some((last, before))
            if is_chunked(last) && !before.iter().any(|coding| coding.is_empty() || is_chunked(coding)) =>
        {
            Err(Fault::TransferCodingUnknown)
        }
        // RFC 9112 §6.1: chunked is not applied twice. §6.3: unless it comes last, nobody knows where the body ends.
        _ => Err(Fault::Malformed("transfer-encoding does not end with one chunked")),
    }
}
