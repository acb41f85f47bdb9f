//! CRC32C (Castagnoli, RFC 3720 §12.1 and appendix B.4), byte by byte: once per connection, over some hundred bytes.
//! Never here: speed that nobody waits for.

/// The polynomial 0x1EDC6F41, its bits reversed.
const POLYNOMIAL: u32 = 0x82f6_3b78;
const TABLE: [u32; 256] = table();

/// The sum of all parts, one behind the other.
pub(super) fn sum<'p>(parts: impl Iterator<Item = &'p [u8]>) -> u32 {
    let step = |sum: u32, byte: &u8| sum >> 8 ^ TABLE[usize::from(sum.to_le_bytes()[0] ^ byte)];
    !parts.flatten().fold(!0, step)
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < table.len() {
        let mut rest = index as u32;
        let mut bit = 0;
        while bit < 8 {
            rest = if rest & 1 == 1 { rest >> 1 ^ POLYNOMIAL } else { rest >> 1 };
            bit += 1;
        }
        table[index] = rest;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::sum;

    #[test]
    fn sums_are_those_of_the_rfc() {
        let check = |bytes: &[u8], expect: u32| assert_eq!(sum([bytes].into_iter()), expect);
        check(b"", 0);
        check(b"123456789", 0xe306_9283);
        check(&[0; 32], 0x8a91_36aa);
        check(&[0xff; 32], 0x62a8_ab43);
        check(&std::array::from_fn::<u8, 32, _>(|index| index as u8), 0x46dd_794e);
        assert_eq!(sum([&b"1234"[..], b"", b"56789"].into_iter()), 0xe306_9283);
    }
}
