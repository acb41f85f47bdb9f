//! When requests of an open loop are due: at a constant rate, whatever the server does.
//! Never here: a due time that moves because an answer was late. That would be coordinated omission.

use std::time::Duration;

/// Highest rate that makes sense: one request a nanosecond could not even be counted.
const RATE_MAX: u64 = 10_000_000;
const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// Request `k` is due `k / rate` seconds after the start.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    rate: u64,
}

impl Schedule {
    /// `rate` in requests a second.
    pub fn new(rate: u64) -> Result<Self, String> {
        if (1..=RATE_MAX).contains(&rate) {
            Ok(Self { rate })
        } else {
            Err(format!("rate = {rate}: must be 1..={RATE_MAX} requests a second"))
        }
    }

    /// Due time of request `k` after the start. Computed from `k`, so that errors of rounding do not add up.
    pub fn due(&self, k: u64) -> Duration {
        let nanos = u128::from(k) * NANOS_PER_SECOND / u128::from(self.rate);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Requests that are due before `elapsed`.
    pub fn due_before(&self, elapsed: Duration) -> u64 {
        let count = (elapsed.as_nanos() * u128::from(self.rate)).div_ceil(NANOS_PER_SECOND);
        u64::try_from(count).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_evenly_spaced_and_never_drift() {
        let check = |rate: u64, k: u64, nanos: u64| {
            assert_eq!(Schedule::new(rate).unwrap().due(k), Duration::from_nanos(nanos), "request {k} at {rate}/s");
        };
        check(1, 0, 0);
        check(1, 1, 1_000_000_000);
        check(3, 1, 333_333_333);
        check(3, 3, 1_000_000_000);
        check(3, 3_000_000, 1_000_000_000_000_000);
        check(100_000, 7, 70_000);
        check(RATE_MAX, u64::MAX, u64::MAX);
    }

    #[test]
    fn the_count_of_due_requests_agrees_with_their_due_times() {
        for rate in [1, 3, 7, 1_000, 99_999, RATE_MAX] {
            let schedule = Schedule::new(rate).unwrap();
            for k in [1, 2, 3, 10, 1_000, 123_457] {
                let due = schedule.due(k);
                assert_eq!(schedule.due_before(due), k, "until request {k} at {rate}/s");
                assert_eq!(schedule.due_before(due + Duration::from_nanos(1)), k + 1, "with request {k} at {rate}/s");
            }
        }
    }

    #[test]
    fn rates_have_bounds() {
        assert!(Schedule::new(0).is_err());
        assert!(Schedule::new(RATE_MAX).is_ok());
        assert!(Schedule::new(RATE_MAX + 1).is_err());
    }
}
