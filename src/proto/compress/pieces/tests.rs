//! What comes out in pieces is one body in the coding, and each piece of a stream can be read when it arrives.

use std::io::Read;
use std::sync::{Arc, Mutex};

use flate2::read::GzDecoder;
use futures_util::FutureExt;
use proptest::prelude::*;

use super::*;
use crate::proto::compress::decode;

fn whole(chunks: Chunks) -> Vec<Vec<u8>> {
    let collected = chunks.0.collect::<Vec<_>>().now_or_never().expect("nothing is waited for");
    collected.into_iter().map(|piece| piece.expect("no fault")).collect()
}

fn source(pieces: Vec<Result<Vec<u8>, Fault>>) -> Chunks {
    Chunks(stream::iter(pieces).boxed())
}

fn encoder(coding: Coding) -> PieceEncoder {
    PieceEncoders::default().begin(coding).expect("the first one")
}

/// A text that repeats, but not too evenly.
fn text(bytes: usize) -> Vec<u8> {
    (0_u64..).flat_map(|n| format!("{{\"id\":{n},\"price\":{}}},", n * n % 977).into_bytes()).take(bytes).collect()
}

#[test]
fn a_long_body_goes_in_pieces_and_is_gathered() {
    let check = |bytes: usize, pieces: usize| {
        let body = text(bytes);
        for coding in Coding::ALL {
            let gathered = Arc::new(Mutex::new(None));
            let then = gathered.clone();
            let then: Gathered = Box::new(move |all| *then.lock().expect("no panic") = Some(all));
            let encoded = compress_whole(Whole::Owned(body.clone()), encoder(coding), Some(then));
            let encoded = whole(encoded);
            assert_eq!(encoded.len(), pieces, "{coding:?} of {bytes}");
            let encoded = encoded.concat();
            assert_eq!(gathered.lock().expect("no panic").as_ref(), Some(&encoded));
            assert_eq!(decode(coding, &encoded, bytes).as_deref(), Ok(&body[..]));
        }
    };
    check(COMPRESS_AT_ONCE_BYTES_MAX - 1, 1);
    check(COMPRESS_AT_ONCE_BYTES_MAX, 1);
    check(COMPRESS_AT_ONCE_BYTES_MAX + 1, 2);
    check(10 * COMPRESS_AT_ONCE_BYTES_MAX, 10);
}

#[test]
fn a_client_that_leaves_leaves_nothing_gathered() {
    let then: Gathered = Box::new(|_| panic!("must not be called"));
    let mut chunks = compress_whole(Whole::Owned(text(200_000)), encoder(Coding::Gzip), Some(then));
    assert!(chunks.0.next().now_or_never().flatten().is_some());
}

#[test]
fn a_piece_of_a_stream_can_be_read_when_it_is_there() {
    for coding in Coding::ALL {
        let pieces = [&b"[1"[..], b",2", b"", b",3]"];
        let encoded = compress_pieces(source(pieces.iter().map(|piece| Ok(piece.to_vec())).collect()), encoder(coding));
        let encoded = whole(encoded);
        assert_eq!(encoded.len(), pieces.len() + 1, "each piece, and the end");
        assert_eq!(decode(coding, &encoded.concat(), 100).as_deref(), Ok(&b"[1,2,3]"[..]), "{coding:?}");
    }
    let encoded = compress_pieces(source(vec![Ok(b"first".to_vec()), Ok(b"second".to_vec())]), encoder(Coding::Gzip));
    let first = whole(encoded).swap_remove(0);
    let mut read = [0; 5];
    GzDecoder::new(&first[..]).read_exact(&mut read).expect("flushed");
    assert_eq!(&read, b"first");
}

#[test]
fn a_long_piece_of_a_stream_becomes_several() {
    let check = |bytes: usize, expect: usize| {
        let pieces = whole(compress_pieces(source(vec![Ok(text(bytes))]), encoder(Coding::Gzip)));
        assert_eq!(pieces.len(), expect + 1, "{bytes} bytes, and the end");
        assert_eq!(decode(Coding::Gzip, &pieces.concat(), bytes).as_deref(), Ok(&text(bytes)[..]));
    };
    check(COMPRESS_AT_ONCE_BYTES_MAX, 1);
    check(COMPRESS_AT_ONCE_BYTES_MAX + 1, 2);
    check(3 * COMPRESS_AT_ONCE_BYTES_MAX, 3);
}

#[test]
fn a_stream_that_breaks_has_no_end() {
    for coding in Coding::ALL {
        let broken = source(vec![Ok(b"first".to_vec()), Err(Fault::Overloaded), Ok(b"never".to_vec())]);
        let pieces = compress_pieces(broken, encoder(coding));
        let pieces = pieces.0.collect::<Vec<_>>().now_or_never().expect("nothing is waited for");
        assert_eq!(pieces.len(), 2, "{coding:?}");
        assert_eq!(pieces[1], Err(Fault::Overloaded));
    }
}

#[test]
fn codecs_are_handed_out_up_to_their_bound() {
    let encoders = PieceEncoders::default();
    let mut out: Vec<_> = (0..COMPRESS_STREAMS_MAX).map(|_| encoders.begin(Coding::Gzip)).collect();
    assert!(out.iter().all(Option::is_some) && encoders.begin(Coding::Gzip).is_none());
    out.pop();
    assert!(encoders.begin(Coding::Zstd).is_some(), "one came back");
}

proptest! {
    #[test]
    fn pieces_cut_anywhere_are_the_same_body(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..12),
    ) {
        for coding in Coding::ALL {
            let encoded = compress_pieces(source(pieces.iter().cloned().map(Ok).collect()), encoder(coding));
            prop_assert_eq!(decode(coding, &whole(encoded).concat(), 1 << 20), Ok(pieces.concat()));
        }
    }
}
