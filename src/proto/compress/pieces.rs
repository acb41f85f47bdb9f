//! Bodies encoded piece by piece: a stream keeps its pieces, a long body gets some.
//! Never here: more than `COMPRESS_AT_ONCE_BYTES_MAX` encoded between two polls; whoever polls lets others have a turn.

use std::io::{self, Write};
use std::sync::Arc;

use brotli::CompressorWriter;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream::{self, StreamExt};
use zstd::stream::write::Encoder as ZstdEncoder;

use crate::core::bounds::{COMPRESS_AT_ONCE_BYTES_MAX, COMPRESS_STREAMS_MAX, COMPRESS_WINDOW_LOG};
use crate::core::coding::Coding;
use crate::core::fault::Fault;
use crate::proto::reply::{Chunks, Rendered};

use super::encode::brotli_params;
use super::level::{Effort, Recipe};

/// A body that is here whole.
pub enum Whole {
    Owned(Vec<u8>),
    Static(&'static [u8]),
    Rendered(Arc<Rendered>),
}

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Static(bytes) => bytes,
            Self::Rendered(rendered) => &rendered.body,
        }
    }
}

/// What is done with the pieces together. It is dropped uncalled when the client leaves before the end.
pub type Gathered = Box<dyn FnOnce(Vec<u8>) + Send>;

/// Hands out codecs for bodies in pieces, at most [`COMPRESS_STREAMS_MAX`] at a time: each holds its tables until the body has
/// left.
#[derive(Default)]
pub struct PieceEncoders(Arc<()>);

/// A codec between two pieces.
pub struct PieceEncoder {
    codec: Codec,
    /// Counts it as handed out.
    _place: Arc<()>,
}

enum Codec {
    Br(Box<CompressorWriter<Vec<u8>>>),
    Zstd(ZstdEncoder<'static, Vec<u8>>),
    Gzip(GzEncoder<Vec<u8>>),
}

impl PieceEncoders {
    /// `None` when as many are out as may be.
    #[must_use]
    pub fn begin(&self, coding: Coding) -> Option<PieceEncoder> {
        if Arc::strong_count(&self.0) > COMPRESS_STREAMS_MAX {
            return None;
        }
        Some(PieceEncoder { codec: Codec::new(coding).ok()?, _place: self.0.clone() })
    }
}

/// Each piece is encoded and flushed by itself, so that the client can read it as soon as it is sent. A long one becomes
/// several.
#[must_use]
pub fn compress_pieces(chunks: Chunks, encoder: PieceEncoder) -> Chunks {
    let pieces = Pieces { chunks, piece: Vec::new(), at: 0, encoder: Some(encoder) };
    let pieces = stream::unfold(pieces, |mut pieces| async move {
        let piece = pieces.next().await?;
        Some((piece, pieces))
    });
    Chunks(pieces.boxed())
}

/// Encodes a long body in pieces; `gathered` gets them together when the last one is made.
#[must_use]
pub fn compress_whole(body: Whole, encoder: PieceEncoder, gathered: Option<Gathered>) -> Chunks {
    let whole = LongBody { body, at: 0, encoder: Some(encoder), gathered: gathered.map(|then| (Vec::new(), then)) };
    let pieces = stream::unfold(whole, |mut whole| async move {
        let piece = whole.next()?.map_err(|_| Fault::Internal);
        Some((piece, whole))
    });
    Chunks(pieces.boxed())
}

struct Pieces {
    chunks: Chunks,
    /// The one that is being encoded, and how far.
    piece: Vec<u8>,
    at: usize,
    /// `None` at the end.
    encoder: Option<PieceEncoder>,
}

impl Pieces {
    async fn next(&mut self) -> Option<Result<Vec<u8>, Fault>> {
        let mut encoder = self.encoder.take()?;
        if self.at == self.piece.len() {
            match self.chunks.0.next().await {
                Some(Ok(piece)) => (self.piece, self.at) = (piece, 0),
                Some(Err(fault)) => return Some(Err(fault)),
                None => return Some(encoder.codec.end().map_err(|_| Fault::Internal)),
            }
        }
        let end = self.piece.len().min(self.at + COMPRESS_AT_ONCE_BYTES_MAX);
        let bytes = self.piece.get(self.at..end).unwrap_or_default();
        self.at = end;
        let is_whole = end == self.piece.len();
        let encoded = if is_whole { encoder.codec.piece(bytes) } else { encoder.codec.part(bytes) };
        if encoded.is_ok() {
            self.encoder = Some(encoder);
        }
        Some(encoded.map_err(|_| Fault::Internal))
    }
}

struct LongBody {
    body: Whole,
    at: usize,
    /// `None` at the end.
    encoder: Option<PieceEncoder>,
    gathered: Option<(Vec<u8>, Gathered)>,
}

impl LongBody {
    fn next(&mut self) -> Option<io::Result<Vec<u8>>> {
        let mut encoder = self.encoder.take()?;
        let bytes = self.body.as_ref();
        let end = bytes.len().min(self.at + COMPRESS_AT_ONCE_BYTES_MAX);
        let piece = bytes.get(self.at..end).unwrap_or_default();
        let is_last = end == bytes.len();
        self.at = end;
        let mut encoded = match encoder.codec.part(piece) {
            Ok(encoded) => encoded,
            Err(error) => return Some(Err(error)),
        };
        if is_last {
            match encoder.codec.end() {
                Ok(mut end) => encoded.append(&mut end),
                Err(error) => return Some(Err(error)),
            }
        } else {
            self.encoder = Some(encoder);
        }
        if let Some((all, _)) = &mut self.gathered {
            all.extend_from_slice(&encoded);
        }
        if is_last && let Some((all, then)) = self.gathered.take() {
            then(all);
        }
        Some(Ok(encoded))
    }
}

impl Codec {
    fn new(coding: Coding) -> io::Result<Self> {
        let recipe = Recipe { coding, effort: Effort::Pieces };
        Ok(match coding {
            Coding::Br => {
                Self::Br(Box::new(CompressorWriter::with_params(Vec::new(), 4096, &brotli_params(recipe, 0))))
            }
            Coding::Zstd => {
                let mut encoder = ZstdEncoder::new(Vec::new(), recipe.level().into())?;
                encoder.window_log(COMPRESS_WINDOW_LOG)?;
                Self::Zstd(encoder)
            }
            Coding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), Compression::new(recipe.level().into()))),
        })
    }

    /// What the codec gives out for now; it may hold back some.
    fn part(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Br(encoder) => encoder.write_all(bytes)?,
            Self::Zstd(encoder) => encoder.write_all(bytes)?,
            Self::Gzip(encoder) => encoder.write_all(bytes)?,
        }
        Ok(self.take())
    }

    /// As [`Self::part`], with everything so far.
    fn piece(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut encoded = self.part(bytes)?;
        match self {
            Self::Br(encoder) => encoder.flush()?,
            Self::Zstd(encoder) => encoder.flush()?,
            Self::Gzip(encoder) => encoder.flush()?,
        }
        encoded.append(&mut self.take());
        Ok(encoded)
    }

    fn end(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Br(encoder) => Ok(encoder.into_inner()),
            Self::Zstd(encoder) => encoder.finish(),
            Self::Gzip(encoder) => encoder.finish(),
        }
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(match self {
            Self::Br(encoder) => encoder.get_mut(),
            Self::Zstd(encoder) => encoder.get_mut(),
            Self::Gzip(encoder) => encoder.get_mut(),
        })
    }
}

#[cfg(test)]
mod tests;
