//! `accept-encoding` (RFC 9110 §12.5.3): what a client can decode, and how much it likes it.
//! Never here: an allocation; a header that makes a request fail.

use crate::core::bounds::ACCEPTED_CODINGS_MAX;
use crate::core::coding::{Coding, CodingSet};

/// Weights in thousandths. Small and `Copy`: it outlives the head that it was read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// By [`Coding`]; `None`: not named.
    codings: [Option<u16>; Coding::ALL.len()],
    identity: Option<u16>,
    /// Of `*`: all that is not named.
    others: Option<u16>,
    members: u8,
}

impl Accepted {
    /// Reads one field line; further lines go on where the one before has ended (RFC 9110 §5.3). A member that is malformed
    /// counts as not sent: a client that errs there is still served, uncompressed.
    pub fn read(&mut self, line: &[u8]) {
        for member in line.split(|byte| *byte == b',') {
            if usize::from(self.members) == ACCEPTED_CODINGS_MAX {
                return;
            }
            let member = member.trim_ascii();
            if !member.is_empty() {
                self.members += 1;
                self.read_member(member);
            }
        }
    }

    /// The coding to send, of those that we would use, or `None` for the bytes as they are.
    ///
    /// The highest weight wins; `order` decides between equals, and any coding wins over `identity` at equal weight.
    /// When nothing is acceptable, not even `identity`, that is sent all the same: RFC 9110 §12.5.3 leaves the choice
    /// between that and a 406, and a client that reads an error page uncompressed can read the answer so as well.
    #[must_use]
    pub fn choose(&self, enabled: CodingSet, order: [Coding; Coding::ALL.len()]) -> Option<Coding> {
        // §12.5.3: no header says nothing about what the client can decode; an empty one says that it is nothing.
        if self.members == 0 {
            return None;
        }
        let weight = |coding: Coding| self.codings[coding as usize].or(self.others).unwrap_or(0);
        let mut best: Option<(Coding, u16)> = None;
        for coding in order.into_iter().filter(|coding| enabled.has(*coding)) {
            let weight = weight(coding);
            if weight > best.map_or(0, |(_, weight)| weight) {
                best = Some((coding, weight));
            }
        }
        // What is not named is acceptable and last, unless `*` says how it is liked.
        let identity = self.identity.or(self.others).unwrap_or(0);
        best.filter(|(_, weight)| *weight >= identity).map(|(coding, _)| coding)
    }

    fn read_member(&mut self, member: &[u8]) {
        let mut parts = member.split(|byte| *byte == b';');
        let token = parts.next().unwrap_or_default().trim_ascii();
        let weight = match (parts.next(), parts.next()) {
            (None, _) => Some(1000),
            (Some(parameter), None) => weight(parameter.trim_ascii()),
            (Some(_), Some(_)) => None,
        };
        let Some(weight) = weight else { return };
        let place = match token {
            b"*" => &mut self.others,
            _ if token.eq_ignore_ascii_case(b"identity") => &mut self.identity,
            _ => match Coding::from_token(token) {
                Some(coding) => &mut self.codings[coding as usize],
                None => return,
            },
        };
        // Named twice, the first counts: `gzip;q=0, gzip` may come from two proxies, and nobody can tell which was meant.
        place.get_or_insert(weight);
    }
}

/// `q=` and a number from 0 to 1 with at most three decimals (RFC 9110 §12.4.2), in thousandths.
fn weight(parameter: &[u8]) -> Option<u16> {
    let [b'q' | b'Q', b'=', whole @ (b'0' | b'1'), rest @ ..] = parameter else { return None };
    let decimals = match rest {
        [] => &[][..],
        [b'.', decimals @ ..] if decimals.len() <= 3 => decimals,
        _ => return None,
    };
    let mut thousandths = u16::from(whole - b'0') * 1000;
    let mut unit = 100;
    for digit in decimals {
        if !digit.is_ascii_digit() {
            return None;
        }
        thousandths += u16::from(digit - b'0') * unit;
        unit /= 10;
    }
    (thousandths <= 1000).then_some(thousandths)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::proto::compress::Effort;

    const EVERY: CodingSet = CodingSet::NONE.with(Coding::Br).with(Coding::Zstd).with(Coding::Gzip);

    fn accepted(lines: &[&str]) -> Accepted {
        let mut accepted = Accepted::default();
        lines.iter().for_each(|line| accepted.read(line.as_bytes()));
        accepted
    }

    fn kept(lines: &[&str], enabled: CodingSet) -> &'static str {
        accepted(lines).choose(enabled, Effort::Kept.order()).map_or("identity", Coding::name)
    }

    #[test]
    fn weights_decide_and_the_order_decides_between_equals() {
        let check = |line: &str, expect: &str| assert_eq!(kept(&[line], EVERY), expect, "{line:?}");
        // What phones, browsers, curl and proxies send.
        check("gzip,compress,br,deflate", "br");
        check("gzip, deflate, br, zstd", "br");
        check("gzip, deflate", "gzip");
        check("deflate, gzip, br, zstd", "br");
        check("gzip;q=1.0, *;q=0.5", "gzip");
        check("", "identity");
        check(" , ,", "identity");
        // Weights.
        check("br;q=0.9, gzip", "gzip");
        check("gzip;q=0.5, zstd;q=0.501", "zstd");
        check("gzip;q=0.1;", "identity");
        check("br;q=0, gzip;q=0.001", "gzip");
        check("br;q=0, gzip;q=0", "identity");
        check("BR;Q=1", "br");
        check("x-gzip", "gzip");
        check("gzip ; q=0.2 ,\tbr ;q=0.1", "gzip");
        // `*` and identity.
        check("*", "br");
        check("*;q=0", "identity");
        check("br;q=0, *", "zstd");
        check("identity", "identity");
        check("identity, gzip", "gzip");
        check("identity, gzip;q=0.9", "identity");
        check("gzip;q=0.5, identity;q=0", "gzip");
        check("gzip;q=0.5, *;q=0", "gzip");
        check("gzip;q=0.5, *;q=0.8, br;q=0, zstd;q=0", "identity");
        check("identity;q=0", "identity");
        check("identity;q=0, *;q=0", "identity");
        check("identity;q=0, compress", "identity");
        check("gzip;q=0, gzip", "identity");
        // Malformed members are as if they were not there.
        for bad in ["br;q=1.001", "br;q=2", "br;q=0.1234", "br;q=-1", "br;q=", "br;q", "br;level=5", "br;q=1;x=1"] {
            check(bad, "identity");
            assert_eq!(kept(&[bad, "gzip;q=0.1"], EVERY), "gzip", "{bad}");
        }
        check("br q=1", "identity");
        check("\u{0}\u{ff}, gzip", "gzip");
    }

    #[test]
    fn only_what_is_enabled_is_chosen_and_lines_are_one_list() {
        let gzip = CodingSet::NONE.with(Coding::Gzip);
        assert_eq!(kept(&["br, gzip;q=0.1"], gzip), "gzip");
        assert_eq!(kept(&["br"], gzip), "identity");
        assert_eq!(kept(&["br"], CodingSet::NONE), "identity");
        assert_eq!(kept(&["identity;q=0.5", "gzip;q=0.4, br;q=0.3"], EVERY), "identity");
        assert_eq!(kept(&["gzip;q=0.4", "br;q=0.5"], EVERY), "br");
        assert_eq!(kept(&[], EVERY), "identity");
        let once = |line: &str| accepted(&[line]).choose(EVERY, Effort::Once.order()).map_or("identity", Coding::name);
        assert_eq!((once("gzip, br"), once("gzip, br, zstd"), once("br")), ("gzip", "zstd", "br"));
    }

    #[test]
    fn a_list_is_read_up_to_its_bound() {
        let check = |unknown: usize, expect: &str| {
            assert_eq!(kept(&[&("x,".repeat(unknown) + "gzip")], EVERY), expect, "{unknown}");
        };
        check(ACCEPTED_CODINGS_MAX - 1, "gzip");
        check(ACCEPTED_CODINGS_MAX, "identity");
        check(ACCEPTED_CODINGS_MAX + 1, "identity");
    }

    proptest! {
        #[test]
        fn any_bytes_are_some_list(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..4)) {
            let mut accepted = Accepted::default();
            lines.iter().for_each(|line| accepted.read(line));
            let _ = accepted.choose(EVERY, Effort::Kept.order());
        }

        #[test]
        fn a_weight_is_its_number(thousandths in 0_u16..=1000) {
            let text = format!("q={}.{:03}", thousandths / 1000, thousandths % 1000);
            prop_assert_eq!(weight(text.as_bytes()), Some(thousandths));
        }
    }
}
