//! The sessions of the users that one shard owns: who is logged in, WeChat's session_key, the refresh generation.
//! Never here: a session_key in debug output; more sessions than the bound; a refresh token that works twice for two holders.
//!
//! A session takes about 0.4 KiB: 80 bytes of its own, 170 of its user's record with load factor, the openid's text
//! and the small allocations round them.

pub mod key;
mod order;

use std::time::Duration;

use ahash::RandomState;
use hashbrown::HashTable;

use crate::core::bounds::{REFRESH_GRACE, USER_SESSIONS_MAX};
use crate::core::ids::{AppId, OpenId, SessionId};
use crate::core::session::key::{SessionKey, SessionKeys};
use crate::core::session::order::Order;
use crate::core::time::Tick;

/// Idle sessions that one login drops on the way: more than it adds, so that what has ended leaves by itself.
const EXPIRED_PER_LOGIN: usize = 2;

pub struct Sessions {
    hasher: RandomState,
    count_max: usize,
    idle: Duration,
    users: HashTable<User>,
    slots: Vec<Option<Session>>,
    vacant: Vec<u32>,
    /// All sessions by last use.
    order: Order,
}

/// A login that WeChat has confirmed.
pub struct Login<'a> {
    pub openid: &'a OpenId,
    pub appid: &'a AppId,
    /// New and random.
    pub session: SessionId,
    pub key: SessionKey,
}

/// What a login cost others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    Fits,
    /// The user's own session that was idle longest had to go: revoke its access tokens.
    DisplacedOwn(SessionId),
    /// The table is full: the session of anybody that was idle longest can no longer be refreshed.
    EvictedIdle(SessionId),
}

/// Answer to a refresh token with a valid signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Mint the pair of this generation.
    Fresh(u64),
    /// A client's retry: the previous token came again within [`REFRESH_GRACE`]. Mint the current pair again.
    Repeat(u64),
    /// Two holders of one token: the session is closed; revoke its access tokens.
    Reused,
    /// No such session here: never opened, closed, idle for too long, or displaced.
    Unknown,
}

/// A session as sensitive routes see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionView<'a> {
    pub appid: &'a AppId,
    pub keys: &'a SessionKeys,
    pub created: Tick,
    /// Of the refresh token that is valid now.
    pub generation: u64,
}

struct User {
    openid: OpenId,
    /// An openid belongs to one mini-program.
    appid: AppId,
    /// WeChat keeps one valid key per user, whichever session asked for it.
    keys: SessionKeys,
    /// Never empty, at most [`USER_SESSIONS_MAX`].
    sessions: Vec<u32>,
}

struct Session {
    openid: OpenId,
    id: SessionId,
    generation: u64,
    rotated: Tick,
    used: Tick,
    created: Tick,
}

impl Sessions {
    /// `count_max`: sessions on this shard, at least 1. `idle`: unused for so long, a session has ended.
    #[must_use]
    pub fn new(count_max: usize, idle: Duration, hasher: RandomState) -> Self {
        assert!((1..u32::MAX as usize).contains(&count_max), "count_max must fit an index");
        Self {
            hasher,
            count_max,
            idle,
            // Reserved at once, so that no login pays for moving a grown table; untouched pages cost nothing.
            users: HashTable::with_capacity(count_max),
            slots: Vec::with_capacity(count_max),
            vacant: Vec::new(),
            order: Order::with_capacity(count_max),
        }
    }

    /// Adds a session; the key becomes the user's current one.
    pub fn open(&mut self, login: Login<'_>, now: Tick) -> Opened {
        self.expire(now, EXPIRED_PER_LOGIN);
        let opened = self.make_room(login.openid);
        let session = Session {
            openid: login.openid.clone(),
            id: login.session,
            generation: 0,
            rotated: now,
            used: now,
            created: now,
        };
        let index = self.place(session);
        self.enlist(login, index);
        debug_assert!(self.len() <= self.count_max);
        opened
    }

    /// Exchanges a refresh token of generation `presented` for the next one.
    pub fn rotate(&mut self, openid: &OpenId, session: SessionId, presented: u64, now: Tick) -> Rotation {
        let Some(index) = self.touch(openid, session, now) else { return Rotation::Unknown };
        let Some(found) = self.slots[index as usize].as_mut() else { return Rotation::Unknown };
        let current = found.generation;
        if presented == current {
            found.generation = current + 1;
            found.rotated = now;
            return Rotation::Fresh(current + 1);
        }
        if presented > current {
            // Signed by us, yet newer than what this node remembers: another node has refreshed the session since.
            return Rotation::Unknown;
        }
        if presented + 1 == current && now.since(found.rotated) <= REFRESH_GRACE {
            return Rotation::Repeat(current);
        }
        // RFC 9700 §4.14.2: whoever comes second, the thief or the user, ends the session for both.
        self.remove(index);
        Rotation::Reused
    }

    /// The session, which counts as a use of it.
    pub fn find(&mut self, openid: &OpenId, session: SessionId, now: Tick) -> Option<SessionView<'_>> {
        let index = self.touch(openid, session, now)?;
        let session = self.slots[index as usize].as_ref()?;
        let (created, generation) = (session.created, session.generation);
        let user = self.user(openid)?;
        Some(SessionView { appid: &user.appid, keys: &user.keys, created, generation })
    }

    /// Logout. Whether there was such a session.
    pub fn close(&mut self, openid: &OpenId, session: SessionId) -> bool {
        let index = self.index(openid, session);
        if let Some(index) = index {
            self.remove(index);
        }
        index.is_some()
    }

    /// Logout everywhere: the sessions that were closed, for their access tokens to be revoked.
    pub fn close_all(&mut self, openid: &OpenId) -> Vec<SessionId> {
        let indexes = self.user(openid).map(|user| user.sessions.clone()).unwrap_or_default();
        indexes.into_iter().filter_map(|index| self.remove(index)).collect()
    }

    /// Drops up to `count_max` sessions that were idle for too long.
    pub fn expire(&mut self, now: Tick, count_max: usize) {
        for _ in 0..count_max {
            let Some(index) = self.order.oldest() else { return };
            if !self.ended(index, now) {
                return;
            }
            self.remove(index);
        }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() - self.vacant.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn make_room(&mut self, openid: &OpenId) -> Opened {
        let own = self.user(openid).filter(|user| user.sessions.len() >= USER_SESSIONS_MAX);
        let own = own.and_then(|user| user.sessions.iter().copied().min_by_key(|&index| self.used(index)));
        if let Some(id) = own.and_then(|index| self.remove(index)) {
            return Opened::DisplacedOwn(id);
        }
        if self.len() < self.count_max {
            return Opened::Fits;
        }
        let idlest = self.order.oldest().and_then(|index| self.remove(index));
        idlest.map_or(Opened::Fits, Opened::EvictedIdle)
    }

    fn place(&mut self, session: Session) -> u32 {
        let index = self.vacant.pop().unwrap_or_else(|| {
            self.slots.push(None);
            (self.slots.len() - 1) as u32
        });
        self.slots[index as usize] = Some(session);
        self.order.push_newest(index);
        index
    }

    fn enlist(&mut self, login: Login<'_>, index: u32) {
        let hash = self.hasher.hash_one(login.openid);
        if let Some(user) = self.users.find_mut(hash, |user| user.openid == *login.openid) {
            user.keys.replace(login.key);
            user.sessions.push(index);
            return;
        }
        let user = User {
            openid: login.openid.clone(),
            appid: login.appid.clone(),
            keys: SessionKeys { current: login.key, previous: None },
            sessions: vec![index],
        };
        self.users.insert_unique(hash, user, |user| self.hasher.hash_one(&user.openid));
    }

    /// The index of a session that has not ended, now the most recently used.
    fn touch(&mut self, openid: &OpenId, session: SessionId, now: Tick) -> Option<u32> {
        let index = self.index(openid, session)?;
        if self.ended(index, now) {
            self.remove(index);
            return None;
        }
        self.slots[index as usize].as_mut()?.used = now;
        self.order.touch(index);
        Some(index)
    }

    fn index(&self, openid: &OpenId, session: SessionId) -> Option<u32> {
        let is_it = |&index: &u32| self.slots[index as usize].as_ref().is_some_and(|found| found.id == session);
        self.user(openid)?.sessions.iter().copied().find(is_it)
    }

    fn user(&self, openid: &OpenId) -> Option<&User> {
        self.users.find(self.hasher.hash_one(openid), |user| user.openid == *openid)
    }

    fn used(&self, index: u32) -> Option<Tick> {
        self.slots[index as usize].as_ref().map(|session| session.used)
    }

    fn ended(&self, index: u32, now: Tick) -> bool {
        self.used(index).is_some_and(|used| now.since(used) >= self.idle)
    }

    fn remove(&mut self, index: u32) -> Option<SessionId> {
        let session = self.slots[index as usize].take()?;
        self.order.remove(index);
        self.vacant.push(index);
        let hash = self.hasher.hash_one(&session.openid);
        if let Ok(mut user) = self.users.find_entry(hash, |user| user.openid == session.openid) {
            user.get_mut().sessions.retain(|&at| at != index);
            if user.get().sessions.is_empty() {
                user.remove();
            }
        }
        Some(session.id)
    }
}

#[cfg(test)]
mod tests;
