//! Sessions whose access tokens are refused although their signature holds: logout, displaced logins, stolen refresh tokens.
//! One per shard, told of every revocation of the node. Never here: forgetting a revocation because there are too many.
//!
//! When the set is full, the user's slot gets a floor instead: every access token of the slot that ends no later than the
//! revoked session's last one is refused as expired. That covers the session for certain and hits 1/4,096 of the other
//! users, who refresh silently; for `leeway` seconds even their new tokens are refused. Floors are one word per slot, so
//! memory stays bounded whatever happens.

use std::collections::VecDeque;

use hashbrown::HashTable;

use crate::core::bounds::{REVOKED_SESSIONS_MAX, VIRTUAL_SHARDS};
use crate::core::fault::Fault;
use crate::core::ids::SessionId;
use crate::core::time::UnixSeconds;
use crate::core::token::access::Caller;

/// Ended revocations that one call of [`Revocations::expire`] drops: a few microseconds.
const EXPIRED_PER_CALL: usize = 64;

#[derive(Default)]
pub struct Revocations {
    sessions: HashTable<Revoked>,
    /// In order of revocation, which is nearly the order of their ends; each session once.
    order: VecDeque<SessionId>,
    /// Indexed by slot; `None` as long as the set was never full.
    floors: Option<Box<[UnixSeconds]>>,
    /// The latest floor: after it all floors go.
    floors_until: UnixSeconds,
}

struct Revoked {
    session: SessionId,
    until: UnixSeconds,
}

impl Revocations {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Refuses the session's access tokens from now on. `slot` is the user's of [`VIRTUAL_SHARDS`]; no access token of the
    /// session may be valid at `until`, see [`last_access_end`](crate::core::token::keys::KeyRing::last_access_end).
    pub fn revoke(&mut self, session: SessionId, slot: u16, until: UnixSeconds, now: UnixSeconds) {
        assert!(usize::from(slot) < VIRTUAL_SHARDS, "a slot is a hash modulo VIRTUAL_SHARDS");
        self.expire(now);
        if let Some(known) = self.sessions.find_mut(hash(session), |revoked| revoked.session == session) {
            known.until = known.until.max(until);
            return;
        }
        if self.sessions.len() >= REVOKED_SESSIONS_MAX {
            self.raise_floor(slot, until);
            return;
        }
        self.sessions.insert_unique(hash(session), Revoked { session, until }, |revoked| hash(revoked.session));
        self.order.push_back(session);
        debug_assert_eq!(self.sessions.len(), self.order.len());
    }

    /// Why a caller with a valid token is refused, if so: [`Fault::SessionRevoked`] asks for a login,
    /// [`Fault::TokenExpired`] for a refresh. `slot` is that of the caller's openid.
    #[inline]
    #[must_use]
    pub fn refuses(&self, caller: &Caller, slot: u16) -> Option<Fault> {
        if !self.sessions.is_empty() && self.lists(caller.session) {
            return Some(Fault::SessionRevoked);
        }
        if self.floors.is_some() && self.below(caller, slot) {
            return Some(Fault::TokenExpired);
        }
        None
    }

    /// Drops revocations that no valid token needs any more. For the shard's housekeeping; bounded work.
    pub fn expire(&mut self, now: UnixSeconds) {
        if self.floors.is_some() && now >= self.floors_until {
            self.floors = None;
        }
        for _ in 0..EXPIRED_PER_CALL {
            let Some(&session) = self.order.front() else { return };
            match self.sessions.find_entry(hash(session), |revoked| revoked.session == session) {
                // The ones behind a later end wait for it: kept too long is harmless, too short is not.
                Ok(entry) if entry.get().until > now => return,
                Ok(entry) => drop(entry.remove()),
                Err(_) => debug_assert!(false, "every session in order is in the set"),
            }
            self.order.pop_front();
        }
    }

    /// Sessions remembered one by one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.floors.is_none()
    }

    fn raise_floor(&mut self, slot: u16, until: UnixSeconds) {
        let floors = self.floors.get_or_insert_with(|| vec![UnixSeconds(0); VIRTUAL_SHARDS].into());
        let floor = &mut floors[usize::from(slot)];
        *floor = until.max(*floor);
        self.floors_until = until.max(self.floors_until);
    }

    fn lists(&self, session: SessionId) -> bool {
        self.sessions.find(hash(session), |revoked| revoked.session == session).is_some()
    }

    fn below(&self, caller: &Caller, slot: u16) -> bool {
        let floor = self.floors.as_ref().and_then(|floors| floors.get(usize::from(slot)));
        floor.is_some_and(|&floor| caller.expires <= floor)
    }
}

/// Session identities are random and ours, so any 64 bits of one are a hash.
const fn hash(session: SessionId) -> u64 {
    session.0 as u64
}
