//! Small random waits, so that what begins together does not end together.
//! Never here: anything secret. The sequence can be predicted from one of its numbers.

use std::time::Duration;

use crate::core::hash::{GOLDEN, mix};
use crate::core::time::nanos;

/// splitmix64: eight bytes of state, equidistributed, the same sequence for the same seed.
#[derive(Clone, Debug)]
pub struct Jitter {
    state: u64,
}

impl Jitter {
    /// Give every shard a seed of its own, or all shards wait alike.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number; all 64 bits are usable.
    pub const fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// A wait from zero to `longest`, both included.
    pub const fn up_to(&mut self, longest: Duration) -> Duration {
        let choices = nanos(longest) as u128 + 1;
        Duration::from_nanos(((self.number() as u128 * choices) >> 64) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_splitmix64() {
        let mut jitter = Jitter::new(1_234_567);
        // Reference output of the authors' C program for this seed.
        for want in [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423_u64] {
            assert_eq!(jitter.number(), want);
        }
    }

    #[test]
    fn waits_cover_their_range_and_never_leave_it() {
        let mut jitter = Jitter::new(7);
        let mut seen = [0_u32; 4];
        for _ in 0..4000 {
            seen[jitter.up_to(Duration::from_nanos(3)).as_nanos() as usize] += 1;
        }
        assert!(seen.iter().all(|&count| (850..1150).contains(&count)), "{seen:?}");
        assert_eq!(jitter.up_to(Duration::ZERO), Duration::ZERO);
        assert!(jitter.up_to(Duration::MAX) <= Duration::from_nanos(u64::MAX));
    }
}
