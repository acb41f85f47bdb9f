//! What a shard does of a costly thing within one turn, in which it serves nobody else.
//! Never here: a clock, a wait; who finds nothing left does without, or asks again in the next turn.

use std::cell::Cell;

/// So much of it was done in the turn that is named.
#[derive(Debug, Default)]
pub struct PerTurn(Cell<(u64, usize)>);

impl PerTurn {
    /// Takes `amount` while less than `max` was taken in this turn: the last one may go beyond.
    #[must_use]
    pub fn take(&self, turn: u64, amount: usize, max: usize) -> bool {
        let (at, taken) = self.0.get();
        let taken = if at == turn { taken } else { 0 };
        if taken >= max {
            return false;
        }
        self.0.set((turn, taken + amount));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_turn_has_the_same_share() {
        let share = PerTurn::default();
        for turn in [7, 8, 100] {
            assert!(share.take(turn, 2, 3) && share.take(turn, 5, 3));
            assert!(!share.take(turn, 1, 3) && !share.take(turn, 1, 3));
        }
    }
}
