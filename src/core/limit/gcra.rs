//! The generic cell rate algorithm: a token bucket that is one instant instead of a level and a time.
//! Never here: a table, a clock, floating point.

use std::time::Duration;

use crate::core::config::checked::Rate;
use crate::core::fault::LimitState;
use crate::core::time::{Tick, nanos};

/// A rate in nanoseconds. The state of a bucket is its theoretical arrival time (TAT, ITU-T I.371): the instant at
/// which the bucket is full again. TAT ≤ now is a full bucket, and so a bucket that nobody has to remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gcra {
    /// What one request costs. Rounded up: a rate that is no whole number of nanoseconds admits less than 1 ns per
    /// request too little, never too much.
    emission: u64,
    /// What a full bucket holds: `emission × burst`.
    capacity: u64,
    burst: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Keep `tat`, or the request was not counted.
    Admit { tat: Tick, state: LimitState },
    /// Nothing to keep: a refused request costs nothing.
    Refuse(LimitState),
}

impl Gcra {
    #[must_use]
    pub fn new(rate: &Rate) -> Self {
        let emission = nanos(rate.per).div_ceil(u64::from(rate.count.get())).max(1);
        let burst = rate.burst.get();
        // A bucket that takes more than 584 years to fill is cut to that, and never met.
        Self { emission, capacity: emission.saturating_mul(u64::from(burst)), burst }
    }

    /// One request now, against the bucket's `tat`.
    #[must_use]
    pub fn decide(&self, tat: Tick, now: Tick) -> Decision {
        let used = tat.0.saturating_sub(now.0);
        let tolerance = self.capacity - self.emission;
        if used > tolerance {
            return Decision::Refuse(self.state(0, used - tolerance));
        }
        let used = used + self.emission;
        match now.0.checked_add(used) {
            Some(tat) => {
                let remaining = (self.capacity - used) / self.emission;
                debug_assert!(remaining < u64::from(self.burst));
                Decision::Admit { tat: Tick(tat), state: self.state(remaining as u32, used) }
            }
            // At the end of time a saturated TAT would stand still and admit everything.
            None => Decision::Refuse(self.state(0, self.emission)),
        }
    }

    /// Whether a bucket of this rule can reach `tat`; what lies beyond was written under another rule.
    pub(super) const fn can_owe(&self, tat: Tick, now: Tick) -> bool {
        tat.0.saturating_sub(now.0) <= self.capacity
    }

    /// Refusal when the bucket could not be read: wait for one request.
    pub(super) const fn refusal(&self) -> LimitState {
        self.state(0, self.emission)
    }

    const fn state(&self, remaining: u32, reset: u64) -> LimitState {
        LimitState { limit: self.burst, remaining, reset: Duration::from_nanos(reset) }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;

    fn rate(count: u32, per: Duration, burst: u32) -> Rate {
        Rate { count: NonZeroU32::new(count).unwrap(), per, burst: NonZeroU32::new(burst).unwrap() }
    }

    /// A token bucket with exact arithmetic: `level` in units of 1/per tokens per nanosecond, nothing rounded.
    struct Bucket {
        count: u128,
        per: u128,
        burst: u128,
        level: u128,
        at: u64,
    }

    impl Bucket {
        fn full(rate: &Rate) -> Self {
            let (count, per) = (u128::from(rate.count.get()), rate.per.as_nanos());
            let burst = u128::from(rate.burst.get());
            Self { count, per, burst, level: burst * per, at: 0 }
        }

        fn admit(&mut self, now: u64) -> bool {
            let grown = self.level + u128::from(now - self.at) * self.count;
            self.level = grown.min(self.burst * self.per);
            self.at = now;
            let admitted = self.level >= self.per;
            if admitted {
                self.level -= self.per;
            }
            admitted
        }
    }

    fn admits(gcra: &Gcra, tat: &mut Tick, now: u64) -> Option<LimitState> {
        match gcra.decide(*tat, Tick(now)) {
            Decision::Admit { tat: next, state } => {
                *tat = next;
                Some(state)
            }
            Decision::Refuse(_) => None,
        }
    }

    #[test]
    fn a_full_bucket_admits_its_burst_at_once_and_then_one_per_emission() {
        let gcra = Gcra::new(&rate(60, Duration::from_secs(60), 20));
        let (mut tat, now) = (Tick(0), 5_000_000_000);
        for remaining in (0..20).rev() {
            let state = admits(&gcra, &mut tat, now).unwrap();
            let reset = Duration::from_secs(20 - u64::from(remaining));
            assert_eq!(state, LimitState { limit: 20, remaining, reset });
        }
        let refused = LimitState { limit: 20, remaining: 0, reset: Duration::from_secs(1) };
        assert_eq!(gcra.decide(tat, Tick(now)), Decision::Refuse(refused));
        assert_eq!(admits(&gcra, &mut tat, now + 999_999_999), None);
        assert!(admits(&gcra, &mut tat, now + 1_000_000_000).is_some());
        assert_eq!(admits(&gcra, &mut tat, now + 1_000_000_000), None);
    }

    #[test]
    fn a_burst_of_one_is_plain_pacing() {
        let gcra = Gcra::new(&rate(10, Duration::from_secs(1), 1));
        let mut tat = Tick(0);
        assert!(admits(&gcra, &mut tat, 1).is_some());
        assert!(admits(&gcra, &mut tat, 100_000_000).is_none());
        assert!(admits(&gcra, &mut tat, 100_000_001).is_some());
    }

    #[test]
    fn the_edges_of_time_and_rate_never_admit_too_much() {
        let slow = Gcra::new(&rate(1, Duration::from_secs(u64::MAX), u32::MAX));
        let mut tat = Tick(0);
        assert!(admits(&slow, &mut tat, 0).is_some());
        assert!(admits(&slow, &mut tat, 1).is_none(), "one token is the end of time away");

        let fast = Gcra::new(&rate(u32::MAX, Duration::from_nanos(1), 3));
        let mut tat = Tick(0);
        let admitted = (0..10).filter(|_| admits(&fast, &mut tat, 7).is_some()).count();
        assert_eq!(admitted, 3);

        let plain = Gcra::new(&rate(1, Duration::from_nanos(10), 4));
        let mut tat = Tick(0);
        let admitted = (0..10).filter(|_| admits(&plain, &mut tat, u64::MAX - 25).is_some()).count();
        assert_eq!(admitted, 2, "25 ns before the end of time only two tokens can be written down");
        assert!(admits(&plain, &mut Tick(0), u64::MAX).is_none());
        assert!(matches!(plain.decide(Tick(u64::MAX), Tick(0)), Decision::Refuse(_)));
    }

    proptest! {
        /// Where an emission is a whole number of nanoseconds, GCRA and the token bucket are the same machine.
        #[test]
        fn equals_a_token_bucket(
            count in 1_u32..50, emission in 1_u64..1000, burst in 1_u32..20,
            waits in prop::collection::vec(0_u64..3000, 1..300),
        ) {
            let rate = rate(count, Duration::from_nanos(emission * u64::from(count)), burst);
            let (gcra, mut bucket, mut tat, mut now) = (Gcra::new(&rate), Bucket::full(&rate), Tick(0), 0);
            for wait in waits {
                now += wait;
                let state = admits(&gcra, &mut tat, now);
                prop_assert_eq!(state.is_some(), bucket.admit(now));
                if let Some(state) = state {
                    prop_assert_eq!(u128::from(state.remaining), bucket.level / bucket.per);
                }
            }
        }

        /// Any rate, any schedule: in every window at most burst + rate × time.
        #[test]
        fn no_window_admits_more_than_burst_and_rate(
            count in 1_u32..5000, per in 1_u64..100_000, burst in 1_u32..10,
            waits in prop::collection::vec(0_u64..200, 1..200),
        ) {
            let gcra = Gcra::new(&rate(count, Duration::from_nanos(per), burst));
            let (mut tat, mut now, mut admitted) = (Tick(0), 0_u64, Vec::new());
            for wait in waits {
                now += wait;
                if admits(&gcra, &mut tat, now).is_some() {
                    admitted.push(now);
                }
            }
            for (first, &start) in admitted.iter().enumerate() {
                for (last, &end) in admitted.iter().enumerate().skip(first) {
                    let requests = (last - first + 1) as u128;
                    let allowed = u128::from(burst) * u128::from(per) + u128::from(end - start) * u128::from(count);
                    prop_assert!(requests * u128::from(per) <= allowed);
                }
            }
        }

        /// Rounding costs less than 1 ns a request: who comes that much slower than the rate is always admitted.
        #[test]
        fn a_client_at_its_rate_is_never_refused(count in 1_u64..5000, per in 1_u64..100_000, burst in 1_u32..5) {
            let gcra = Gcra::new(&rate(count as u32, Duration::from_nanos(per), burst));
            let (mut tat, mut now) = (Tick(0), 0);
            for _ in 0..200 {
                prop_assert!(admits(&gcra, &mut tat, now).is_some());
                now += per.div_ceil(count);
            }
        }

        /// A refused client that waits exactly `reset` is admitted, and not a nanosecond earlier.
        #[test]
        fn reset_is_exact(emission in 2_u64..1000, burst in 1_u32..6, waits in prop::collection::vec(0_u64..300, 50)) {
            let gcra = Gcra::new(&rate(1, Duration::from_nanos(emission), burst));
            let (mut tat, mut now) = (Tick(0), 0);
            for wait in waits {
                now += wait;
                match gcra.decide(tat, Tick(now)) {
                    Decision::Admit { tat: next, .. } => tat = next,
                    Decision::Refuse(state) => {
                        let ready = now + nanos(state.reset);
                        prop_assert!(admits(&gcra, &mut tat.clone(), ready - 1).is_none());
                        prop_assert!(admits(&gcra, &mut tat.clone(), ready).is_some());
                    }
                }
            }
        }
    }
}
