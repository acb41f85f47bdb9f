//! When a connection follows its user: behind a balancer of TCP a connection is one phone, so after a few requests of one
//! foreign user it moves to that user's shard and needs no hop any more.
//! Never here: a move in the middle of a request.

use crate::core::ids::ShardId;

use super::pipeline::User;

/// Requests in a row of users of one foreign shard before the connection moves there. A move costs as much as a few hops.
const MOVES_AFTER: u8 = 8;

#[derive(Clone, Copy, Debug, Default)]
pub struct Streak {
    owner: Option<ShardId>,
    len: u8,
}

impl Streak {
    /// Takes note of a request; one without a user neither prolongs nor breaks a streak.
    pub fn saw(&mut self, user: Option<User>) {
        let Some(User { owner, .. }) = user else { return };
        if self.owner == Some(owner) {
            self.len = self.len.saturating_add(1);
        } else {
            *self = Self { owner: Some(owner), len: 1 };
        }
    }

    /// Whether the connection should live elsewhere.
    #[must_use]
    pub fn moves(&self, here: ShardId) -> bool {
        self.len >= MOVES_AFTER && self.owner.is_some_and(|owner| owner != here)
    }

    /// Where it should live.
    #[must_use]
    pub const fn target(&self) -> Option<ShardId> {
        self.owner
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::hash::KeyHash;

    fn user(owner: u16) -> Option<User> {
        Some(User { hash: KeyHash(1), owner: ShardId(owner) })
    }

    #[test]
    fn a_connection_moves_after_a_streak_of_one_foreign_owner() {
        let mut streak = Streak::default();
        for _ in 1..MOVES_AFTER {
            streak.saw(user(1));
            streak.saw(None);
        }
        assert!(!streak.moves(ShardId(0)));
        streak.saw(user(1));
        assert!(streak.moves(ShardId(0)));
        assert!(!streak.moves(ShardId(1)), "at home it stays");
        streak.saw(user(0));
        assert!(!streak.moves(ShardId(0)), "a mix of users starts over");
    }
}
