//! Counting requests without reading them: one ends at each empty line.
//! Never here: bodies. A floor is asked with GET only.

const END: &[u8; 4] = b"\r\n\r\n";

/// How much of the empty line the bytes so far end with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeadEnds {
    matched: u8,
}

impl HeadEnds {
    /// Requests that end within `bytes`, which continue what was counted before.
    pub fn count(&mut self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        let mut found = 0;
        while let Some((&byte, after)) = rest.split_first() {
            // No empty line covers a fourth byte that is neither CR nor LF, so three quarters of a head are never looked at.
            if let (0, Some(&fourth)) = (self.matched, rest.get(3))
                && !END.contains(&fourth)
            {
                rest = &rest[4..];
                continue;
            }
            self.matched = match byte {
                b'\r' if self.matched == 2 => 3,
                b'\r' => 1,
                b'\n' if self.matched == 1 || self.matched == 3 => self.matched + 1,
                _ => 0,
            };
            if usize::from(self.matched) == END.len() {
                self.matched = 0;
                found += 1;
            }
            rest = after;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: &[u8] =
        b"GET / HTTP/1.1\r\nhost: a\r\n\r\nGET /\r\r\n\r\nX\r\n\rY\n\r\nGET /long/path HTTP/1.1\r\n\r\nGET / HT";

    fn reference(bytes: &[u8]) -> usize {
        std::str::from_utf8(bytes).unwrap().matches("\r\n\r\n").count()
    }

    #[test]
    fn pipelined_requests_are_all_counted_wherever_the_bytes_are_split() {
        assert_eq!(reference(THREE), 3);
        for first in 0..=THREE.len() {
            for second in first..=THREE.len() {
                let mut ends = HeadEnds::default();
                let found =
                    ends.count(&THREE[..first]) + ends.count(&THREE[first..second]) + ends.count(&THREE[second..]);
                assert_eq!(found, 3, "split at {first} and {second}");
            }
        }
    }

    #[test]
    fn every_text_of_eight_bytes_over_a_small_alphabet_agrees_with_the_reference() {
        for number in 0..3_usize.pow(8) {
            let text: Vec<u8> = (0..8).map(|digit| b"\r\na"[number / 3_usize.pow(digit) % 3]).collect();
            assert_eq!(HeadEnds::default().count(&text), reference(&text), "{text:?}");
        }
    }
}
