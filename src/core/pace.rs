//! The slowest that a peer may be: bytes a second on average, once a first grace is over.
//! Never here: a clock.

use std::time::Duration;

use crate::core::config::checked::Server;
use crate::core::time::{Tick, nanos};

/// The least rate, and how long it is not asked for.
#[derive(Clone, Copy, Debug)]
pub struct Demand {
    /// Also the longest pause between two pieces.
    pub grace: Duration,
    /// Zero: any rate will do.
    pub bytes_per_second: usize,
}

/// A transfer that has begun: until when nothing had to be transferred.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace(Tick);

impl Pace {
    /// `bytes`: the count from which it goes on, which is nobody's merit.
    #[must_use]
    pub fn begin(demand: Demand, bytes: usize, now: Tick) -> Self {
        Self(Tick(now.after(demand.grace).0.saturating_sub(demand.price(bytes))))
    }

    /// Until when the next bytes must come, after so many.
    #[must_use]
    pub fn due(self, demand: Demand, bytes: usize, now: Tick) -> Tick {
        let next = now.after(demand.grace);
        if demand.bytes_per_second == 0 {
            return next;
        }
        next.min(Tick(self.0.0.saturating_add(demand.price(bytes))))
    }
}

impl Demand {
    #[must_use]
    pub const fn of_bodies(server: &Server) -> Self {
        Self { grace: server.body_timeout, bytes_per_second: server.peer_rate_min }
    }

    #[must_use]
    pub const fn of_answers(server: &Server) -> Self {
        Self { grace: server.write_timeout, bytes_per_second: server.peer_rate_min }
    }

    /// The time that so many bytes may take, in nanoseconds.
    fn price(self, bytes: usize) -> u64 {
        let nanos = bytes as u128 * nanos(Duration::from_secs(1)) as u128;
        nanos.checked_div(self.bytes_per_second as u128).map_or(0, |nanos| u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(10);

    fn seconds(count: u64) -> Tick {
        Tick(0).after(Duration::from_secs(count))
    }

    #[test]
    fn bytes_buy_time_at_the_least_rate_and_never_more_than_a_pause() {
        let demand = Demand { grace: GRACE, bytes_per_second: 100 };
        let pace = Pace::begin(demand, 700, seconds(5));
        let check = |bytes: usize, now: u64, due: u64| {
            assert_eq!(pace.due(demand, bytes, seconds(now)), seconds(due), "{bytes} bytes after {now} s");
        };
        check(700, 5, 15);
        check(700, 14, 15);
        check(800, 14, 16);
        check(1600, 14, 24);
        check(1601, 14, 24);
        check(usize::MAX, 14, 24);
    }

    /// One byte every nine seconds: the pause allows it for ever, the pace does not.
    #[test]
    fn a_trickle_ends() {
        let demand = Demand { grace: GRACE, bytes_per_second: 100 };
        let pace = Pace::begin(demand, 0, seconds(0));
        let in_time =
            |bytes: &usize| pace.due(demand, *bytes, seconds(9 * *bytes as u64)) >= seconds(9 * (*bytes as u64 + 1));
        assert_eq!((0..10).take_while(in_time).count(), 1);
    }

    #[test]
    fn without_a_rate_only_pauses_count() {
        let demand = Demand { grace: GRACE, bytes_per_second: 0 };
        assert_eq!(Pace::begin(demand, 5, seconds(0)).due(demand, 5, seconds(1000)), seconds(1010));
    }
}
