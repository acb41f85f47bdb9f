//! Frames counted as their bytes pass by: the HTTP/2 library keeps control frames to itself, and floods are made of them.
//! Never here: a copy of what passes, a judgement; see `budget`.

/// Length, type, flags and stream (RFC 9113 §4.1).
const HEAD_BYTES: usize = 9;
/// The longest part of a frame that is looked at: its head, and an increment or an error code behind it.
const SEEN_BYTES_MAX: usize = HEAD_BYTES + 4;

const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const PRIORITY: u8 = 0x2;
const RST_STREAM: u8 = 0x3;
const SETTINGS: u8 = 0x4;
const PING: u8 = 0x6;
const WINDOW_UPDATE: u8 = 0x8;
const CONTINUATION: u8 = 0x9;

const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;

/// What a frame means to whoever counts. Frames that cost nothing, or that end the connection anyway, are `Other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// DATA with content.
    Data {
        bytes: u32,
    },
    /// DATA that neither carries a byte nor ends its stream.
    EmptyData,
    /// HEADERS or CONTINUATION with so many bytes of a header block.
    Headers {
        bytes: u32,
    },
    Continuation {
        bytes: u32,
    },
    Priority,
    Reset {
        code: u32,
    },
    Settings,
    Ping,
    WindowUpdate {
        increment: u32,
    },
    Other,
}

/// Watches one direction of a connection.
#[derive(Debug)]
pub struct Meter {
    seen: [u8; SEEN_BYTES_MAX],
    seen_len: u8,
    /// Bytes to pass before the next frame begins: the client's preface, or the rest of a payload.
    skip: u32,
    /// Within a header block: nothing but CONTINUATION may follow (RFC 9113 §6.10).
    in_block: bool,
}

impl Meter {
    /// For a direction that begins with `skip` bytes that are no frame.
    #[must_use]
    pub const fn after(skip: u32) -> Self {
        Self { seen: [0; SEEN_BYTES_MAX], seen_len: 0, skip, in_block: false }
    }

    /// Tells `count` of every frame whose telling part ends in `bytes`. The bytes of a connection may be cut anywhere.
    pub fn pass(&mut self, mut bytes: &[u8], mut count: impl FnMut(Frame)) {
        while !bytes.is_empty() {
            let skipped = (self.skip as usize).min(bytes.len());
            self.skip -= skipped as u32;
            bytes = &bytes[skipped..];
            let have = usize::from(self.seen_len);
            let taken = (self.wanted() - have).min(bytes.len());
            self.seen[have..have + taken].copy_from_slice(&bytes[..taken]);
            self.seen_len += taken as u8;
            bytes = &bytes[taken..];
            // What is wanted grows once, when the head is whole and says that its payload tells more.
            if usize::from(self.seen_len) >= HEAD_BYTES && usize::from(self.seen_len) == self.wanted() {
                count(self.take());
            }
        }
    }

    /// Whether the peer owes the rest of something: of its preface, of a frame, of a header block.
    #[must_use]
    pub const fn is_amid(&self) -> bool {
        self.skip > 0 || self.seen_len > 0 || self.in_block
    }

    /// How many bytes of the present frame have to be seen.
    fn wanted(&self) -> usize {
        if usize::from(self.seen_len) < HEAD_BYTES {
            return HEAD_BYTES;
        }
        let telling = match self.kind() {
            DATA if self.flags() & PADDED != 0 => 1,
            RST_STREAM | WINDOW_UPDATE => 4,
            _ => 0,
        };
        HEAD_BYTES + telling.min(self.payload_bytes() as usize)
    }

    /// The frame that has been seen; what is left of it will be passed over.
    fn take(&mut self) -> Frame {
        let bytes = self.payload_bytes();
        let [.., a, b, c, d] = self.seen;
        let number = u32::from_be_bytes([a, b, c, d]);
        let ends_block = self.flags() & END_HEADERS != 0;
        let frame = match self.kind() {
            DATA if self.flags() & END_STREAM == 0 && bytes == self.padding() => Frame::EmptyData,
            DATA => Frame::Data { bytes },
            HEADERS => Frame::Headers { bytes },
            CONTINUATION => Frame::Continuation { bytes },
            PRIORITY => Frame::Priority,
            // One that is too short is an error of the connection, and the library says so.
            RST_STREAM if bytes >= 4 => Frame::Reset { code: number },
            SETTINGS => Frame::Settings,
            PING => Frame::Ping,
            WINDOW_UPDATE if bytes >= 4 => Frame::WindowUpdate { increment: number & 0x7fff_ffff },
            _ => Frame::Other,
        };
        if matches!(frame, Frame::Headers { .. } | Frame::Continuation { .. }) {
            self.in_block = !ends_block;
        }
        self.skip = bytes - (u32::from(self.seen_len) - HEAD_BYTES as u32);
        self.seen_len = 0;
        frame
    }

    /// Bytes of a DATA frame that are no content.
    fn padding(&self) -> u32 {
        let padded = self.flags() & PADDED != 0 && usize::from(self.seen_len) > HEAD_BYTES;
        if padded { 1 + u32::from(self.seen[HEAD_BYTES]) } else { 0 }
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
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        out.extend_from_slice(&[kind, flags, 0, 0, 0, 1]);
        out.extend_from_slice(payload);
        out
    }

    /// The same frames come out wherever the bytes are cut.
    #[track_caller]
    fn check(skip: u32, bytes: &[u8], expect: &[Frame]) {
        let mut whole = Vec::new();
        Meter::after(skip).pass(bytes, |frame| whole.push(frame));
        assert_eq!(whole, expect);
        for cut in 0..=bytes.len() {
            let (mut meter, mut seen) = (Meter::after(skip), Vec::new());
            let (first, second) = bytes.split_at(cut);
            meter.pass(first, |frame| seen.push(frame));
            meter.pass(second, |frame| seen.push(frame));
            assert_eq!(seen, expect, "cut at {cut}");
        }
        let (mut meter, mut seen) = (Meter::after(skip), Vec::new());
        for byte in bytes {
            meter.pass(std::slice::from_ref(byte), |frame| seen.push(frame));
        }
        assert_eq!(seen, expect, "byte by byte");
    }

    #[test]
    fn every_kind_is_told_apart_at_every_cut() {
        let bytes = [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            frame(SETTINGS, 0, &[0; 12]),
            frame(SETTINGS, 1, &[]),
            frame(HEADERS, 0, &[7; 30]),
            frame(CONTINUATION, END_HEADERS, &[7; 5]),
            frame(DATA, 0, b"hello"),
            frame(DATA, END_STREAM, &[]),
            frame(PRIORITY, 0, &[0; 5]),
            frame(RST_STREAM, 0, &8_u32.to_be_bytes()),
            frame(PING, 0, &[1; 8]),
            frame(WINDOW_UPDATE, 0, &0x8000_0100_u32.to_be_bytes()),
            frame(0x42, 0xff, &[9; 3]),
        ]
        .concat();
        let expect = [
            Frame::Settings,
            Frame::Settings,
            Frame::Headers { bytes: 30 },
            Frame::Continuation { bytes: 5 },
            Frame::Data { bytes: 5 },
            Frame::Data { bytes: 0 },
            Frame::Priority,
            Frame::Reset { code: 8 },
            Frame::Ping,
            Frame::WindowUpdate { increment: 0x100 },
            Frame::Other,
        ];
        check(24, &bytes, &expect);
    }

    #[test]
    fn data_without_content_is_seen_through_its_padding() {
        check(0, &frame(DATA, 0, &[]), &[Frame::EmptyData]);
        check(0, &frame(DATA, PADDED, &[3, 0, 0, 0]), &[Frame::EmptyData]);
        check(0, &frame(DATA, PADDED, &[0]), &[Frame::EmptyData]);
        check(0, &frame(DATA, PADDED, &[2, b'x', 0, 0]), &[Frame::Data { bytes: 4 }]);
        check(0, &frame(DATA, PADDED | END_STREAM, &[3, 0, 0, 0]), &[Frame::Data { bytes: 4 }]);
    }

    #[test]
    fn frames_that_are_too_short_say_nothing() {
        check(0, &frame(RST_STREAM, 0, &[0, 0]), &[Frame::Other]);
        check(0, &frame(WINDOW_UPDATE, 0, &[]), &[Frame::Other]);
        check(0, &frame(DATA, PADDED, &[]), &[Frame::EmptyData]);
    }

    #[test]
    fn it_knows_whether_something_is_owed() {
        let mut meter = Meter::after(2);
        assert!(meter.is_amid());
        let mut pass = |bytes: &[u8]| {
            meter.pass(bytes, |_| {});
            meter.is_amid()
        };
        assert!(!pass(b"PR"));
        assert!(pass(&frame(DATA, 0, b"hello")[..10]));
        assert!(!pass(&frame(DATA, 0, b"hello")[10..]));
        assert!(pass(&frame(HEADERS, 0, &[1])), "the header block goes on");
        assert!(!pass(&frame(CONTINUATION, END_HEADERS, &[1])));
    }
}
