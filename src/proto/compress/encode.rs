//! Bodies encoded in one go, with codecs that a shard keeps: setting one up costs more than a small body.
//! Never here: a body so long that others would wait for it.

use brotli::enc::BrotliEncoderParams;
use brotli::enc::backward_references::BrotliEncoderMode;
use libdeflater::{CompressionLvl, Compressor};
use zstd::bulk;

use crate::core::bounds::{COMPRESS_AT_ONCE_BYTES_MAX, COMPRESS_GAIN_BYTES_MIN, COMPRESS_WINDOW_LOG};
use crate::core::coding::Coding;

use super::level::{Effort, Recipe};

/// The codecs of one shard, each made when it is first asked for; about 1.5 MiB when all are there.
#[derive(Default)]
pub struct Encoders {
    gzip_kept: Option<Compressor>,
    gzip_once: Option<Compressor>,
    zstd: Option<bulk::Compressor<'static>>,
    /// Where gzip and zstd write, so that the result is allocated in its own size.
    scratch: Vec<u8>,
}

impl Encoders {
    /// The body compressed; `None` when that does not make it smaller by [`COMPRESS_GAIN_BYTES_MIN`], and for a body beyond
    /// [`COMPRESS_AT_ONCE_BYTES_MAX`].
    pub fn encode(&mut self, recipe: Recipe, body: &[u8]) -> Option<Vec<u8>> {
        if body.len() > COMPRESS_AT_ONCE_BYTES_MAX {
            return None;
        }
        let room = body.len().checked_sub(COMPRESS_GAIN_BYTES_MIN)?;
        match recipe.coding {
            Coding::Br => brotli(recipe, body).filter(|encoded| encoded.len() <= room),
            Coding::Zstd | Coding::Gzip => {
                let mut scratch = std::mem::take(&mut self.scratch);
                scratch.resize(COMPRESS_AT_ONCE_BYTES_MAX, 0);
                let target = scratch.get_mut(..room).unwrap_or_default();
                // What does not fit is an error, and not worth sending either.
                let written = match recipe.coding {
                    Coding::Zstd => self.zstd(recipe)?.compress_to_buffer(body, target).ok(),
                    _ => self.gzip(recipe)?.gzip_compress(body, target).ok(),
                };
                let encoded = written.and_then(|bytes| target.get(..bytes)).map(<[u8]>::to_vec);
                self.scratch = scratch;
                encoded
            }
        }
    }

    fn gzip(&mut self, recipe: Recipe) -> Option<&mut Compressor> {
        let place = match recipe.effort {
            Effort::Kept => &mut self.gzip_kept,
            Effort::Once | Effort::Pieces => &mut self.gzip_once,
        };
        if place.is_none() {
            *place = Some(Compressor::new(CompressionLvl::new(recipe.level().into()).ok()?));
        }
        place.as_mut()
    }

    fn zstd(&mut self, recipe: Recipe) -> Option<&mut bulk::Compressor<'static>> {
        if self.zstd.is_none() {
            self.zstd = bulk::Compressor::new(0).ok();
        }
        let zstd = self.zstd.as_mut()?;
        zstd.set_compression_level(recipe.level().into()).ok()?;
        Some(zstd)
    }
}

fn brotli(recipe: Recipe, mut body: &[u8]) -> Option<Vec<u8>> {
    let mut encoded = Vec::with_capacity(body.len() / 2);
    let params = brotli_params(recipe, body.len());
    brotli::BrotliCompress(&mut body, &mut encoded, &params).ok()?;
    Some(encoded)
}

/// With a window of 2^16 or less quality 5 takes another match finder, and 0.7 ms for 9 KB instead of 0.1 ms.
pub(super) fn brotli_params(recipe: Recipe, size_hint: usize) -> BrotliEncoderParams {
    BrotliEncoderParams {
        quality: recipe.level().into(),
        lgwin: COMPRESS_WINDOW_LOG as i32,
        mode: BrotliEncoderMode::BROTLI_MODE_TEXT,
        size_hint,
        ..BrotliEncoderParams::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::compress::decode;

    fn check(body: &[u8], expect: bool) {
        let mut encoders = Encoders::default();
        for coding in Coding::ALL {
            for effort in [Effort::Kept, Effort::Once, Effort::Kept] {
                let encoded = encoders.encode(Recipe { coding, effort }, body);
                assert_eq!(encoded.is_some(), expect, "{coding:?} {effort:?} of {} bytes", body.len());
                let Some(encoded) = encoded else { continue };
                assert!(encoded.len() + COMPRESS_GAIN_BYTES_MIN <= body.len());
                assert_eq!(decode(coding, &encoded, body.len()).as_deref(), Ok(body));
            }
        }
    }

    #[test]
    fn what_repeats_becomes_smaller_and_the_same_again() {
        check(&b"{\"id\":1,\"name\":\"tea\"},".repeat(100), true);
        check(&vec![b'x'; COMPRESS_AT_ONCE_BYTES_MAX], true);
    }

    #[test]
    fn what_gains_nothing_or_is_too_long_stays() {
        check(b"", false);
        check(&[b'x'; COMPRESS_GAIN_BYTES_MIN], false);
        check(&vec![b'x'; COMPRESS_AT_ONCE_BYTES_MAX + 1], false);
        let mut state = 1_u64;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        });
        check(&noise.take(4096).collect::<Vec<u8>>(), false);
    }
}
