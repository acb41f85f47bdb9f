//! Buckets of the openids that one shard owns: a fixed, set-associative table without locks.
//! Never here: an allocation after start, or a user of another shard.

use crate::core::fault::LimitState;
use crate::core::hash::KeyHash;
use crate::core::limit::{Buckets, Decision, Gcra, Rule, SLACK_WORDS, WAYS, WORDS_PER_SET, admit_all, sets_for};
use crate::core::time::Tick;

/// A set is two cache lines: eight keys, then their eight TATs. An entry whose TAT has passed is a full bucket and
/// as good as absent, so nothing is ever swept, and untouched memory (zeros) is a table of absent entries.
pub struct OpenIdTable {
    words: Box<[u64]>,
    /// Index of the first word that begins a cache line.
    first: usize,
    sets: usize,
    displaced: u64,
}

impl OpenIdTable {
    /// Room for so many buckets that are not full, 32 bytes each: a million in 32 MB. Pages cost memory only once
    /// a key falls on them.
    #[must_use]
    pub fn new(openids_max: usize) -> Self {
        let sets = sets_for(openids_max);
        let words = vec![0; sets * WORDS_PER_SET + SLACK_WORDS].into_boxed_slice();
        let first = words.as_ptr().align_offset(super::LINE_BYTES).min(SLACK_WORDS);
        Self { words, first, sets, displaced: 0 }
    }

    /// One request of `key` (see [`RuleId::key`](super::RuleId::key)) under `rule`.
    ///
    /// # Errors
    /// The bucket is empty; the request was not counted.
    pub fn admit(&mut self, key: KeyHash, rule: &Gcra, now: Tick) -> Result<LimitState, LimitState> {
        let index = key.index(self.sets);
        let [keys, tats] = &mut self.words[self.first..].as_chunks_mut().0.as_chunks_mut().0[index];
        let way = find(keys, key).unwrap_or_else(|| {
            let way = earliest(tats);
            self.displaced += u64::from(tats[way] > now.0);
            (keys[way], tats[way]) = (key.0, 0);
            way
        });
        match rule.decide(Tick(tats[way]), now) {
            Decision::Admit { tat, state } => {
                tats[way] = tat.0;
                Ok(state)
            }
            Decision::Refuse(state) => Err(state),
        }
    }

    /// One request of a user under all of `rules`; a refusal by one costs nothing at the others.
    ///
    /// # Errors
    /// The refusal that lasts longest.
    pub fn admit_all(&mut self, openid: KeyHash, rules: &[Rule], now: Tick) -> Result<Option<LimitState>, LimitState> {
        admit_all(self, openid, rules, now)
    }

    /// Buckets forgotten before they were full again, because eight others of their set were fuller of debt.
    #[must_use]
    pub const fn displaced(&self) -> u64 {
        self.displaced
    }

    /// Address space of the table; what is resident is at most this.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.words)
    }
}

impl Buckets for OpenIdTable {
    fn tat(&self, key: KeyHash) -> Tick {
        let [keys, tats] = &self.words[self.first..].as_chunks().0.as_chunks().0[key.index(self.sets)];
        Tick(find(keys, key).map_or(0, |way| tats[way]))
    }

    fn admit(&mut self, key: KeyHash, gcra: &Gcra, now: Tick) -> Result<LimitState, LimitState> {
        Self::admit(self, key, gcra, now)
    }
}

fn find(keys: &[u64; WAYS], key: KeyHash) -> Option<usize> {
    keys.iter().position(|&held| held == key.0)
}

/// The entry that is missed least: absent, or the first to be full again.
fn earliest(tats: &[u64; WAYS]) -> usize {
    (1..WAYS).fold(0, |best, way| if tats[way] < tats[best] { way } else { best })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::num::NonZeroU32;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::core::config::checked::Rate;
    use crate::core::hash::KeyHasher;

    const SECOND: u64 = 1_000_000_000;

    fn gcra(burst: u32) -> Gcra {
        let (count, burst) = (NonZeroU32::new(60).unwrap(), NonZeroU32::new(burst).unwrap());
        Gcra::new(&Rate { count, per: Duration::from_secs(60), burst })
    }

    /// A key that falls into the only set of a small table.
    fn key(number: u64) -> KeyHash {
        KeyHash(number).salted(1)
    }

    #[test]
    fn sets_begin_on_a_cache_line() {
        let table = OpenIdTable::new(1000);
        assert_eq!(table.words[table.first..].as_ptr().align_offset(64), 0);
        assert!(table.words.len() - table.first >= table.sets * WORDS_PER_SET);
    }

    #[test]
    fn a_set_holds_eight_and_the_ninth_displaces_the_first_to_recover() {
        let (mut table, rule, now) = (OpenIdTable::new(4), gcra(20), Tick(5 * SECOND));
        for number in 0..8 {
            for _ in 0..=(number + 3) % 8 {
                table.admit(key(number), &rule, now).unwrap();
            }
        }
        assert_eq!(table.displaced(), 0);
        let full = table.admit(key(8), &rule, now).unwrap();
        assert_eq!((full.remaining, table.displaced()), (19, 1));
        let kept: Vec<u64> = (0..8).filter(|&number| table.tat(key(number)) != Tick(0)).collect();
        assert_eq!(kept, [0, 1, 2, 3, 4, 6, 7], "5 had made one request only");
    }

    #[test]
    fn a_recovered_bucket_is_taken_without_being_displaced() {
        let (mut table, rule) = (OpenIdTable::new(4), gcra(20));
        for number in 0..8 {
            table.admit(key(number), &rule, Tick(SECOND)).unwrap();
        }
        table.admit(key(8), &rule, Tick(2 * SECOND)).unwrap();
        assert_eq!(table.displaced(), 0, "after an emission all eight are full again");
    }

    #[test]
    fn key_zero_is_a_key_like_any_other() {
        let (mut table, rule) = (OpenIdTable::new(4), gcra(2));
        let mut ask = || table.admit(KeyHash(0), &rule, Tick(0)).map(|state| state.remaining).ok();
        assert_eq!([ask(), ask(), ask()], [Some(1), Some(0), None]);
    }

    #[test]
    fn a_million_live_openids_fit_32_mib_and_displace_less_than_one_in_a_hundred() {
        const OPENIDS: usize = 1_000_000;
        let (hasher, rule, now) = (KeyHasher::new([5, 6, 7, 8]), gcra(20), Tick(SECOND));
        let shards = 3;
        let mut tables: Vec<_> = (0..shards).map(|_| OpenIdTable::new(OPENIDS.div_ceil(shards))).collect();
        let bytes: usize = tables.iter().map(OpenIdTable::bytes).sum();
        assert!(bytes <= 32 << 20, "{bytes} bytes");
        let mut openid = *b"oUpF8uMuAJO_M2pxb1Q9z0000000";
        for number in 0..OPENIDS {
            openid[21..].copy_from_slice(format!("{number:07}").as_bytes());
            let who = hasher.hash(&openid);
            let table = &mut tables[number % shards];
            table.admit(crate::core::limit::RuleId::node_wide(0).key(who), &rule, now).unwrap();
        }
        let displaced: u64 = tables.iter().map(OpenIdTable::displaced).sum();
        assert!(displaced < OPENIDS as u64 / 100, "{displaced} displaced");
    }

    proptest! {
        /// While nobody is displaced, the table is a map of independent buckets.
        #[test]
        fn equals_a_map_of_buckets(asks in prop::collection::vec((0_u64..40, 0_u64..SECOND), 1..400)) {
            let (mut table, rule, mut now) = (OpenIdTable::new(64), gcra(3), 0);
            let mut model: HashMap<u64, Tick> = HashMap::new();
            for (number, wait) in asks {
                now += wait;
                let tat = model.entry(number).or_default();
                let want = match rule.decide(*tat, Tick(now)) {
                    Decision::Admit { tat: next, state } => { *tat = next; Ok(state) }
                    Decision::Refuse(state) => Err(state),
                };
                prop_assert_eq!(table.admit(key(number), &rule, Tick(now)), want);
            }
            prop_assert_eq!(table.displaced(), 0);
        }
    }
}
