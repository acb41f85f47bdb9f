//! Login codes of one shard: each is exchanged at WeChat once, however often the client retries; the outcome is kept as long
//! as the code could live. Never here: a second exchange while one runs or its outcome is known; the text of a code.

use std::collections::VecDeque;

use aws_lc_rs::hmac;
use hashbrown::HashTable;

use crate::core::bounds::{LOGIN_CODE_KEEP, LOGIN_WAITERS_MAX};
use crate::core::hash::KeyHash;
use crate::core::ids::{AppId, OpenId, SessionId};
use crate::core::time::Tick;

/// Ended outcomes that one login drops on the way: more than it adds.
const EXPIRED_PER_LOGIN: usize = 4;

/// Names a code of a mini-program without keeping its text. A collision would log one user in as another, so it is a
/// keyed cryptographic hash: nobody can look for one outside this process, and by chance 2⁶⁴ codes have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeKey(u128);

/// Makes [`CodeKey`]s; one per node.
pub struct CodeHasher {
    key: hmac::Key,
}

/// Whom WeChat named, and the session that was opened for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginOutcome {
    pub openid: OpenId,
    pub session: SessionId,
}

/// `W` is whatever can be told the outcome later. About 110 bytes per code.
pub struct LoginCodes<W> {
    count_max: usize,
    codes: HashTable<Code<W>>,
    /// Outcomes by end; each was kept equally long, so the first ends first.
    done: VecDeque<(CodeKey, Tick)>,
}

/// What to do with a login.
#[derive(Debug, PartialEq, Eq)]
pub enum Begun<W> {
    /// Ask WeChat and call [`LoginCodes::finish`] whatever happens, or the code waits forever.
    Exchange(W),
    /// Another request is asking; the waiter will be handed to whoever finishes.
    Joined,
    Known(W, LoginOutcome),
    /// Too many codes are being exchanged, or too many requests wait for this one.
    Full(W),
}

struct Code<W> {
    key: CodeKey,
    state: State<W>,
}

enum State<W> {
    InFlight { waiters: Vec<W> },
    Done { outcome: LoginOutcome, until: Tick },
}

impl CodeKey {
    /// Spreads codes over the shards.
    #[must_use]
    pub const fn route(self) -> KeyHash {
        KeyHash((self.0 >> 64) as u64)
    }
}

impl CodeHasher {
    /// `secret`: random, new for each process.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret) }
    }

    #[must_use]
    pub fn key(&self, appid: &AppId, code: &str) -> CodeKey {
        let mut context = hmac::Context::with_key(&self.key);
        // The length keeps (`ab`, `c`) and (`a`, `bc`) apart.
        context.update(&appid.as_str().len().to_le_bytes());
        context.update(appid.as_str().as_bytes());
        context.update(code.as_bytes());
        let tag = context.sign();
        CodeKey(tag.as_ref().first_chunk().map_or(0, |bytes| u128::from_le_bytes(*bytes)))
    }
}

impl<W> LoginCodes<W> {
    /// `count_max`: codes in flight and known together, usually [`LOGIN_CODES_MAX`](crate::core::bounds::LOGIN_CODES_MAX).
    #[must_use]
    pub fn new(count_max: usize) -> Self {
        assert!(count_max > 0, "a login needs room for its code");
        Self { count_max, codes: HashTable::new(), done: VecDeque::new() }
    }

    /// A request comes with a code. The waiter comes back unless the answer is [`Begun::Joined`].
    pub fn begin(&mut self, key: CodeKey, waiter: W, now: Tick) -> Begun<W> {
        self.expire(now, EXPIRED_PER_LOGIN);
        if let Some(code) = self.codes.find_mut(hash(key), |code| code.key == key) {
            return code.state.join(waiter, now);
        }
        if self.codes.len() >= self.count_max && !self.evict() {
            return Begun::Full(waiter);
        }
        let code = Code { key, state: State::in_flight() };
        self.codes.insert_unique(hash(key), code, |code| hash(code.key));
        debug_assert!(self.codes.len() <= self.count_max);
        Begun::Exchange(waiter)
    }

    /// The exchange has ended. `None`: it failed, and the next request with the code asks WeChat again.
    /// Returns the requests that wait for it.
    pub fn finish(&mut self, key: CodeKey, outcome: Option<LoginOutcome>, now: Tick) -> Vec<W> {
        let Ok(mut code) = self.codes.find_entry(hash(key), |code| code.key == key) else { return Vec::new() };
        let State::InFlight { waiters } = &mut code.get_mut().state else { return Vec::new() };
        let waiters = std::mem::take(waiters);
        if let Some(outcome) = outcome {
            let until = now.after(LOGIN_CODE_KEEP);
            code.get_mut().state = State::Done { outcome, until };
            self.done.push_back((key, until));
        } else {
            code.remove();
        }
        waiters
    }

    /// Drops up to `count_max` outcomes that have ended.
    pub fn expire(&mut self, now: Tick, count_max: usize) {
        for _ in 0..count_max {
            if self.done.front().is_none_or(|&(_, until)| now < until) {
                return;
            }
            self.drop_first();
        }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// Forgets the outcome that ends first. Whether there was one.
    fn evict(&mut self) -> bool {
        while !self.done.is_empty() {
            if self.drop_first() {
                return true;
            }
        }
        false
    }

    /// Whether the first of `done` still stood for an outcome: its code may be in flight again, since it ended before its
    /// turn here came.
    fn drop_first(&mut self) -> bool {
        let Some((key, until)) = self.done.pop_front() else { return false };
        let stands = |code: &Code<W>| matches!(code.state, State::Done { until: at, .. } if at == until);
        let found = self.codes.find_entry(hash(key), |code| code.key == key && stands(code));
        found.map(|code| drop(code.remove())).is_ok()
    }
}

impl<W> State<W> {
    const fn in_flight() -> Self {
        Self::InFlight { waiters: Vec::new() }
    }

    fn join(&mut self, waiter: W, now: Tick) -> Begun<W> {
        match self {
            Self::InFlight { waiters } if waiters.len() < LOGIN_WAITERS_MAX => {
                waiters.push(waiter);
                Begun::Joined
            }
            Self::InFlight { .. } => Begun::Full(waiter),
            Self::Done { outcome, until } if now < *until => Begun::Known(waiter, outcome.clone()),
            Self::Done { .. } => {
                *self = Self::in_flight();
                Begun::Exchange(waiter)
            }
        }
    }
}

/// The key is a hash already; the table needs 64 bits of it.
const fn hash(key: CodeKey) -> u64 {
    key.0 as u64
}

#[cfg(test)]
mod tests;
