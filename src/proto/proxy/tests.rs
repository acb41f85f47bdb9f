//! Headers as balancers send them: whole, cut, damaged, and the bounds.
//! Never here: a header that only one implementation writes, without its form in the specification.

use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Defect, Header, Parsed, Version, crc32c, parse};
use crate::core::bounds::{PROXY_HEADER_BYTES_MAX, PROXY_LINE_BYTES_MAX};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const V4: &[u8] = &[198, 51, 100, 7, 10, 0, 0, 1, 0x9d, 0x78, 1, 0xbb];

/// Whole, cut at every byte, and with bytes behind it: a header is found once it is whole, and never before.
#[track_caller]
fn check(bytes: &[u8], source: Option<&str>) {
    let version = if bytes.starts_with(b"P") { Version::Text } else { Version::Binary };
    let source = source.map(|text| text.parse::<SocketAddr>().unwrap());
    let expect = Parsed::Header(Header { bytes: bytes.len(), version, source });
    assert_eq!(parse(bytes), expect, "{}", bytes.escape_ascii());
    for behind in [&b"GET / HTTP/1.1\r\n"[..], b"\x16\x03\x01", bytes, b"\n"] {
        assert_eq!(parse(&[bytes, behind].concat()), expect, "{}", bytes.escape_ascii());
    }
    for cut in 0..bytes.len() {
        assert_eq!(parse(&bytes[..cut]), Parsed::NeedMore, "{} cut at {cut}", bytes.escape_ascii());
    }
}

/// Refused when it is whole; a part of it waits or is refused already.
#[track_caller]
fn check_defect(bytes: &[u8], fits: impl Fn(Defect) -> bool) {
    match parse(bytes) {
        Parsed::Malformed(defect) => assert!(fits(defect), "{}: {defect:?}", bytes.escape_ascii()),
        other => panic!("{}: {other:?}", bytes.escape_ascii()),
    }
    for cut in 0..bytes.len() {
        let part = parse(&bytes[..cut]);
        assert!(part == Parsed::NeedMore || part == parse(bytes), "{} cut at {cut}: {part:?}", bytes.escape_ascii());
    }
}

fn binary(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, block].concat()
}

fn field(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind], &u16::try_from(value.len()).unwrap().to_be_bytes()[..], value].concat()
}

/// A header over IPv4 with these fields, and among them a checksum made by the definition.
fn summed(before: &[u8], behind: &[u8], damage: u32) -> Vec<u8> {
    let blank = binary(0x21, 0x11, &[V4, before, &field(3, &[0; 4]), behind].concat());
    let sum = (crc32c::sum([&blank[..]].into_iter()) ^ damage).to_be_bytes();
    let at = 16 + V4.len() + before.len() + 3;
    [&blank[..at], &sum, &blank[at + 4..]].concat()
}

#[test]
fn lines() {
    check(b"PROXY TCP4 198.51.100.7 10.0.0.1 40312 443\r\n", Some("198.51.100.7:40312"));
    check(b"PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n", Some("255.255.255.255:65535"));
    check(b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n", Some("[2001:db8::1]:1"));
    check(b"PROXY TCP6 2001:DB8:0:0::1 2001:db8::2 1 2\r\n", Some("[2001:db8::1]:1"));
    check(b"PROXY TCP6 ::ffff:198.51.100.7 ::1 1 2\r\n", Some("[::ffff:198.51.100.7]:1"));
    check(b"PROXY UNKNOWN\r\n", None);
    check(b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", None);
    let longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    check(format!("PROXY TCP6 {longest} {longest} 65535 65535\r\n").as_bytes(), Some(&format!("[{longest}]:65535")));
}

#[test]
fn lines_that_are_no_header() {
    for line in [
        "PROXY \r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP4 \r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n",
        "PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
        "PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n",
        "PROXY\u{20}tcp4 1.2.3.4 5.6.7.8 1 2\r\n",
        "PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n",
        "PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n",
        "PROXY UNKNOWNX\r\n",
        "PROXY unknown\r\n",
        "PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n",
        "PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n",
        "PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n",
        "PROXY TCP4 0x1.2.3.4 5.6.7.8 1 2\r\n",
        "PROXY TCP4 16909060 5.6.7.8 1 2\r\n",
        "PROXY TCP4 ::1 ::2 1 2\r\n",
        "PROXY TCP4 1.2.3.4 ::2 1 2\r\n",
        "PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n",
        "PROXY TCP6 ::1%eth0 ::2 1 2\r\n",
        "PROXY TCP6 [::1] ::2 1 2\r\n",
        "PROXY TCP6 1::2::3 ::2 1 2\r\n",
        "PROXY TCP6 12345::1 ::2 1 2\r\n",
        "PROXY TCP6 1:2:3:4:5:6:7:8:9 ::2 1 2\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 00 2\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 -1 2\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8  2\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 a 2\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\r\n",
        "PROXY TCP4 1.2.3.4\t5.6.7.8 1 2\r\n",
        "PROXY UNKNOWN \u{7f}\r\n",
        "PROXY UNKNOWN \0\r\n",
        "PROXY UNKNOWN \r \r\n",
        "PROXY UNKNOWN ü\r\n",
    ] {
        check_defect(line.as_bytes(), |defect| matches!(defect, Defect::Text(_)));
    }
}

#[test]
fn a_line_has_at_most_107_bytes() {
    let line = |bytes: usize| [b"PROXY UNKNOWN ", &vec![b'x'; bytes - 16][..], b"\r\n"].concat();
    check(&line(PROXY_LINE_BYTES_MAX - 1), None);
    check(&line(PROXY_LINE_BYTES_MAX), None);
    let too_long = |defect| matches!(defect, Defect::TooLong { bytes_max: PROXY_LINE_BYTES_MAX });
    check_defect(&line(PROXY_LINE_BYTES_MAX + 1), too_long);
    check_defect(&line(PROXY_LINE_BYTES_MAX)[..PROXY_LINE_BYTES_MAX - 1].repeat(2), too_long);
}

#[test]
fn what_begins_like_neither_is_no_header() {
    for bytes in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"POST / HTTP/1.1\r\n",
        b"PRI * HTTP/2.0\r\n",
        b"PROXY\r\n",
        b"PROXYTCP4",
        b"proxy TCP4",
        b" PROXY TCP4",
        b"\x16\x03\x01\x02\x00",
        b"\r\nGET",
        b"\r\n\r\nGET",
        b"\r\n\r\n\0\r\nQUIT\r",
        b"\n",
        b"\0",
        b"\xff",
    ] {
        assert_eq!(parse(bytes), Parsed::Absent, "{}", bytes.escape_ascii());
    }
    assert_eq!(parse(b""), Parsed::NeedMore);
}

#[test]
fn binary_headers() {
    let v6 = [&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1][..], &[0; 16], &[0, 80, 1, 0xbb]].concat();
    for transport in 1..=2 {
        check(&binary(0x21, 0x10 | transport, V4), Some("198.51.100.7:40312"));
        check(&binary(0x21, 0x20 | transport, &v6), Some("[2001:db8::1]:80"));
        check(&binary(0x21, 0x30 | transport, &[b'/'; 216]), None);
        check(&binary(0x21, transport, &[]), None);
    }
    check(&binary(0x21, 0x00, &[]), None);
    check(&binary(0x21, 0x00, &field(4, b"padding")), None);
    let fields = [field(1, b"h2"), field(4, &[0; 9]), field(0x20, &[1; 40]), field(0xee, b"")].concat();
    check(&binary(0x21, 0x11, &[V4, &fields].concat()), Some("198.51.100.7:40312"));
}

#[test]
fn a_local_connection_has_no_source_whatever_the_block_says() {
    check(&binary(0x20, 0x00, &[]), None);
    check(&binary(0x20, 0x11, V4), None);
    check(&binary(0x20, 0x11, &[1, 2, 3]), None);
    check(&binary(0x20, 0x00, &[1, 2, 3]), None);
    check(&binary(0x20, 0x00, &field(1, b"h2")), None);
    check_defect(&binary(0x20, 0x00, &field(3, &[0; 4])), |defect| defect == Defect::Checksum);
}

#[test]
fn binary_headers_that_are_none() {
    let malformed = |bytes: &[u8]| check_defect(bytes, |defect| matches!(defect, Defect::Binary(_)));
    for command in [0x00, 0x01, 0x11, 0x22, 0x2f, 0x31, 0xf1, 0xff] {
        malformed(&binary(command, 0x11, V4));
    }
    for family in [0x03, 0x10, 0x13, 0x1f, 0x23, 0x30, 0x33, 0x41, 0x50, 0xff] {
        malformed(&binary(0x21, family, V4));
    }
    malformed(&binary(0x21, 0x11, &[]));
    malformed(&binary(0x21, 0x11, &V4[..11]));
    malformed(&binary(0x21, 0x21, &[0; 35]));
    malformed(&binary(0x21, 0x31, &[0; 215]));
    let with = |fields: &[u8]| binary(0x21, 0x11, &[V4, fields].concat());
    malformed(&with(&[1]));
    malformed(&with(&[1, 0]));
    malformed(&with(&[1, 0, 1]));
    malformed(&with(&[1, 0xff, 0xff, 0]));
    malformed(&with(&[&field(1, b"h2")[..], &[0]].concat()));
    malformed(&with(&field(3, &[0; 3])));
    malformed(&with(&field(3, &[0; 5])));
    malformed(&summed(b"", &field(3, &[0; 4]), 0));
}

#[test]
fn checksums() {
    let other = field(2, b"shop.example");
    for (before, behind) in [(&b""[..], &b""[..]), (&other, b""), (b"", &other), (&other, &other)] {
        check(&summed(before, behind, 0), Some("198.51.100.7:40312"));
        for bit in 0..32 {
            check_defect(&summed(before, behind, 1 << bit), |defect| defect == Defect::Checksum);
        }
    }
}

#[test]
fn every_damaged_bit_of_a_summed_header_is_noticed() {
    let header = summed(&field(1, b"http/1.1"), b"", 0);
    let kind_of_sum = header.len() - 7;
    // Without its kind the sum is a field like any other.
    for at in (0..header.len()).filter(|at| *at != kind_of_sum) {
        for bit in 0..8 {
            let mut damaged = header.clone();
            damaged[at] ^= 1 << bit;
            let source = match parse(&damaged) {
                Parsed::Header(header) => header.source,
                Parsed::NeedMore | Parsed::Absent | Parsed::Malformed(_) => None,
            };
            assert_eq!(source, None, "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn a_binary_header_is_bounded() {
    let with = |total: usize| {
        let padding = total - 16 - V4.len() - 3;
        binary(0x21, 0x11, &[V4, &field(4, &vec![0; padding])].concat())
    };
    check(&with(PROXY_HEADER_BYTES_MAX - 1), Some("198.51.100.7:40312"));
    check(&with(PROXY_HEADER_BYTES_MAX), Some("198.51.100.7:40312"));
    let too_long = |defect| matches!(defect, Defect::TooLong { bytes_max: PROXY_HEADER_BYTES_MAX });
    check_defect(&with(PROXY_HEADER_BYTES_MAX + 1), too_long);
    // Refused before its bytes are awaited.
    check_defect(&with(PROXY_HEADER_BYTES_MAX + 1)[..16], too_long);
    check_defect(&[SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat(), too_long);
}

proptest! {
    #[test]
    fn any_address_is_read_back((source, destination) in prop_oneof![
        any::<(SocketAddrV4, SocketAddrV4)>().prop_map(|(from, to)| (SocketAddr::from(from), SocketAddr::from(to))),
        any::<(SocketAddrV6, SocketAddrV6)>().prop_map(|(from, to)| (SocketAddr::from(from), SocketAddr::from(to))),
    ]) {
        let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
        let line = format!(
            "PROXY {family} {} {} {} {}\r\n", source.ip(), destination.ip(), source.port(), destination.port(),
        );
        let header = Header {
            bytes: line.len(),
            version: Version::Text,
            source: Some(SocketAddr::new(source.ip(), source.port())),
        };
        prop_assert_eq!(parse(line.as_bytes()), Parsed::Header(header));
    }

    #[test]
    fn noise_is_survived_and_more_bytes_change_no_verdict(
        start in prop::sample::select(vec![&b""[..], b"PROXY ", b"PROXY TCP4 ", SIGNATURE,
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0"]),
        noise in vec(prop_oneof![any::<u8>(), prop::sample::select(b"\r\n 0123456789.:".to_vec())], 0..160),
    ) {
        let bytes = [start, &noise].concat();
        let whole = parse(&bytes);
        let verdicts = (0..bytes.len()).map(|cut| parse(&bytes[..cut]));
        let early: Vec<Parsed> = verdicts.filter(|verdict| *verdict != Parsed::NeedMore).collect();
        prop_assert!(early.iter().all(|verdict| *verdict == whole), "{early:?} and then {whole:?}");
        if let Parsed::Header(header) = whole {
            prop_assert!(header.bytes <= bytes.len());
        }
    }
}
