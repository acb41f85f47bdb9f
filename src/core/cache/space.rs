//! Key spaces: groups of cache keys that one invalidation empties.
//! Never here: a walk over entries. A space is emptied by counting its generation up.

use crate::core::bounds::CACHE_SPACES_MAX;
use crate::core::config::checked::{Config, KeyPart, KeyTemplate};

/// Index of a key space, the same on all shards of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpaceId(u16);

/// A cache key and the space it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    pub space: SpaceId,
    /// Whole key, name of the space included: two spaces never share a key.
    pub bytes: &'a [u8],
}

/// Names of all key spaces, fixed at start.
#[derive(Clone, Debug)]
pub struct Spaces {
    /// Sorted; index = `SpaceId`.
    names: Box<[Box<str>]>,
}

/// How often each space was emptied. What carries an older generation is gone.
#[derive(Debug)]
pub(in crate::core) struct Generations(Box<[u32]>);

impl Spaces {
    /// Repeated names are one space.
    #[must_use]
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut names: Vec<Box<str>> = names.into_iter().map(Box::from).collect();
        names.sort_unstable();
        names.dedup();
        assert!(
            names.len() <= CACHE_SPACES_MAX,
            "{} key spaces, at most {CACHE_SPACES_MAX} are kept apart",
            names.len()
        );
        Self { names: names.into() }
    }

    /// The spaces of all cached queries of a configuration.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self::new(config.queries.values().filter_map(|query| query.cache.as_ref()).map(|rule| Self::name_of(&rule.key)))
    }

    /// Name of the space of a template: the text before its first parameter, `product:` of `product:{id}`.
    #[must_use]
    pub fn name_of(template: &KeyTemplate) -> &str {
        match template.0.first() {
            Some(KeyPart::Literal(text)) => text,
            Some(KeyPart::Param(_)) | None => "",
        }
    }

    /// `None`: nothing is ever cached under that name.
    #[must_use]
    pub fn id(&self, name: &str) -> Option<SpaceId> {
        self.names.binary_search_by(|known| (**known).cmp(name)).ok().map(|index| SpaceId(index as u16))
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

impl Generations {
    pub(in crate::core) fn new(spaces: &Spaces) -> Self {
        Self(vec![0; spaces.len()].into())
    }

    pub(in crate::core) fn of(&self, space: SpaceId) -> u32 {
        self.0[usize::from(space.0)]
    }

    /// Wraps after 4 billion: an entry would have to outlive all of them to be taken for a fresh one.
    pub(in crate::core) fn bump(&mut self, space: SpaceId) {
        let generation = &mut self.0[usize::from(space.0)];
        *generation = generation.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_are_one_space_and_unknown_names_none() {
        let spaces = Spaces::new(["products:", "product:", "products:"]);
        assert_eq!(spaces.len(), 2);
        assert_ne!(spaces.id("product:"), spaces.id("products:"));
        assert_eq!(spaces.id("prod"), None);
    }

    #[test]
    fn a_space_is_the_text_before_the_first_parameter() {
        let check = |parts: Vec<KeyPart>, want: &str| assert_eq!(Spaces::name_of(&KeyTemplate(parts)), want);
        let text = |text: &str| KeyPart::Literal(text.into());
        check(vec![text("product:"), KeyPart::Param(0), text(":full")], "product:");
        check(vec![text("settings")], "settings");
        check(vec![KeyPart::Param(0), text(":x")], "");
        check(vec![], "");
    }
}
