//! How long requests took: log-linear buckets, each at most 25 % wider than it is far from zero.
//! Never here: a float on the way in; an allocation.

use std::time::Duration;

use crate::core::ledger::counter::Counter;
use crate::core::time::nanos;

/// Four buckets per doubling.
const STEPS_PER_OCTAVE: usize = 4;
/// Everything below 2¹⁰ ns, one microsecond, is one bucket: no request is faster.
const FLOOR_BITS: u32 = 10;
/// From 2³⁶ ns, 69 s, on everything is one bucket: past every timeout.
const CEILING_BITS: u32 = 36;
/// Buckets with an upper bound; one more counts what lies beyond the ceiling.
pub const BOUNDED_BUCKETS: usize = 1 + (CEILING_BITS - FLOOR_BITS) as usize * STEPS_PER_OCTAVE;

/// 850 bytes; one per route and shard.
#[derive(Debug)]
pub struct Histogram {
    buckets: [Counter; BOUNDED_BUCKETS + 1],
    sum_nanos: Counter,
}

/// The counts of several histograms at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub buckets: [u64; BOUNDED_BUCKETS + 1],
    pub sum_nanos: u64,
}

impl Histogram {
    #[inline]
    pub fn record(&self, took: Duration) {
        let nanos = nanos(took);
        self.buckets[bucket_of(nanos)].one();
        self.sum_nanos.add(nanos);
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: [const { Counter::zero() }; BOUNDED_BUCKETS + 1], sum_nanos: Counter::zero() }
    }
}

impl Snapshot {
    pub fn merge(&mut self, histogram: &Histogram) {
        for (sum, bucket) in self.buckets.iter_mut().zip(&histogram.buckets) {
            *sum += bucket.get();
        }
        self.sum_nanos = self.sum_nanos.wrapping_add(histogram.sum_nanos.get());
    }

    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// An upper bound of the quantile, at most 25 % above it; `None` without a single request. What lies beyond the
    /// ceiling reports the ceiling. `per_mille` is 0..=1000.
    #[must_use]
    pub fn quantile(&self, per_mille: u32) -> Option<Duration> {
        let count = self.count();
        let rank = (u128::from(count) * u128::from(per_mille)).div_ceil(1000).max(1);
        let mut seen = 0;
        let reaches = |bucket: &u64| {
            seen += u128::from(*bucket);
            seen >= rank
        };
        let index = self.buckets.iter().position(reaches)?;
        Some(Duration::from_nanos(bound_nanos(index.min(BOUNDED_BUCKETS - 1))))
    }
}

impl Default for Snapshot {
    fn default() -> Self {
        Self { buckets: [0; BOUNDED_BUCKETS + 1], sum_nanos: 0 }
    }
}

/// First duration that is too long for the bucket `index`, in nanoseconds.
#[must_use]
pub const fn bound_nanos(index: usize) -> u64 {
    assert!(index < BOUNDED_BUCKETS, "the last bucket has no bound");
    let octave = FLOOR_BITS + (index / STEPS_PER_OCTAVE) as u32;
    let step = index % STEPS_PER_OCTAVE;
    (1 << octave) + step as u64 * (1 << (octave - 2))
}

/// The bucket is the exponent and the two bits behind the leading one.
const fn bucket_of(nanos: u64) -> usize {
    if nanos < 1 << FLOOR_BITS {
        return 0;
    }
    let octave = nanos.ilog2();
    if octave >= CEILING_BITS {
        return BOUNDED_BUCKETS;
    }
    let step = (nanos >> (octave - 2)) as usize % STEPS_PER_OCTAVE;
    (octave - FLOOR_BITS) as usize * STEPS_PER_OCTAVE + step + 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bounds_rise_by_at_most_a_quarter() {
        for index in 1..BOUNDED_BUCKETS {
            let (below, bound) = (bound_nanos(index - 1), bound_nanos(index));
            assert!(below < bound && bound * 4 <= below * 5, "{below} {bound}");
        }
        assert_eq!(bound_nanos(0), 1 << FLOOR_BITS);
        assert_eq!(bound_nanos(BOUNDED_BUCKETS - 1), 1 << CEILING_BITS);
    }

    #[test]
    fn a_bound_belongs_to_the_next_bucket() {
        for index in 0..BOUNDED_BUCKETS {
            let bound = bound_nanos(index);
            assert_eq!(bucket_of(bound - 1), index);
            assert_eq!(bucket_of(bound), index + 1);
        }
        assert_eq!(bucket_of(0), 0);
        assert_eq!(bucket_of(u64::MAX), BOUNDED_BUCKETS);
    }

    #[test]
    fn quantiles_of_nothing_and_of_too_long() {
        let mut snapshot = Snapshot::default();
        assert_eq!(snapshot.quantile(500), None);
        let histogram = Histogram::default();
        histogram.record(Duration::from_secs(600));
        snapshot.merge(&histogram);
        assert_eq!(snapshot.quantile(500), Some(Duration::from_nanos(1 << CEILING_BITS)));
    }

    proptest! {
        #[test]
        fn a_quantile_is_at_most_a_quarter_too_high(
            mut all in prop::collection::vec(1u64 << FLOOR_BITS..1 << CEILING_BITS, 1..200),
            per_mille in 1u32..=1000,
        ) {
            let histogram = Histogram::default();
            for &nanos in &all {
                histogram.record(Duration::from_nanos(nanos));
            }
            let mut snapshot = Snapshot::default();
            snapshot.merge(&histogram);
            all.sort_unstable();
            let exact = all[(all.len() * per_mille as usize).div_ceil(1000) - 1];
            let given = snapshot.quantile(per_mille).map(nanos).unwrap();
            prop_assert!(exact < given && given * 4 <= exact * 5 + 4, "{} {}", exact, given);
            prop_assert_eq!(snapshot.count(), all.len() as u64);
            prop_assert_eq!(snapshot.sum_nanos, all.iter().sum::<u64>());
        }
    }
}
