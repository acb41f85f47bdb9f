//! Writes JSON scalars and the envelope of every answer, straight into a byte buffer.
//! Never here: `fmt`, intermediate strings.

/// Opens the envelope of a success; the value of `data` follows, then [`ENVELOPE_CLOSE`].
pub const ENVELOPE_OPEN: &[u8] = br#"{"code":0,"message":"ok","data":"#;
pub const ENVELOPE_CLOSE: &[u8] = b"}";

/// Bytes looked at together for something to escape: one or two vector registers.
const BLOCK: usize = 32;

/// Writes text as a JSON string. Escapes what RFC 8259 §7 demands and nothing else.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(run) = run_before_escape(rest) {
        let (plain, tail) = rest.split_at(run);
        out.extend_from_slice(plain);
        if let [byte, tail @ ..] = tail {
            write_escape(out, *byte);
            rest = tail;
        }
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

pub fn write_integer(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Shortest text that reads back as the same number; `null` for what JSON cannot say.
pub fn write_float(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes());
    } else {
        out.extend_from_slice(b"null");
    }
}

/// How many bytes come before the first one to escape; `None` when none is.
fn run_before_escape(bytes: &[u8]) -> Option<usize> {
    let mut blocks = bytes.chunks_exact(BLOCK);
    let mut start = 0;
    for block in &mut blocks {
        // Folded without an early exit, so that the compiler compares the whole block at once.
        if block.iter().fold(false, |any, byte| any | needs_escape(*byte)) {
            return block.iter().position(|byte| needs_escape(*byte)).map(|at| start + at);
        }
        start += BLOCK;
    }
    blocks.remainder().iter().position(|byte| needs_escape(*byte)).map(|at| start + at)
}

const fn needs_escape(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&digits);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        write_string(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_what_must_be_escaped_is() {
        assert_eq!(written(""), r#""""#);
        assert_eq!(written("好 / \u{7f} é"), "\"好 / \u{7f} é\"");
        assert_eq!(written("\"\\\n\r\t\u{8}\u{c}\u{0}\u{1f}"), r#""\"\\\n\r\t\b\f\u0000\u001f""#);
    }

    #[test]
    fn an_escape_is_found_at_every_place_of_a_block() {
        for length in 1..3 * BLOCK {
            for at in 0..length {
                let text: String = (0..length).map(|n| if n == at { '"' } else { 'x' }).collect();
                assert_eq!(written(&text), format!("\"{}\"", text.replace('"', "\\\"")));
            }
        }
    }

    #[test]
    fn numbers_that_json_cannot_say_are_null() {
        let text = |value| {
            let mut out = Vec::new();
            write_float(&mut out, value);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text(f64::NAN), "null");
        assert_eq!(text(f64::NEG_INFINITY), "null");
        assert_eq!(text(1.0), "1.0");
        assert_eq!(text(-0.1), "-0.1");
    }

    proptest! {
        #[test]
        fn text_and_numbers_read_back(text in any::<String>(), integer in any::<i64>(), float in -1e300f64..1e300) {
            prop_assert_eq!(serde_json::from_str::<String>(&written(&text))?, text);
            let mut out = Vec::new();
            write_integer(&mut out, integer);
            prop_assert_eq!(std::str::from_utf8(&out)?.parse::<i64>()?, integer);
            out.clear();
            write_float(&mut out, float);
            prop_assert_eq!(std::str::from_utf8(&out)?.parse::<f64>()?, float);
        }
    }
}
