//! Networks of addresses: `10.0.0.0/8`, `2001:db8::/32`, or one address alone.
//! Never here: two names of one address. An IPv4 address mapped into IPv6 is the IPv4 address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All addresses that share their first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

/// Bits before the IPv4 address in one that is mapped (RFC 4291 §2.5.5.2).
const MAPPED_BITS: u8 = 96;

impl Network {
    /// # Errors
    /// What the text must be.
    pub fn parse(text: &str) -> Result<Self, String> {
        const FORM: &str = "must be ADDRESS/BITS, such as 10.0.0.0/8 or fd00::/8";
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let written: IpAddr = address.parse().map_err(|_| FORM.to_owned())?;
        let width = if written.is_ipv4() { 32 } else { 128 };
        let digits = |bits: &&str| !bits.is_empty() && bits.bytes().all(|b| b.is_ascii_digit());
        let prefix = match bits {
            None => width,
            Some(bits) => Some(bits).filter(digits).and_then(|bits| bits.parse().ok()).ok_or(FORM)?,
        };
        if prefix > width {
            return Err(format!("must have at most {width} bits"));
        }
        let (address, prefix) = match (written.to_canonical(), written) {
            (mapped @ IpAddr::V4(_), IpAddr::V6(_)) if prefix >= MAPPED_BITS => (mapped, prefix - MAPPED_BITS),
            _ => (written, prefix),
        };
        let first = mask(address, prefix);
        if first != address {
            return Err(format!("must have zeros behind its first {prefix} bits: {first}/{prefix}"));
        }
        Ok(Self { first, prefix })
    }

    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && mask(address, self.prefix) == self.first
    }
}

impl fmt::Display for Network {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.first, self.prefix)
    }
}

/// The address with only its first bits.
fn mask(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(ip) => {
            Ipv4Addr::from_bits(ip.to_bits() & u32::MAX.checked_shl(32 - prefix).unwrap_or_default()).into()
        }
        IpAddr::V6(ip) => {
            Ipv6Addr::from_bits(ip.to_bits() & u128::MAX.checked_shl(128 - prefix).unwrap_or_default()).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_their_addresses() {
        let check = |network: &str, inside: &[&str], outside: &[&str]| {
            let network = Network::parse(network).unwrap();
            let contains = |address: &&str| network.contains(address.parse().unwrap());
            assert!(inside.iter().all(contains), "{network}: {inside:?}");
            assert!(!outside.iter().any(contains), "{network}: {outside:?}");
        };
        check(
            "10.0.0.0/8",
            &["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"],
            &["9.255.255.255", "11.0.0.0", "a00::"],
        );
        check("192.0.2.128/25", &["192.0.2.128", "192.0.2.255"], &["192.0.2.127", "192.0.3.128"]);
        check("192.0.2.1", &["192.0.2.1"], &["192.0.2.0", "192.0.2.2"]);
        check("192.0.2.1/32", &["192.0.2.1"], &["192.0.2.0"]);
        check("0.0.0.0/0", &["1.2.3.4", "::ffff:1.2.3.4"], &["::", "::1"]);
        check("::/0", &["::1", "2001:db8::"], &["1.2.3.4", "::ffff:1.2.3.4"]);
        check("2001:db8::/32", &["2001:db8::", "2001:db8:ffff::1"], &["2001:db9::", "2001:db7:ffff::"]);
        check("::1", &["::1"], &["::2", "0.0.0.1"]);
        check("::ffff:10.0.0.0/104", &["10.1.2.3", "::ffff:10.1.2.3"], &["11.0.0.0"]);
        check("::ffff:10.0.0.1", &["10.0.0.1"], &["10.0.0.2"]);
    }

    #[test]
    fn other_texts_are_no_networks() {
        let check = |text: &str, part: &str| {
            let need = Network::parse(text).unwrap_err();
            assert!(need.contains(part), "{text}: {need}");
        };
        for text in
            ["", "/8", "10.0.0.0/", "10.0.0.0/8/8", "10.0/8", "10.0.0.0/+8", "10.0.0.0/-1", "10.0.0.0/a", "host/8"]
        {
            check(text, "must be ADDRESS/BITS");
        }
        check("10.0.0.0/33", "at most 32 bits");
        check("fd00::/129", "at most 128 bits");
        check("10.0.0.0/256", "must be ADDRESS/BITS");
        check("10.0.0.1/8", "10.0.0.0/8");
        check("2001:db8::1/32", "2001:db8::/32");
        check("::ffff:10.0.0.1/104", "10.0.0.0/8");
    }
}
