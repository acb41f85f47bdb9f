//! Compressed request bodies, decoded within bounds. All input is a stranger's.
//! Never here: output beyond the limit, a part of a body as if it were the whole.

use std::io::{self, Read};

use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};
use flate2::bufread::GzDecoder;
use zstd::stream::read::Decoder as ZstdDecoder;

use crate::core::bounds::{DECODED_RATIO_FREE_BYTES, DECODED_RATIO_MAX, ZSTD_WINDOW_LOG_MAX};
use crate::core::coding::Coding;

/// Output is asked for in steps of this size.
const STEP_BYTES: usize = 16 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Cut off, followed by something, or no such format.
    Broken,
    /// It would become longer than this.
    TooLong { bytes_max: usize },
}

/// The whole content of a body in one coding, at most `bytes_max` of it and [`DECODED_RATIO_MAX`] times its size.
///
/// # Errors
/// See [`DecodeError`].
pub fn decode(coding: Coding, body: &[u8], bytes_max: usize) -> Result<Vec<u8>, DecodeError> {
    let by_ratio = body.len().saturating_mul(DECODED_RATIO_MAX).max(DECODED_RATIO_FREE_BYTES);
    let bytes_max = bytes_max.min(by_ratio);
    match coding {
        Coding::Gzip => gzip(body, bytes_max),
        Coding::Zstd => zstd(body, bytes_max),
        Coding::Br => br(body, bytes_max),
    }
}

/// One member; its checksum and length are verified. RFC 1952 §2.2 allows more members, which nobody sends as a request, and
/// which would be a second way to say one thing.
fn gzip(mut body: &[u8], bytes_max: usize) -> Result<Vec<u8>, DecodeError> {
    let content = read_all(&mut GzDecoder::new(&mut body), bytes_max)?;
    if body.is_empty() { Ok(content) } else { Err(DecodeError::Broken) }
}

fn zstd(mut body: &[u8], bytes_max: usize) -> Result<Vec<u8>, DecodeError> {
    let broken = |_: io::Error| DecodeError::Broken;
    let mut decoder = ZstdDecoder::with_buffer(&mut body).map_err(broken)?.single_frame();
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(broken)?;
    let content = read_all(&mut decoder, bytes_max)?;
    drop(decoder);
    if body.is_empty() { Ok(content) } else { Err(DecodeError::Broken) }
}

fn read_all(decoder: &mut impl Read, bytes_max: usize) -> Result<Vec<u8>, DecodeError> {
    let mut content = Vec::new();
    // One byte more than may be, to tell the end from the limit.
    let read = decoder.take(bytes_max as u64 + 1).read_to_end(&mut content);
    if content.len() > bytes_max {
        return Err(DecodeError::TooLong { bytes_max });
    }
    read.map(|_| content).map_err(|_| DecodeError::Broken)
}

fn br(body: &[u8], bytes_max: usize) -> Result<Vec<u8>, DecodeError> {
    let alloc = StandardAlloc::default;
    let mut state = BrotliState::new(alloc(), alloc(), alloc());
    let (mut input_left, mut input_at) = (body.len(), 0);
    let (mut content, mut written, mut total) = (Vec::new(), 0, 0);
    loop {
        content.resize(written + STEP_BYTES, 0);
        let mut room = STEP_BYTES;
        let result = BrotliDecompressStream(
            &mut input_left,
            &mut input_at,
            body,
            &mut room,
            &mut written,
            &mut content,
            &mut total,
            &mut state,
        );
        if written > bytes_max {
            return Err(DecodeError::TooLong { bytes_max });
        }
        match result {
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultSuccess if input_left == 0 => {
                content.truncate(written);
                return Ok(content);
            }
            BrotliResult::ResultSuccess | BrotliResult::NeedsMoreInput | BrotliResult::ResultFailure => {
                return Err(DecodeError::Broken);
            }
        }
    }
}

#[cfg(test)]
mod tests;
