//! Sessions that an honest client could have: one to sixteen requests of every shape that frames can have.
//! Never here: what becomes of them on the way.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::peer::{ACK, Answer, END_HEADERS, END_STREAM, PREFACE, Peer, block, frame, kind};

/// RFC 9113 §6.1, §6.2.
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// A request as frames on a stream, and what it is answered.
#[derive(Clone, Debug)]
pub struct Asked {
    shape: Shape,
    content: String,
    piece: usize,
    padding: u8,
}

#[derive(Clone, Copy, Debug)]
enum Shape {
    Get,
    Head,
    Unknown,
    Continued,
    Prioritized,
    Sized,
    Unsized,
    WithTrailers,
    WithBlankTrailers,
    Expecting,
}

const SHAPES: [Shape; 10] = [
    Shape::Get,
    Shape::Head,
    Shape::Unknown,
    Shape::Continued,
    Shape::Prioritized,
    Shape::Sized,
    Shape::Unsized,
    Shape::WithTrailers,
    Shape::WithBlankTrailers,
    Shape::Expecting,
];

pub fn session() -> impl Strategy<Value = Vec<Asked>> {
    let asked = (prop::sample::select(&SHAPES[..]), "[a-z0-9 ]{1,300}", 1..200_usize, 0..20_u8);
    vec(asked.prop_map(|(shape, content, piece, padding)| Asked { shape, content, piece, padding }), 1..=16)
}

/// Everything that the client says, from the preface on.
pub fn bytes(asked: &[Asked]) -> Vec<u8> {
    let settings = frame(kind::SETTINGS, 0, 0, &[0, 1, 0, 0, 0, 0]);
    let requests = asked.iter().zip((1..).step_by(2)).flat_map(|(one, stream)| one.frames(stream));
    [PREFACE, &settings].concat().into_iter().chain(requests).collect()
}

/// The answers, as far as they tell of the requests.
pub fn answers(peer: &mut Peer, asked: &[Asked]) -> Vec<(u16, Vec<u8>)> {
    let next = |(one, stream): (&Asked, u32)| {
        let Answer { status, mut body, ended, .. } = peer.answer(stream);
        assert!(ended, "{one:?} on stream {stream}");
        if status >= 400 {
            body.clear();
        }
        assert_eq!((status, String::from_utf8_lossy(&body).into_owned()), one.expected(), "{one:?}");
        (status, body)
    };
    asked.iter().zip((1..).step_by(2)).map(next).collect()
}

impl Asked {
    fn expected(&self) -> (u16, String) {
        match self.shape {
            Shape::Get | Shape::Continued | Shape::Prioritized => (200, "abc".to_owned()),
            Shape::Head => (200, String::new()),
            Shape::Unknown => (404, String::new()),
            _ => (200, self.content.clone()),
        }
    }

    fn frames(&self, stream: u32) -> Vec<u8> {
        let head = |method: &str, path: &str, more: &[(&str, &str)], flags: u8| {
            let pseudo = [(":method", method), (":scheme", "http"), (":authority", "test"), (":path", path)];
            let fields = block(&[&pseudo, &[("x-padding", self.content.as_str().trim())][..], more].concat());
            (fields, END_HEADERS | flags)
        };
        let whole = |(fields, flags): (Vec<u8>, u8)| frame(kind::HEADERS, flags, stream, &fields);
        let length = self.content.len().to_string();
        let upload = |more: &[(&str, &str)]| whole(head("POST", "/echo", more, 0));
        let blank = |fields: &[u8]| frame(kind::HEADERS, END_HEADERS | END_STREAM, stream, fields);
        let ping = frame(kind::PING, ACK & u8::from(self.padding > 10), 0, &[0; 8]);
        match self.shape {
            Shape::Get => [whole(head("GET", "/echo?abc", &[], END_STREAM)), ping].concat(),
            Shape::Head => whole(head("HEAD", "/echo?abc", &[], END_STREAM)),
            Shape::Unknown => whole(head("GET", "/nowhere", &[], END_STREAM)),
            Shape::Continued => {
                let (fields, _) = head("GET", "/echo?abc", &[], END_STREAM);
                let (first, rest) = fields.split_at(self.piece.min(fields.len()));
                let continued = frame(kind::CONTINUATION, END_HEADERS, stream, rest);
                [frame(kind::HEADERS, END_STREAM, stream, first), continued].concat()
            }
            Shape::Prioritized => {
                let (fields, flags) = head("GET", "/echo?abc", &[], END_STREAM);
                let padding = vec![0; usize::from(self.padding)];
                let payload = [&[self.padding, 0, 0, 0, 0, 16][..], &fields, &padding].concat();
                let priority = frame(kind::PRIORITY, 0, stream, &[0, 0, 0, 0, 7]);
                [priority, frame(kind::HEADERS, flags | PADDED | PRIORITY, stream, &payload)].concat()
            }
            Shape::Sized => [upload(&[("content-length", &length)]), self.body(stream, END_STREAM)].concat(),
            Shape::Unsized => [upload(&[]), self.body(stream, END_STREAM)].concat(),
            Shape::WithTrailers => [upload(&[]), self.body(stream, 0), blank(&block(&[("x-checksum", "1")]))].concat(),
            Shape::WithBlankTrailers => [upload(&[]), self.body(stream, 0), blank(&[])].concat(),
            Shape::Expecting => [upload(&[("expect", "100-continue")]), self.body(stream, END_STREAM)].concat(),
        }
    }

    /// The content in pieces, every second one padded, and an empty one in between.
    fn body(&self, stream: u32, last: u8) -> Vec<u8> {
        let count = self.content.len().div_ceil(self.piece);
        let pieces = self.content.as_bytes().chunks(self.piece).enumerate();
        let frames = pieces.flat_map(|(index, piece)| {
            let flags = if index + 1 == count { last } else { 0 };
            let padding = vec![0; usize::from(self.padding)];
            match index % 3 {
                0 => frame(kind::DATA, flags, stream, piece),
                1 => frame(kind::DATA, flags | PADDED, stream, &[&[self.padding][..], piece, &padding].concat()),
                _ if index == 2 => {
                    [frame(kind::DATA, 0, stream, b""), frame(kind::DATA, flags, stream, piece)].concat()
                }
                _ => frame(kind::DATA, flags, stream, piece),
            }
        });
        frames.collect()
    }
}
