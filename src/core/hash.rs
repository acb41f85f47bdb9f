//! Keyed hashes of texts that a client chooses: openids, addresses, cache keys.
//! Never here: an unkeyed hash. Who can predict a hash can fill one set of a table or aim all load at one shard.

use std::hash::{BuildHasher, Hasher};

use ahash::RandomState;

/// Keyed hash of an identity or key. All 64 bits are good. Equal only within one process: never store or send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash(pub u64);

/// Hashes bytes under a secret. Shards built from the same seeds agree on every hash.
#[derive(Clone)]
pub struct KeyHasher(RandomState);

impl KeyHasher {
    /// `seeds` come from the system's random source once per process.
    #[must_use]
    pub const fn new(seeds: [u64; 4]) -> Self {
        let [a, b, c, d] = seeds;
        Self(RandomState::with_seeds(a, b, c, d))
    }

    #[must_use]
    pub fn hash(&self, bytes: &[u8]) -> KeyHash {
        let mut hasher = self.0.build_hasher();
        hasher.write(bytes); // one write includes its length, so no two splits of a text collide
        KeyHash(hasher.finish())
    }
}

impl KeyHash {
    /// Another hash for each `salt`; for one salt, different hashes stay different.
    #[must_use]
    pub const fn salted(self, salt: u64) -> Self {
        Self(mix(self.0.wrapping_add(salt.wrapping_mul(GOLDEN))))
    }

    /// This hash as an index below `count`: multiply-shift by the high bits (Lemire, "Fast random integer generation
    /// in an interval"), so that `count` need not be a power of two.
    #[must_use]
    pub const fn index(self, count: usize) -> usize {
        ((self.0 as u128 * count as u128) >> 64) as usize
    }
}

/// 2^64 divided by the golden ratio: consecutive multiples lie far apart (splitmix64).
pub(super) const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Finalizer of splitmix64 (Steele, Lea, Flood 2014): a bijection in which every input bit moves every output bit.
pub(super) const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_alone_decide() {
        let (one, same, other) = (KeyHasher::new([1, 2, 3, 4]), KeyHasher::new([1, 2, 3, 4]), KeyHasher::new([1; 4]));
        assert_eq!(one.hash(b"oUpF8uMuAJO"), same.hash(b"oUpF8uMuAJO"));
        assert_ne!(one.hash(b"oUpF8uMuAJO"), other.hash(b"oUpF8uMuAJO"));
        assert_ne!(one.hash(b""), one.hash(b"\0"), "length counts");
    }

    #[test]
    fn an_index_stays_below_its_count() {
        let check = |hash: u64, count: usize, want: usize| assert_eq!(KeyHash(hash).index(count), want);
        check(0, 1, 0);
        check(u64::MAX, 1, 0);
        check(u64::MAX, 3, 2);
        check(u64::MAX / 2, 1000, 499);
        check(u64::MAX / 2 + 1, 1000, 500);
    }
}
