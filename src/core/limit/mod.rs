//! Rate limits: the arithmetic, one table per shard for openids, one per node for addresses; and how many connections an
//! address has.
//! Never here: a growing table. A full one displaces whom it matters least, and counts it.

mod gcra;
mod ips;
mod openids;
mod seats;

pub use gcra::{Decision, Gcra};
pub use ips::{IpTable, ip_key};
pub use openids::OpenIdTable;
pub use seats::{SeatIndex, Seated, Seats};

use crate::core::fault::LimitState;
use crate::core::hash::KeyHash;
use crate::core::ids::RouteId;
use crate::core::time::Tick;

/// Entries that share a set. Eight keys are one cache line, their times the next one.
const WAYS: usize = 8;
/// Entries of 16 bytes per key that a table is built for. At half load 0.84 % of the keys find their set full
/// (Poisson with mean 4 above 8); at full load it would be 14 %.
const ENTRIES_PER_KEY: usize = 2;
const LINE_BYTES: usize = 64;
const WORDS_PER_SET: usize = 2 * WAYS;
/// Room to begin the first set on a cache line: allocators align to 16 bytes.
const SLACK_WORDS: usize = LINE_BYTES / size_of::<u64>() - 1;
const _: () = assert!(WAYS * size_of::<u64>() == LINE_BYTES);

/// What a bucket belongs to besides the user or address. Requests under one id share a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RuleId(u32);

/// One limit of a list that must all pass.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    pub id: RuleId,
    pub gcra: Gcra,
}

impl RuleId {
    /// A limit that counts all routes together; `position` tells several of them apart.
    #[must_use]
    pub const fn node_wide(position: u8) -> Self {
        Self(position as u32)
    }

    /// A limit that counts one route alone; `position` in that route's list.
    #[must_use]
    pub const fn of_route(route: RouteId, position: u8) -> Self {
        Self(((route.0 as u32 + 1) << 8) | position as u32)
    }

    /// Where the bucket of `who` under this rule lives.
    #[must_use]
    pub const fn key(self, who: KeyHash) -> KeyHash {
        who.salted(self.0 as u64)
    }
}

/// What both tables can do; the check of several rules is written once on top of it.
trait Buckets {
    /// When the bucket is full again; in the past for a key that is not there.
    fn tat(&self, key: KeyHash) -> Tick;
    fn admit(&mut self, key: KeyHash, gcra: &Gcra, now: Tick) -> Result<LimitState, LimitState>;
}

/// One request under several rules of different ids: first all are asked, then all are charged, so that a refusal by
/// one costs nothing at the others. Tells the tightest admission (`None` without rules) or the longest refusal.
fn admit_all(
    buckets: &mut impl Buckets,
    who: KeyHash,
    rules: &[Rule],
    now: Tick,
) -> Result<Option<LimitState>, LimitState> {
    if let [rule] = rules {
        return buckets.admit(rule.id.key(who), &rule.gcra, now).map(Some);
    }
    let refusals = rules.iter().filter_map(|rule| match rule.gcra.decide(buckets.tat(rule.id.key(who)), now) {
        Decision::Refuse(state) => Some(state),
        Decision::Admit { .. } => None,
    });
    if let Some(refused) = refusals.max_by_key(|state| state.reset) {
        return Err(refused);
    }
    let mut tightest: Option<LimitState> = None;
    for rule in rules {
        let state = buckets.admit(rule.id.key(who), &rule.gcra, now)?;
        if tightest.is_none_or(|known| state.remaining < known.remaining) {
            tightest = Some(state);
        }
    }
    Ok(tightest)
}

/// Number of sets for so many keys.
fn sets_for(keys_max: usize) -> usize {
    assert!(keys_max > 0, "a limiter tracks at least one key");
    (keys_max * ENTRIES_PER_KEY).div_ceil(WAYS)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use super::*;
    use crate::core::config::checked::Rate;

    fn rule(position: u8, per_minute: u32, burst: u32) -> Rule {
        let (count, burst) = (NonZeroU32::new(per_minute).unwrap(), NonZeroU32::new(burst).unwrap());
        let rate = Rate { count, per: Duration::from_secs(60), burst };
        Rule { id: RuleId::of_route(RouteId(3), position), gcra: Gcra::new(&rate) }
    }

    fn check_all_or_none(mut buckets: impl Buckets) {
        let (who, now) = (KeyHash(42), Tick(1_000_000_000));
        let (wide, narrow) = (rule(0, 60, 10), rule(1, 6, 2));
        let mut ask = |rules: &[Rule]| admit_all(&mut buckets, who, rules, now);

        assert_eq!(ask(&[]), Ok(None));
        for remaining in [1, 0] {
            let state = ask(&[wide, narrow]).unwrap().unwrap();
            assert_eq!((state.limit, state.remaining), (2, remaining), "the tighter rule is told");
        }
        for _ in 0..100 {
            let refused = ask(&[wide, narrow]).unwrap_err();
            assert_eq!((refused.limit, refused.reset), (2, Duration::from_secs(10)));
        }
        let left = ask(&[wide]).unwrap().unwrap().remaining;
        assert_eq!(left, 7, "two admitted requests and this one; refused ones cost nothing");
        for _ in 0..7 {
            ask(&[wide]).unwrap();
        }
        let refused = ask(&[wide, narrow]).unwrap_err();
        assert_eq!(refused.reset, Duration::from_secs(10), "the longer of two refusals is told");
    }

    #[test]
    fn a_refusal_by_one_rule_costs_nothing_at_the_others() {
        check_all_or_none(OpenIdTable::new(64));
        check_all_or_none(&IpTable::new(64));
    }

    #[test]
    fn buckets_of_different_rules_and_users_are_apart() {
        let ids = [
            RuleId::node_wide(0),
            RuleId::node_wide(255),
            RuleId::of_route(RouteId(0), 0),
            RuleId::of_route(RouteId(0), 255),
            RuleId::of_route(RouteId(1), 0),
            RuleId::of_route(RouteId(u16::MAX), 255),
        ];
        let keys = ids.iter().flat_map(|id| (0..100).map(|who| id.key(KeyHash(who))));
        let distinct: std::collections::HashSet<_> = keys.collect();
        assert_eq!(distinct.len(), ids.len() * 100);
    }
}
