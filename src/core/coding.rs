//! Content codings by name, and sets of them (RFC 9110 §8.4.1).
//! Never here: a codec.

/// What bodies can be compressed with. The index in [`Coding::ALL`] is `coding as usize`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// RFC 7932.
    Br,
    /// RFC 8878.
    Zstd,
    /// RFC 1952.
    Gzip,
}

/// Some of the codings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CodingSet(u8);

impl Coding {
    pub const ALL: [Self; 3] = [Self::Br, Self::Zstd, Self::Gzip];

    /// The token in header fields and in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Br => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// By token, any case. RFC 9110 §8.4.1.3: `x-gzip` is `gzip`.
    #[must_use]
    pub fn from_token(token: &[u8]) -> Option<Self> {
        let is = |name: &str| token.eq_ignore_ascii_case(name.as_bytes());
        Self::ALL.into_iter().find(|coding| is(coding.name())).or_else(|| is("x-gzip").then_some(Self::Gzip))
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl CodingSet {
    pub const NONE: Self = Self(0);

    #[must_use]
    pub const fn with(self, coding: Coding) -> Self {
        Self(self.0 | coding.bit())
    }

    #[must_use]
    pub const fn has(self, coding: Coding) -> bool {
        self.0 & coding.bit() != 0
    }

    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = Coding> {
        Coding::ALL.into_iter().filter(move |coding| self.has(*coding))
    }
}

impl FromIterator<Coding> for CodingSet {
    fn from_iter<I: IntoIterator<Item = Coding>>(codings: I) -> Self {
        codings.into_iter().fold(Self::NONE, Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_codings() {
        let check = |token: &str, expect: Option<Coding>| {
            assert_eq!(Coding::from_token(token.as_bytes()), expect, "{token}");
        };
        check("gzip", Some(Coding::Gzip));
        check("GZip", Some(Coding::Gzip));
        check("x-gzip", Some(Coding::Gzip));
        check("br", Some(Coding::Br));
        check("zstd", Some(Coding::Zstd));
        check("compress", None);
        check("deflate", None);
        check("identity", None);
        check("", None);
    }

    #[test]
    fn sets_hold_what_they_were_given() {
        let set: CodingSet = [Coding::Gzip, Coding::Br].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [Coding::Br, Coding::Gzip]);
        assert!(!set.has(Coding::Zstd) && !set.is_empty() && CodingSet::NONE.is_empty());
    }
}
