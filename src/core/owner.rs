//! Which shard of this node owns an openid or a cache key.
//! Never here: state of a user. All shards compute the same owner without asking anybody.

use crate::core::bounds::{SHARDS_MAX, VIRTUAL_SHARDS};
use crate::core::hash::{KeyHash, KeyHasher};
use crate::core::ids::ShardId;

const _: () = assert!(VIRTUAL_SHARDS.is_power_of_two(), "a slot is a bit field of the hash");
const _: () = assert!(SHARDS_MAX <= u16::MAX as usize, "a shard id is 16 bits");

/// Hash → virtual shard → shard. Shards own consecutive virtual shards, evenly to ±1.
#[derive(Clone)]
pub struct OwnerMap {
    hasher: KeyHasher,
    shards: usize,
}

impl OwnerMap {
    /// All shards of a node pass the same hasher, or they disagree about owners.
    #[must_use]
    pub fn new(shards: u16, hasher: KeyHasher) -> Self {
        let shards = usize::from(shards);
        assert!((1..=SHARDS_MAX).contains(&shards), "a node has 1..={SHARDS_MAX} shards, not {shards}");
        Self { hasher, shards }
    }

    /// The hash is handed out because the limiter of the owner needs it too.
    #[must_use]
    pub fn of(&self, text: impl AsRef<[u8]>) -> (KeyHash, ShardId) {
        let hash = self.hasher.hash(text.as_ref());
        (hash, self.owner(hash))
    }

    #[must_use]
    pub const fn owner(&self, hash: KeyHash) -> ShardId {
        self.owner_of_slot(self.slot(hash) as usize)
    }

    /// The virtual shard, below [`VIRTUAL_SHARDS`].
    #[must_use]
    pub const fn slot(&self, hash: KeyHash) -> u16 {
        // From the middle of the hash: hash tables look at the lowest and the highest bits, and those must
        // still vary among the keys that one shard owns.
        ((hash.0 >> 32) as usize % VIRTUAL_SHARDS) as u16
    }

    const fn owner_of_slot(&self, slot: usize) -> ShardId {
        ShardId((slot * self.shards / VIRTUAL_SHARDS) as u16)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn map(shards: u16) -> OwnerMap {
        OwnerMap::new(shards, KeyHasher::new([11, 22, 33, 44]))
    }

    #[test]
    fn slots_are_shared_out_evenly_to_one() {
        for shards in 1..=SHARDS_MAX {
            let map = map(shards as u16);
            let mut owned = vec![0_usize; shards];
            for slot in 0..VIRTUAL_SHARDS {
                owned[usize::from(map.owner_of_slot(slot).0)] += 1;
            }
            let (least, most) = (owned.iter().min().unwrap(), owned.iter().max().unwrap());
            assert!(most - least <= 1, "{shards} shards own {least} to {most} slots");
        }
    }

    #[test]
    fn every_shard_computes_the_same_owner() {
        let (here, there) = (map(6), map(6));
        for number in 0..1000 {
            let openid = format!("oUpF8uMuAJO_M2pxb1Q9z{number:07}");
            assert_eq!(here.of(&openid), there.of(&openid));
        }
    }

    #[test]
    fn keys_of_one_owner_still_differ_in_the_bits_that_tables_use() {
        let map = map(64);
        let (mut low, mut high) = (HashSet::new(), HashSet::new());
        for number in 0..200_000 {
            let (hash, owner) = map.of(format!("user-{number}"));
            if owner == ShardId(0) {
                low.insert(hash.0 & 127);
                high.insert(hash.0 >> 57);
            }
        }
        assert_eq!((low.len(), high.len()), (128, 128));
    }

    #[test]
    #[should_panic(expected = "a node has 1..=128 shards, not 0")]
    fn a_node_has_at_least_one_shard() {
        let _ = map(0);
    }

    #[test]
    #[should_panic(expected = "not 129")]
    fn a_node_has_a_bounded_number_of_shards() {
        let _ = map(SHARDS_MAX as u16 + 1);
    }
}
