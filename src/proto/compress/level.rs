//! How hard to compress: levels by coding and by what the result is for, chosen by measurement (docs/perf.md).
//! Never here: a codec.

use crate::core::coding::Coding;

/// What the result is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Made once, sent many times.
    Kept,
    /// For one answer.
    Once,
    /// In pieces, while others are served in between.
    Pieces,
}

/// All that decides which bytes come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipe {
    pub coding: Coding,
    pub effort: Effort,
}

impl Effort {
    /// Codings at equal wish of the client, best first. What is kept is judged by its size, the rest by what it costs: of
    /// 9 KB, br makes 1,808 bytes when it is given 110 µs, and more than gzip in 30 when it is not.
    #[must_use]
    pub const fn order(self) -> [Coding; 3] {
        match self {
            Self::Kept => [Coding::Br, Coding::Zstd, Coding::Gzip],
            Self::Once | Self::Pieces => [Coding::Zstd, Coding::Gzip, Coding::Br],
        }
    }
}

impl Recipe {
    #[must_use]
    pub const fn level(self) -> u8 {
        match (self.coding, self.effort) {
            (Coding::Br, Effort::Kept) => 5,
            (Coding::Br, Effort::Once) => 3,
            (Coding::Zstd, Effort::Kept) | (Coding::Gzip, Effort::Kept) => 6,
            (Coding::Zstd, Effort::Once | Effort::Pieces) => 3,
            (Coding::Gzip, Effort::Once) => 1,
            (Coding::Br | Coding::Gzip, Effort::Pieces) => 2,
        }
    }

    /// The entity tag of what this recipe makes of a body whose tag is `etag`: `"0123"` becomes `"0123-br5"`. A strong tag
    /// names bytes (RFC 9110 §8.8.1), and other levels make other bytes.
    #[must_use]
    pub fn tag(self, etag: &str) -> String {
        let open = etag.strip_suffix('"').unwrap_or(etag);
        format!("{open}-{}{}\"", self.coding.name(), self.level())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_has_a_tag_of_its_own() {
        let check = |coding, effort, expect: &str| assert_eq!(Recipe { coding, effort }.tag("\"ab\""), expect);
        check(Coding::Br, Effort::Kept, "\"ab-br5\"");
        check(Coding::Br, Effort::Once, "\"ab-br3\"");
        check(Coding::Zstd, Effort::Kept, "\"ab-zstd6\"");
        check(Coding::Gzip, Effort::Once, "\"ab-gzip1\"");
        check(Coding::Gzip, Effort::Pieces, "\"ab-gzip2\"");
    }
}
