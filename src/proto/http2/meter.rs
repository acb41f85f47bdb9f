//! Frames counted as their bytes pass by: the HTTP/2 library keeps control frames to itself, and floods are made of them.
//! Never here: a copy of what passes, a judgement; see `budget` and `order`.

use std::ops::ControlFlow;

/// Length, type, flags and stream (RFC 9113 §4.1).
pub const HEAD_BYTES: usize = 9;
/// The longest part of a frame that is looked at: its head, and an increment or an error code behind it.
const SEEN_BYTES_MAX: usize = HEAD_BYTES + 4;
/// One parameter of a SETTINGS frame (RFC 9113 §6.5.1).
const SETTING_BYTES: usize = 6;

/// RFC 9113 §6.
pub mod kind {
    pub const DATA: u8 = 0x0;
    pub const HEADERS: u8 = 0x1;
    pub const PRIORITY: u8 = 0x2;
    pub const RST_STREAM: u8 = 0x3;
    pub const SETTINGS: u8 = 0x4;
    pub const PUSH_PROMISE: u8 = 0x5;
    pub const PING: u8 = 0x6;
    pub const GOAWAY: u8 = 0x7;
    pub const WINDOW_UPDATE: u8 = 0x8;
    pub const CONTINUATION: u8 = 0x9;
}

/// RFC 9113 §6.
pub mod flag {
    pub const ACK: u8 = 0x1;
    pub const END_STREAM: u8 = 0x1;
    pub const END_HEADERS: u8 = 0x4;
    pub const PADDED: u8 = 0x8;
    pub const PRIORITY: u8 = 0x20;
}

/// What has been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passing {
    Frame(Seen),
    /// One parameter of the SETTINGS frame before it.
    Setting {
        id: u16,
        value: u32,
    },
}

/// The telling part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub kind: u8,
    pub flags: u8,
    /// Of the payload.
    pub bytes: u32,
    pub stream: u32,
    /// Of DATA and HEADERS, with the byte that says how many.
    pub padding: u32,
    /// Increment of a WINDOW_UPDATE, code of a RST_STREAM; zero of others.
    pub number: u32,
}

/// Watches one direction of a connection.
#[derive(Debug)]
pub struct Meter {
    seen: [u8; SEEN_BYTES_MAX],
    seen_len: u8,
    /// Bytes to pass before the next frame begins: the client's preface, or the rest of a payload.
    skip: u32,
    /// Bytes of parameters before the next frame begins.
    settings: u32,
    /// Within a header block: nothing but CONTINUATION may follow (RFC 9113 §6.10).
    in_block: bool,
}

impl Meter {
    /// For a direction that begins with `skip` bytes that are no frame.
    #[must_use]
    pub const fn after(skip: u32) -> Self {
        Self { seen: [0; SEEN_BYTES_MAX], seen_len: 0, skip, settings: 0, in_block: false }
    }

    /// Tells `look` of every frame whose telling part ends in `bytes`, and where in them the frame begins, unless it began
    /// before. The bytes of a connection may be cut anywhere. Ends
    /// where `look` says so, and then says how many of the bytes stand before the frame that it broke off at.
    pub fn pass(
        &mut self,
        bytes: &[u8],
        mut look: impl FnMut(Passing, Option<usize>) -> ControlFlow<()>,
    ) -> Option<usize> {
        let (mut rest, mut began) = (bytes, None);
        while !rest.is_empty() {
            let skipped = (self.skip as usize).min(rest.len());
            self.skip -= skipped as u32;
            rest = rest.split_at(skipped).1;
            if self.seen_len == 0 && self.settings == 0 {
                began = Some(bytes.len() - rest.len());
            }
            let have = usize::from(self.seen_len);
            let (taken, left) = rest.split_at((self.wanted() - have).min(rest.len()));
            self.seen[have..have + taken.len()].copy_from_slice(taken);
            self.seen_len += taken.len() as u8;
            rest = left;
            // What is wanted grows once, when the head is whole and says that its payload tells more.
            if usize::from(self.seen_len) == self.wanted() && look(self.take(), began).is_break() {
                return Some(began.unwrap_or(0));
            }
        }
        None
    }

    /// Whether the peer owes the rest of something: of its preface, of a frame, of a header block.
    #[must_use]
    pub const fn is_amid(&self) -> bool {
        self.skip > 0 || self.seen_len > 0 || self.settings > 0 || self.in_block
    }

    /// How many bytes to come belong to frames that have begun; `None`: within the head of one.
    #[must_use]
    pub const fn bytes_to_next(&self) -> Option<u32> {
        if self.seen_len > 0 { None } else { Some(self.skip + self.settings) }
    }

    /// How many bytes have to be seen at once.
    fn wanted(&self) -> usize {
        if self.settings > 0 {
            return SETTING_BYTES.min(self.settings as usize);
        }
        if usize::from(self.seen_len) < HEAD_BYTES {
            return HEAD_BYTES;
        }
        let telling = match self.kind() {
            kind::DATA | kind::HEADERS if self.flags() & flag::PADDED != 0 => 1,
            kind::RST_STREAM | kind::WINDOW_UPDATE => 4,
            _ => 0,
        };
        HEAD_BYTES + telling.min(self.payload_bytes() as usize)
    }

    /// What has been seen; what is left of the frame will be passed over.
    fn take(&mut self) -> Passing {
        let seen_len = usize::from(std::mem::take(&mut self.seen_len));
        if self.settings > 0 {
            self.settings -= seen_len as u32;
            let [a, b, c, d, e, f, ..] = self.seen;
            return Passing::Setting { id: u16::from_be_bytes([a, b]), value: u32::from_be_bytes([c, d, e, f]) };
        }
        let [.., e, f, g, h, told, b, c, d] = self.seen;
        let stream = u32::from_be_bytes([e, f, g, h]) & 0x7fff_ffff;
        let (kind, flags, bytes) = (self.kind(), self.flags(), self.payload_bytes());
        let (padding, number) = match seen_len - HEAD_BYTES {
            1 => (1 + u32::from(told), 0),
            4 => (0, u32::from_be_bytes([told, b, c, d])),
            _ => (0, 0),
        };
        self.skip = bytes - (seen_len - HEAD_BYTES) as u32;
        match kind {
            kind::HEADERS | kind::CONTINUATION => self.in_block = flags & flag::END_HEADERS == 0,
            kind::SETTINGS => self.settings = std::mem::take(&mut self.skip),
            _ => {}
        }
        Passing::Frame(Seen { kind, flags, bytes, stream, padding, number })
    }

    const fn payload_bytes(&self) -> u32 {
        let [a, b, c, ..] = self.seen;
        u32::from_be_bytes([0, a, b, c])
    }

    const fn kind(&self) -> u8 {
        self.seen[3]
    }

    const fn flags(&self) -> u8 {
        self.seen[4]
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        out.extend_from_slice(&[kind, flags, 0x80, 0, 0, 1]);
        out.extend_from_slice(payload);
        out
    }

    fn seen(kind: u8, flags: u8, bytes: u32) -> Seen {
        Seen { kind, flags, bytes, stream: 1, padding: 0, number: 0 }
    }

    /// The same frames come out wherever the bytes are cut.
    #[track_caller]
    fn check(skip: u32, bytes: &[u8], expect: &[Passing]) {
        let run = |parts: &[&[u8]]| {
            let (mut meter, mut all) = (Meter::after(skip), Vec::new());
            for part in parts {
                let whole = meter.pass(part, |passing, _| {
                    all.push(passing);
                    ControlFlow::Continue(())
                });
                assert_eq!(whole, None);
            }
            assert!(!meter.is_amid() || meter.in_block);
            all
        };
        assert_eq!(run(&[bytes]), expect);
        for cut in 0..=bytes.len() {
            let (first, second) = bytes.split_at(cut);
            assert_eq!(run(&[first, second]), expect, "cut at {cut}");
        }
        let each: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(run(&each), expect, "byte by byte");
    }

    #[test]
    fn every_kind_is_told_apart_at_every_cut() {
        let bytes = [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            frame(kind::SETTINGS, 0, &[0, 4, 0, 1, 0, 0, 0, 5, 0, 0, 0x40, 0]),
            frame(kind::SETTINGS, flag::ACK, &[]),
            frame(kind::HEADERS, 0, &[7; 30]),
            frame(kind::CONTINUATION, flag::END_HEADERS, &[7; 5]),
            frame(kind::HEADERS, flag::PADDED | flag::END_HEADERS, &[2, 7, 0, 0]),
            frame(kind::DATA, 0, b"hello"),
            frame(kind::DATA, flag::PADDED, &[3, 0, 0, 0]),
            frame(kind::DATA, flag::PADDED, &[]),
            frame(kind::RST_STREAM, 0, &8_u32.to_be_bytes()),
            frame(kind::RST_STREAM, 0, &[0, 0]),
            frame(kind::PING, 0, &[1; 8]),
            frame(kind::WINDOW_UPDATE, 0, &0x100_u32.to_be_bytes()),
            frame(0x42, 0xff, &[9; 3]),
        ]
        .concat();
        let expect = [
            Passing::Frame(seen(kind::SETTINGS, 0, 12)),
            Passing::Setting { id: 4, value: 0x1_0000 },
            Passing::Setting { id: 5, value: 0x4000 },
            Passing::Frame(seen(kind::SETTINGS, flag::ACK, 0)),
            Passing::Frame(seen(kind::HEADERS, 0, 30)),
            Passing::Frame(seen(kind::CONTINUATION, flag::END_HEADERS, 5)),
            Passing::Frame(Seen { padding: 3, ..seen(kind::HEADERS, flag::PADDED | flag::END_HEADERS, 4) }),
            Passing::Frame(seen(kind::DATA, 0, 5)),
            Passing::Frame(Seen { padding: 4, ..seen(kind::DATA, flag::PADDED, 4) }),
            Passing::Frame(seen(kind::DATA, flag::PADDED, 0)),
            Passing::Frame(Seen { number: 8, ..seen(kind::RST_STREAM, 0, 4) }),
            Passing::Frame(seen(kind::RST_STREAM, 0, 2)),
            Passing::Frame(seen(kind::PING, 0, 8)),
            Passing::Frame(Seen { number: 0x100, ..seen(kind::WINDOW_UPDATE, 0, 4) }),
            Passing::Frame(seen(0x42, 0xff, 3)),
        ];
        check(24, &bytes, &expect);
    }

    #[test]
    fn it_ends_before_the_frame_that_is_not_wanted() {
        let first = frame(kind::PING, 0, &[1; 8]);
        let settings = frame(kind::SETTINGS, 0, &[0, 4, 0, 1, 0, 0, 0, 4, 0xff, 0, 0, 0]);
        let bytes = [&first[..], &settings, &first].concat();
        let unwanted = |passing, _| match passing {
            Passing::Setting { value, .. } if value > 0x7fff_ffff => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        assert_eq!(Meter::after(0).pass(&bytes, unwanted), Some(first.len()));
        let mut meter = Meter::after(0);
        let (head, rest) = bytes.split_at(first.len() + 10);
        assert_eq!((meter.pass(head, unwanted), meter.pass(rest, unwanted)), (None, Some(0)));
    }

    #[test]
    fn it_knows_whether_something_is_owed() {
        let mut meter = Meter::after(2);
        assert!(meter.is_amid());
        let mut pass = |bytes: &[u8]| {
            meter.pass(bytes, |_, _| ControlFlow::Continue(()));
            meter.is_amid()
        };
        assert!(!pass(b"PR"));
        assert!(pass(&frame(kind::DATA, 0, b"hello")[..10]));
        assert!(!pass(&frame(kind::DATA, 0, b"hello")[10..]));
        assert!(pass(&frame(kind::HEADERS, 0, &[1])), "the header block goes on");
        assert!(!pass(&frame(kind::CONTINUATION, flag::END_HEADERS, &[1])));
    }

    /// What is seen of bytes that come in these pieces.
    fn passing<'p>(skip: u32, pieces: impl IntoIterator<Item = &'p [u8]>) -> Vec<Passing> {
        let (mut meter, mut all) = (Meter::after(skip), Vec::new());
        for piece in pieces {
            meter.pass(piece, |passing, _| {
                all.push(passing);
                ControlFlow::Continue(())
            });
        }
        all
    }

    /// Kind, flags and payload.
    fn frames() -> impl Strategy<Value = Vec<(u8, u8, Vec<u8>)>> {
        vec((prop_oneof![4 => 0..10_u8, 1 => any::<u8>()], any::<u8>(), vec(any::<u8>(), 0..40)), 0..8)
    }

    proptest! {
        #[test]
        fn frames_are_found_by_their_lengths(frames in frames(), skip in 0..30_u32) {
            let bytes: Vec<u8> = frames.iter().flat_map(|(kind, flags, payload)| frame(*kind, *flags, payload)).collect();
            let bytes = [vec![0; skip as usize], bytes].concat();
            let heads: Vec<_> = passing(skip, [&bytes[..]])
                .into_iter()
                .filter_map(|passing| match passing {
                    Passing::Frame(seen) => Some((seen.kind, seen.flags, seen.bytes as usize, seen.stream)),
                    Passing::Setting { .. } => None,
                })
                .collect();
            let expect: Vec<_> =
                frames.iter().map(|(kind, flags, payload)| (*kind, *flags, payload.len(), 1)).collect();
            prop_assert_eq!(heads, expect);
        }

        #[test]
        fn noise_is_seen_alike_however_it_is_cut(
            bytes in vec(prop_oneof![Just(0_u8), any::<u8>()], 0..300),
            skip in 0..30_u32,
            at in vec(any::<Index>(), 0..8),
        ) {
            let whole = passing(skip, [&bytes[..]]);
            prop_assert_eq!(&passing(skip, bytes.chunks(1)), &whole);
            let mut at: Vec<_> = at.iter().map(|index| index.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            prop_assert_eq!(&passing(skip, at.windows(2).map(|pair| &bytes[pair[0]..pair[1]])), &whole);
        }
    }
}
