//! Bodies: how much of one has arrived, with the chunked coding (RFC 9112 §7.1) removed in place.
//! Never here: copies beside the buffer; content only ever moves towards its front.

use memchr::memchr;

use crate::core::bounds::{CHUNK_EXTENSION_BYTES_MAX, CHUNK_LINE_BYTES_MAX, TRAILER_BYTES_MAX};
use crate::core::fault::Fault;
use crate::proto::request::is_value_byte;

use super::percent;

/// A body on its way.
#[derive(Debug)]
pub(super) enum BodyReader {
    Sized { bytes: usize },
    Chunked(Dechunker),
}

/// What a buffer that starts with a body holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The first `body_bytes` are the whole body; it took `wire_bytes` of the buffer, what follows is not its own.
    Whole { body_bytes: usize, wire_bytes: usize },
    /// `0..kept` is content and `read..` is still to be read; the caller removes what lies between before it comes back.
    Partial { kept: usize, read: usize },
}

#[derive(Debug)]
pub(super) struct Dechunker {
    stage: Stage,
    /// Content decoded so far; it lies at the front of the buffer.
    kept: usize,
    /// Content of the current chunk that has not arrived. `kept + chunk_left <= bytes_max`.
    chunk_left: usize,
    bytes_max: usize,
    extensions_left: usize,
    trailer_left: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Size,
    Data,
    DataEnd,
    Trailer,
}

/// Fields that decide about framing must not come when the framing is over (RFC 9110 §6.5.1).
const NOT_IN_TRAILERS: [&[u8]; 6] =
    [b"connection", b"content-length", b"expect", b"host", b"trailer", b"transfer-encoding"];

impl BodyReader {
    /// Looks at everything that arrived behind the head, except what an earlier `Partial` told to remove.
    pub fn take(&mut self, raw: &mut [u8]) -> Result<Progress, Fault> {
        match self {
            Self::Sized { bytes } if *bytes <= raw.len() => {
                Ok(Progress::Whole { body_bytes: *bytes, wire_bytes: *bytes })
            }
            Self::Sized { .. } => Ok(Progress::Partial { kept: raw.len(), read: raw.len() }),
            Self::Chunked(dechunker) => dechunker.decode(raw),
        }
    }
}

impl Dechunker {
    pub const fn new(bytes_max: usize) -> Self {
        Self {
            stage: Stage::Size,
            kept: 0,
            chunk_left: 0,
            bytes_max,
            extensions_left: CHUNK_EXTENSION_BYTES_MAX,
            trailer_left: TRAILER_BYTES_MAX,
        }
    }

    fn decode(&mut self, raw: &mut [u8]) -> Result<Progress, Fault> {
        let mut read = self.kept;
        loop {
            let rest = raw.get(read..).unwrap_or_default();
            match self.stage {
                Stage::Size => match line(rest, CHUNK_LINE_BYTES_MAX)? {
                    Some(text) => {
                        self.open_chunk(text)?;
                        read += text.len() + 2;
                    }
                    None => {
                        check_partial_size(rest)?;
                        break;
                    }
                },
                Stage::Data => {
                    let arrived = self.chunk_left.min(rest.len());
                    raw.copy_within(read..read + arrived, self.kept);
                    read += arrived;
                    self.kept += arrived;
                    self.chunk_left -= arrived;
                    if self.chunk_left > 0 {
                        break;
                    }
                    self.stage = Stage::DataEnd;
                }
                Stage::DataEnd => match rest {
                    [b'\r', b'\n', ..] => {
                        read += 2;
                        self.stage = Stage::Size;
                    }
                    [] | [b'\r'] => break,
                    _ => return Err(Fault::Malformed("chunk data does not end in CRLF")),
                },
                Stage::Trailer => match line(rest, self.trailer_left + 2)? {
                    Some([]) => return Ok(Progress::Whole { body_bytes: self.kept, wire_bytes: read + 2 }),
                    Some(text) => {
                        self.drop_trailer(text)?;
                        read += text.len() + 2;
                    }
                    None => break,
                },
            }
        }
        assert!(self.kept <= read && self.kept <= self.bytes_max, "content never overtakes what was read");
        Ok(Progress::Partial { kept: self.kept, read })
    }

    fn open_chunk(&mut self, text: &[u8]) -> Result<(), Fault> {
        let (size, extensions) = size(text)?;
        check_extensions(extensions)?;
        self.extensions_left = (self.extensions_left.checked_sub(extensions.len()))
            .ok_or(Fault::Malformed("too many chunk extensions"))?;
        if size == 0 {
            self.stage = Stage::Trailer;
            return Ok(());
        }
        self.chunk_left = (usize::try_from(size).ok())
            .filter(|&size| size <= self.bytes_max - self.kept)
            .ok_or(Fault::BodyTooLarge { bytes_max: self.bytes_max })?;
        self.stage = Stage::Data;
        Ok(())
    }

    /// Trailers are for nobody here; they are checked so that a broken one cannot hide a request.
    fn drop_trailer(&mut self, text: &[u8]) -> Result<(), Fault> {
        const MALFORMED: Fault = Fault::Malformed("trailer field is malformed");
        self.trailer_left =
            self.trailer_left.checked_sub(text.len() + 2).ok_or(Fault::Malformed("trailer section is too long"))?;
        let (name, value) = memchr(b':', text).and_then(|colon| text.split_at_checked(colon)).ok_or(MALFORMED)?;
        let named = !name.is_empty() && name.iter().all(|&b| is_token(b));
        if !named || !value.iter().all(|&b| is_value_byte(b)) {
            return Err(MALFORMED);
        }
        if NOT_IN_TRAILERS.iter().any(|field| name.eq_ignore_ascii_case(field)) {
            return Err(Fault::Malformed("framing field in the trailer section"));
        }
        Ok(())
    }
}

/// The line that starts `rest`, without its CRLF; `None` until that has arrived. Its content is not checked.
fn line(rest: &[u8], bytes_max: usize) -> Result<Option<&[u8]>, Fault> {
    let window = rest.get(..bytes_max).unwrap_or(rest);
    match memchr(b'\n', window).and_then(|end| window.get(..end)) {
        Some(text) => match text.strip_suffix(b"\r") {
            Some(text) => Ok(Some(text)),
            None => Err(Fault::Malformed("bare LF in a chunked body")),
        },
        None if window.len() == bytes_max => Err(Fault::Malformed("line in a chunked body is too long")),
        // What follows a CR decides; there is no need to wait for a LF somewhere behind it.
        None if memchr(b'\r', window).is_some_and(|at| at + 1 < window.len()) => {
            Err(Fault::Malformed("bare CR in a chunked body"))
        }
        None => Ok(None),
    }
}

/// A size that cannot become valid is refused without waiting for its line to end.
fn check_partial_size(rest: &[u8]) -> Result<(), Fault> {
    if rest.is_empty() {
        return Ok(());
    }
    size(rest.strip_suffix(b"\r").unwrap_or(rest)).map(drop)
}

/// A chunk size and the extensions behind it. Sixteen hex digits are all that a u64 holds.
fn size(text: &[u8]) -> Result<(u64, &[u8]), Fault> {
    let digits = text.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    let (digits, extensions) = text.split_at_checked(digits).unwrap_or_default();
    // White space directly behind the size: RFC 9112 §7.1.1 has it as a legacy, and readers disagree about it.
    if !matches!(digits.len(), 1..=16) || !matches!(extensions, [] | [b';', ..]) {
        return Err(Fault::Malformed("chunk size is not 1 to 16 hex digits"));
    }
    let size = digits.iter().fold(0, |size, &digit| size << 4 | u64::from(percent::hex(digit).unwrap_or_default()));
    Ok((size, extensions))
}

/// RFC 9112 §7.1.1: each is `;name`, `;name=token` or `;name="quoted"`, with white space between the parts as a legacy.
/// They are ignored, but must not hide a line end.
fn check_extensions(mut text: &[u8]) -> Result<(), Fault> {
    const MALFORMED: Fault = Fault::Malformed("chunk extension is malformed");
    while let Some((first, rest)) = text.split_first() {
        let name = skip_space(rest);
        let behind = (*first == b';').then(|| skip_token(name)).flatten().ok_or(MALFORMED)?;
        text = match skip_space(behind) {
            [b'=', value @ ..] => skip_value(skip_space(value)).ok_or(MALFORMED)?,
            _ => behind,
        };
        // White space at the end of the line belongs to nothing.
        text = match skip_space(text) {
            next @ [b';', ..] => next,
            _ => text,
        };
    }
    Ok(())
}

fn skip_space(text: &[u8]) -> &[u8] {
    let length = text.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    text.get(length..).unwrap_or_default()
}

fn skip_value(value: &[u8]) -> Option<&[u8]> {
    match value {
        [b'"', quoted @ ..] => skip_quoted(quoted),
        _ => skip_token(value),
    }
}

/// What follows a token of at least one byte.
fn skip_token(text: &[u8]) -> Option<&[u8]> {
    let length = text.iter().take_while(|&&b| is_token(b)).count();
    if length == 0 { None } else { text.get(length..) }
}

/// What follows the closing quote (RFC 9110 §5.6.4).
fn skip_quoted(mut text: &[u8]) -> Option<&[u8]> {
    loop {
        match text {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', escaped, rest @ ..] if is_value_byte(*escaped) => text = rest,
            [byte, rest @ ..] if is_value_byte(*byte) && *byte != b'\\' => text = rest,
            _ => return None,
        }
    }
}

/// RFC 9110 §5.6.2.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

#[cfg(test)]
mod tests;
