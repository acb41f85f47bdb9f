//! Bodies that are whole, cut off, followed by something, bombs, and noise.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use zstd::stream::write::Encoder as ZstdEncoder;

use super::*;
use crate::proto::compress::encode::brotli_params;
use crate::proto::compress::{Effort, Recipe};

/// Encoded without any of our own bounds.
fn encoded(coding: Coding, body: &[u8]) -> Vec<u8> {
    match coding {
        Coding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::new(9));
            encoder.write_all(body).expect("a vector takes all");
            encoder.finish().expect("a vector takes all")
        }
        Coding::Zstd => zstd::bulk::compress(body, 19).expect("memory"),
        Coding::Br => {
            let mut encoded = Vec::new();
            let params = brotli_params(Recipe { coding, effort: Effort::Kept }, body.len());
            brotli::BrotliCompress(&mut &body[..], &mut encoded, &params).expect("a vector takes all");
            encoded
        }
    }
}

#[test]
fn only_a_whole_body_is_decoded() {
    let body = br#"{"product_id":7,"quantity":2,"note":"\u7ea2\u8336"}"#;
    for coding in Coding::ALL {
        let sent = encoded(coding, body);
        assert_eq!(decode(coding, &sent, 1024).as_deref(), Ok(&body[..]));
        for end in 0..sent.len() {
            assert_eq!(decode(coding, &sent[..end], 1024), Err(DecodeError::Broken), "{coding:?} cut at {end}");
        }
        for more in [&b"\0"[..], b"x", &sent] {
            assert_eq!(
                decode(coding, &[&sent, more].concat(), 1024),
                Err(DecodeError::Broken),
                "{coding:?} + {more:?}"
            );
        }
        assert_eq!(decode(coding, b"{\"product_id\":7}", 1024), Err(DecodeError::Broken));
    }
}

#[test]
fn a_changed_checksum_is_noticed() {
    let mut sent = encoded(Coding::Gzip, b"{\"quantity\":2}");
    let crc = sent.len() - 8;
    sent[crc] ^= 1;
    assert_eq!(decode(Coding::Gzip, &sent, 1024), Err(DecodeError::Broken));
}

#[test]
fn a_body_may_be_as_long_as_it_may_be() {
    let check = |coding: Coding, bytes: usize, bytes_max: usize, expect: Result<usize, DecodeError>| {
        let sent = encoded(coding, &vec![b'x'; bytes]);
        let decoded = decode(coding, &sent, bytes_max).map(|body| body.len());
        assert_eq!(decoded, expect, "{coding:?} {bytes} of {bytes_max}");
    };
    for coding in Coding::ALL {
        for bytes_max in [0, 100, STEP_BYTES, DECODED_RATIO_FREE_BYTES] {
            check(coding, bytes_max.saturating_sub(1), bytes_max, Ok(bytes_max.saturating_sub(1)));
            check(coding, bytes_max, bytes_max, Ok(bytes_max));
            check(coding, bytes_max + 1, bytes_max, Err(DecodeError::TooLong { bytes_max }));
        }
        // The ratio counts above its free size.
        let sent = encoded(coding, &vec![b'x'; 16 << 20]);
        let bytes_max = (sent.len() * DECODED_RATIO_MAX).max(DECODED_RATIO_FREE_BYTES);
        assert!(bytes_max < 16 << 20, "{coding:?}: a bomb");
        assert_eq!(decode(coding, &sent, 64 << 20), Err(DecodeError::TooLong { bytes_max }), "{coding:?}");
    }
}

#[test]
fn a_window_has_a_bound() {
    let check = |log: u32, expect: bool| {
        let mut encoder = ZstdEncoder::new(Vec::new(), 1).expect("memory");
        encoder.window_log(log).expect("a known window");
        encoder.include_contentsize(false).expect("a known parameter");
        encoder.write_all(b"small").expect("a vector takes all");
        let sent = encoder.finish().expect("a vector takes all");
        assert_eq!(decode(Coding::Zstd, &sent, 1024).is_ok(), expect, "2^{log}");
    };
    check(ZSTD_WINDOW_LOG_MAX - 1, true);
    check(ZSTD_WINDOW_LOG_MAX, true);
    check(ZSTD_WINDOW_LOG_MAX + 1, false);
}

proptest! {
    #[test]
    fn any_bytes_are_decoded_or_refused(body in prop::collection::vec(any::<u8>(), 0..512)) {
        for coding in Coding::ALL {
            if let Ok(content) = decode(coding, &body, 4096) {
                prop_assert!(content.len() <= 4096);
            }
        }
    }

    #[test]
    fn a_damaged_body_is_no_other_body(
        body in prop::collection::vec(any::<u8>(), 1..400), at in any::<prop::sample::Index>(), flip in 1_u8..,
    ) {
        let mut sent = encoded(Coding::Gzip, &body);
        let at = at.index(sent.len());
        sent[at] ^= flip;
        // What nobody reads may differ: time and system in the header, bits that fill up a byte.
        if let Ok(content) = decode(Coding::Gzip, &sent, 4096) {
            prop_assert_eq!(content, body);
        }
    }

    #[test]
    fn what_is_encoded_comes_back(body in prop::collection::vec(any::<u8>(), 0..2000)) {
        for coding in Coding::ALL {
            prop_assert_eq!(decode(coding, &encoded(coding, &body), 4096), Ok(body.clone()));
        }
    }
}
