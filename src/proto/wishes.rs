//! What a request's head says about the form of its answer, in a form that outlives the head.
//! Never here: the answer.

use xxhash_rust::xxh3::xxh3_64;

use crate::core::bounds::ENTITY_TAGS_MAX;
use crate::core::coding::{Coding, CodingSet};
use crate::proto::compress::{Accepted, Effort};
use crate::proto::request::Header;

/// Small: a connection keeps it for the request that it answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// From `accept-encoding`: the coding of an answer that is kept, and of one that is made for this request.
    kept: Option<Coding>,
    once: Option<Coding>,
    /// From `if-none-match`, which few requests have.
    pub known: Option<Box<EntityTags>>,
}

const _: () = assert!(size_of::<Wishes>() <= 16, "every idle connection pays for it");

/// The entity tags that a client has an answer for (RFC 9110 §13.1.2), as hashes: a tag has no bound that would fit here, and
/// who could make one that collides gets a 304 that he could have had for the asking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntityTags {
    /// `*`: whatever there is.
    any: bool,
    count: u8,
    hashes: [u64; ENTITY_TAGS_MAX],
}

impl Wishes {
    /// `enabled`: the codings that answers may have.
    ///
    /// `if-modified-since` is not read: it counts only where an answer has `last-modified` (RFC 9110 §13.1.3), and rows have a
    /// tag and no date.
    #[must_use]
    pub fn of(headers: &[Header<'_>], enabled: CodingSet) -> Self {
        let mut accepted = Accepted::default();
        let mut known: Option<Box<EntityTags>> = None;
        for Header { name, value } in headers {
            match name.len() {
                13 if name.eq_ignore_ascii_case("if-none-match") => known.get_or_insert_default().read(value),
                15 if name.eq_ignore_ascii_case("accept-encoding") => accepted.read(value),
                _ => {}
            }
        }
        let choose = |effort: Effort| accepted.choose(enabled, effort.order());
        Self { kept: choose(Effort::Kept), once: choose(Effort::Once), known }
    }

    /// `None`: the body as it is.
    #[must_use]
    pub const fn coding(&self, effort: Effort) -> Option<Coding> {
        match effort {
            Effort::Kept => self.kept,
            Effort::Once | Effort::Pieces => self.once,
        }
    }
}

impl EntityTags {
    /// Reads one field line; others may follow. Whatever stands behind a mistake is not read.
    pub fn read(&mut self, line: &[u8]) {
        if line.trim_ascii() == b"*" {
            self.any = true;
            return;
        }
        let mut rest = line;
        while let Some(tag) = next_tag(&mut rest) {
            let Some(place) = self.hashes.get_mut(usize::from(self.count)) else { return };
            *place = xxh3_64(tag);
            self.count += 1;
        }
    }

    #[must_use]
    pub const fn has_any(&self) -> bool {
        self.any
    }

    /// Weak comparison (RFC 9110 §8.8.3.2): `W/` makes no difference.
    #[must_use]
    pub fn has(&self, tag: &str) -> bool {
        let hash = xxh3_64(tag.strip_prefix("W/").unwrap_or(tag).as_bytes());
        self.hashes.get(..usize::from(self.count)).unwrap_or_default().contains(&hash)
    }
}

/// The next tag of a list, quotes included, `W/` left out. A tag may contain commas.
fn next_tag<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let start = rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b','))?;
    let tag = rest.get(start..)?;
    let tag = tag.strip_prefix(b"W/").unwrap_or(tag);
    let end = 2 + tag.strip_prefix(b"\"")?.iter().position(|byte| *byte == b'"')?;
    *rest = tag.get(end..)?;
    let is_separated = matches!(rest.trim_ascii_start().first(), None | Some(b','));
    if is_separated { tag.get(..end) } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tags(lines: &[&str]) -> EntityTags {
        let headers: Vec<_> =
            lines.iter().map(|line| Header { name: "If-None-Match", value: line.as_bytes() }).collect();
        *Wishes::of(&headers, CodingSet::NONE).known.unwrap_or_default()
    }

    #[test]
    fn if_none_match_compares_weakly_and_in_lists() {
        let check = |line: &str, expect: bool| assert_eq!(tags(&[line]).has("\"ab\""), expect, "{line}");
        check("\"ab\"", true);
        check("W/\"ab\"", true);
        check("\"x\", \"ab\"", true);
        check("\"x\",W/\"ab\"", true);
        check(" ,, \"x\" ,\t\"ab\" , ", true);
        check("\"x,\",\"ab\"", true);
        check("\",\"ab\",\"", false);
        check("\"abc\"", false);
        check("ab", false);
        check("\"ab", false);
        check("w/\"ab\"", false);
        check("\"x\"\"ab\"", false);
        check("x, \"ab\"", false);
        check("\"x\", *", false);
        check("", false);
        assert!(tags(&["\"ab\""]).has("W/\"ab\""));
    }

    #[test]
    fn lines_are_one_list_and_a_star_is_everything() {
        assert!(tags(&["\"x\"", "\"ab\""]).has("\"ab\""));
        assert!(tags(&["*"]).has_any() && tags(&[" * "]).has_any() && !tags(&["\"*\""]).has_any());
        assert_eq!(tags(&["nonsense"]), EntityTags::default());
        assert_eq!(Wishes::of(&[], CodingSet::NONE), Wishes::default());
    }

    #[test]
    fn a_list_is_compared_up_to_its_bound() {
        let check = |others: usize, expect: bool| {
            assert_eq!(tags(&[&("\"x\",".repeat(others) + "\"ab\"")]).has("\"ab\""), expect, "{others}");
        };
        check(ENTITY_TAGS_MAX - 1, true);
        check(ENTITY_TAGS_MAX, false);
        check(ENTITY_TAGS_MAX + 1, false);
    }

    proptest! {
        #[test]
        fn any_bytes_are_some_list(line in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut tags = EntityTags::default();
            tags.read(&line);
            prop_assert!(!tags.has("\"0123456789abcdef\""));
        }
    }
}
