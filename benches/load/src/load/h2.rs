//! One request over HTTP/2, in the fewest frames that RFC 9113 allows: for connections that shall then be silent.
//! Never here: a second stream, flow control, a table of header fields.

use std::io::{Error, ErrorKind, Read, Result, Write};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEAD_BYTES: usize = 9;
/// What a server may send before it has heard of another size (RFC 9113 §4.2).
const PAYLOAD_BYTES_MAX: usize = 16 * 1024;
/// Longest literal whose length fits the seven bits of its first octet (RFC 7541 §5.2).
const LITERAL_BYTES_MAX: usize = 126;

const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const RST_STREAM: u8 = 0x3;
const SETTINGS: u8 = 0x4;
const GOAWAY: u8 = 0x7;
const ACK: u8 = 0x1;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// Entries of HPACK's static table (RFC 7541 appendix A): `:method: GET` and `:scheme: https` as indexed fields,
/// `:authority` and `:path` as names of literals without indexing.
const METHOD_GET: u8 = 0x82;
const SCHEME_HTTPS: u8 = 0x87;
const AUTHORITY: u8 = 0x01;
const PATH: u8 = 0x04;

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
}

/// Opens the connection, asks for `path`, and returns when the answer has ended and both sides have confirmed the settings.
pub fn ask(wire: &mut (impl Read + Write), authority: &str, path: &str) -> Result<()> {
    let mut bytes = PREFACE.to_vec();
    frame(SETTINGS, 0, 0, &[], &mut bytes);
    frame(HEADERS, END_STREAM | END_HEADERS, 1, &get(authority, path)?, &mut bytes);
    wire.write_all(&bytes)?;

    let (mut theirs, mut ours, mut answered) = (false, false, false);
    while !(theirs && ours && answered) {
        let frame = read_frame(wire)?;
        match (frame.kind, frame.flags) {
            (SETTINGS, flags) if flags & ACK != 0 => ours = true,
            (SETTINGS, _) => {
                theirs = true;
                acknowledge(wire)?;
            }
            (HEADERS | DATA, flags) if frame.stream == 1 && flags & END_STREAM != 0 => answered = true,
            (RST_STREAM | GOAWAY, _) => return Err(ErrorKind::ConnectionReset.into()),
            _ => {}
        }
    }
    Ok(())
}

fn acknowledge(wire: &mut impl Write) -> Result<()> {
    let mut bytes = Vec::new();
    frame(SETTINGS, ACK, 0, &[], &mut bytes);
    wire.write_all(&bytes)
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

fn get(authority: &str, path: &str) -> Result<Vec<u8>> {
    let mut block = vec![METHOD_GET, SCHEME_HTTPS];
    for (name, value) in [(AUTHORITY, authority), (PATH, path)] {
        if value.len() > LITERAL_BYTES_MAX {
            return Err(Error::new(ErrorKind::InvalidInput, format!("{value:?} must have ≤{LITERAL_BYTES_MAX} bytes")));
        }
        block.extend_from_slice(&[name, value.len() as u8]);
        block.extend_from_slice(value.as_bytes());
    }
    Ok(block)
}

/// Reads a whole frame; what is in it does not matter here.
fn read_frame(wire: &mut impl Read) -> Result<Frame> {
    let mut head = [0; FRAME_HEAD_BYTES];
    wire.read_exact(&mut head)?;
    let [a, b, c, kind, flags, stream @ ..] = head;
    let payload_bytes = u32::from_be_bytes([0, a, b, c]) as usize;
    if payload_bytes > PAYLOAD_BYTES_MAX {
        return Err(Error::new(ErrorKind::InvalidData, format!("a frame of {payload_bytes} bytes is no HTTP/2")));
    }
    wire.read_exact(&mut vec![0; payload_bytes])?;
    Ok(Frame { kind, flags, stream: u32::from_be_bytes(stream) & 0x7fff_ffff })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives what the server says and keeps what the client says.
    struct Talk<'a> {
        server: &'a [u8],
        client: Vec<u8>,
    }

    impl Read for Talk<'_> {
        fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
            self.server.read(buf)
        }
    }

    impl Write for Talk<'_> {
        fn write(&mut self, bytes: &[u8]) -> Result<usize> {
            self.client.write(bytes)
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    fn answer(frames: &[(u8, u8, u32, &[u8])]) -> (Result<()>, Vec<u8>) {
        let mut server = Vec::new();
        frames.iter().for_each(|&(kind, flags, stream, payload)| frame(kind, flags, stream, payload, &mut server));
        let mut talk = Talk { server: &server, client: Vec::new() };
        (ask(&mut talk, "a:1", "/ping"), talk.client)
    }

    #[test]
    fn a_request_is_preface_settings_and_one_block() {
        let whole: [(u8, u8, u32, &[u8]); 4] = [
            (SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]),
            (SETTINGS, ACK, 0, &[]),
            (HEADERS, END_HEADERS, 1, &[0x88]),
            (DATA, END_STREAM, 1, b"{}"),
        ];
        let (outcome, sent) = answer(&whole);
        assert!(outcome.is_ok(), "{outcome:?}");
        let request = b"\0\0\x0e\x01\x05\0\0\0\x01\x82\x87\x01\x03a:1\x04\x05/ping";
        let expected = [PREFACE, b"\0\0\0\x04\0\0\0\0\0", request, b"\0\0\0\x04\x01\0\0\0\0"].concat();
        assert_eq!(sent, expected);
    }

    #[test]
    fn a_refusal_an_end_and_a_frame_too_large_are_errors() {
        let check = |frames: &[(u8, u8, u32, &[u8])], kind| assert_eq!(answer(frames).0.unwrap_err().kind(), kind);
        check(&[(GOAWAY, 0, 0, &[0; 8])], ErrorKind::ConnectionReset);
        check(&[(RST_STREAM, 0, 1, &[0; 4])], ErrorKind::ConnectionReset);
        check(&[(SETTINGS, 0, 0, &[])], ErrorKind::UnexpectedEof);
        check(&[(DATA, 0, 1, &[0; PAYLOAD_BYTES_MAX])], ErrorKind::UnexpectedEof);
        check(&[(DATA, 0, 1, &[0; PAYLOAD_BYTES_MAX + 1])], ErrorKind::InvalidData);
    }

    #[test]
    fn a_literal_has_at_most_126_bytes() {
        assert!(get("a", &"p".repeat(LITERAL_BYTES_MAX)).is_ok());
        assert!(get("a", &"p".repeat(LITERAL_BYTES_MAX + 1)).is_err());
    }
}
