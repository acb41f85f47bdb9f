//! What a shard refuses because it is late itself: its own CPU is the bottleneck.
//!
//! The measure is how long something that becomes ready now lies in the shard's queue before its turn comes, as in WeChat's
//! own DAGOR (Zhou et al., SoCC 2018): it is zero on a busy shard that keeps up, and grows only when work is left over.
//! While it is above its target the pressure rises and with it the share of requests that are refused, the least important
//! priority first; core routes are never refused for it.
//!
//! A refusal costs about half as much as a served request from the cache: the bytes arrive and an answer leaves. So refusals
//! have a budget. Beyond it a refused client costs the shard more than the others gain; what is too much then waits where it
//! costs nothing, unread in the kernel.
//! Never here: a clock.

use std::time::Duration;

use crate::core::admission::Priority;
use crate::core::bounds::SHEDS_PER_SECOND_MAX;
use crate::core::time::{Tick, nanos};

/// Pressure at which all of a priority is refused is one more than that of the priority below it.
const LEVEL_MAX: f64 = 2.0;
/// Nanoseconds above the target after which all of a priority is refused.
const RISE_NANOS: f64 = 1e8;
/// The most that one measurement says, however long it took.
const RISE_MAX: f64 = 0.5;
/// Nanoseconds in which the pressure of one priority goes when the shard is in time again.
const FALL_NANOS: f64 = 1e9;
const NANOS_PER_SHED: u64 = 1_000_000_000 / SHEDS_PER_SECOND_MAX;
/// Refusals that may come at once: those of a fiftieth of a second.
const BURST_SHEDS: u64 = SHEDS_PER_SECOND_MAX / 50;

#[derive(Debug)]
pub struct Pressure {
    /// `None`: nothing is refused for being late.
    target: Option<Duration>,
    level: f64,
    /// Longest lag since it was last taken.
    longest: Duration,
    /// Until when the pressure has fallen.
    at: Tick,
    measured: Tick,
    /// What has been left over of the share of each priority, so that a share of one third is every third request.
    owed: [f64; Priority::ALL.len()],
    /// When the budget of refusals is whole again (a bucket as in `core::limit::gcra`).
    spent_until: Tick,
}

impl Pressure {
    #[must_use]
    pub const fn new(target: Option<Duration>) -> Self {
        let owed = [0.0; Priority::ALL.len()];
        Self { target, level: 0.0, longest: Duration::ZERO, at: Tick(0), measured: Tick(0), owed, spent_until: Tick(0) }
    }

    /// Something that became ready `lag` ago has its turn now.
    pub fn measured(&mut self, lag: Duration, now: Tick) {
        self.longest = self.longest.max(lag);
        let passed = nanos(now.since(self.measured)) as f64;
        self.measured = now;
        self.relax(now);
        // With the budget spent, a higher level would refuse more important requests in place of less important ones.
        if self.target.is_some_and(|target| lag > target) && self.may_shed(now) {
            self.level = (self.level + (passed / RISE_NANOS).min(RISE_MAX)).min(LEVEL_MAX);
        }
    }

    /// Whether a request of this priority is refused.
    #[must_use]
    pub fn sheds(&mut self, priority: Priority, now: Tick) -> bool {
        if self.level <= 0.0 || priority == Priority::Core {
            return false;
        }
        self.relax(now);
        let share = (self.level - priority as usize as f64).clamp(0.0, 1.0);
        let owed = self.owed[priority as usize] + share;
        let sheds = owed >= 1.0 && self.may_shed(now);
        self.owed[priority as usize] = if sheds { owed - 1.0 } else { owed.min(1.0) };
        if sheds {
            self.spent_until = self.spent_until.max(now).after(Duration::from_nanos(NANOS_PER_SHED));
        }
        sheds
    }

    fn may_shed(&self, now: Tick) -> bool {
        self.spent_until.since(now) < Duration::from_nanos(NANOS_PER_SHED * BURST_SHEDS)
    }

    /// For a gauge.
    pub const fn take_longest(&mut self) -> Duration {
        std::mem::replace(&mut self.longest, Duration::ZERO)
    }

    fn relax(&mut self, now: Tick) {
        let passed = nanos(now.since(self.at)) as f64;
        self.level = (self.level - passed / FALL_NANOS).max(0.0);
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;

    use super::*;

    const MS: u64 = 1_000_000;
    const TARGET: Duration = Duration::from_millis(20);

    /// Refused of 100 requests of a priority that come within a millisecond.
    fn refused(pressure: &mut Pressure, priority: Priority, from: Tick) -> usize {
        (0..100).filter(|&step| pressure.sheds(priority, Tick(from.0 + step * MS / 100))).count()
    }

    fn pressed(samples: u64, lag: Duration) -> (Pressure, Tick) {
        let mut pressure = Pressure::new(Some(TARGET));
        for step in 0..=samples {
            pressure.measured(lag, Tick(step * 5 * MS));
        }
        (pressure, Tick(samples * 5 * MS))
    }

    #[test]
    fn in_time_nothing_is_refused() {
        let (mut pressure, now) = pressed(1000, TARGET);
        assert!(Priority::ALL.iter().all(|&priority| refused(&mut pressure, priority, now) == 0));
        let mut off = Pressure::new(None);
        off.measured(Duration::from_secs(9), Tick(1000 * MS));
        assert!(!off.sheds(Priority::Secondary, Tick(1000 * MS)));
    }

    #[test]
    fn the_least_important_goes_first_and_core_never() {
        let late = TARGET + Duration::from_nanos(1);
        let check = |samples: u64, expect: [RangeInclusive<usize>; 3]| {
            for (priority, expect) in Priority::ALL.into_iter().zip(expect) {
                let (mut pressure, now) = pressed(samples, late);
                let refused = refused(&mut pressure, priority, now);
                assert!(expect.contains(&refused), "{samples} samples, {priority:?}: {refused}");
            }
        };
        check(11, [45..=55, 0..=0, 0..=0]);
        check(22, [98..=100, 0..=5, 0..=0]);
        check(33, [100..=100, 45..=55, 0..=0]);
        check(1000, [99..=100, 99..=100, 0..=0]);
    }

    #[test]
    fn refusals_have_a_budget() {
        let (mut pressure, now) = pressed(1000, Duration::from_secs(1));
        let seconds = 2;
        let mut refused = 0;
        for step in 0..seconds * 200_000 {
            let at = Tick(now.0 + step * 5000);
            if step % 1000 == 0 {
                pressure.measured(Duration::from_secs(1), at);
            }
            refused += u64::from(pressure.sheds(Priority::Secondary, at));
        }
        let allowed = seconds * SHEDS_PER_SECOND_MAX;
        assert!((allowed..=allowed + BURST_SHEDS + 1).contains(&refused), "{refused} of {allowed}");
    }

    #[test]
    fn pressure_is_gone_two_seconds_after_the_load() {
        let (mut pressure, now) = pressed(1000, Duration::from_secs(1));
        assert!(pressure.sheds(Priority::Secondary, now));
        let later = now.after(Duration::from_secs(2));
        assert!(Priority::ALL.iter().all(|&priority| !pressure.sheds(priority, later)));
    }
}
