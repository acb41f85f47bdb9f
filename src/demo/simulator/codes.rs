//! Which login codes exist, which were used, how many exchanges a minute has had: the platform's memory.
//! Never here: HTTP, a clock, the text of an answer.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_128;

use super::answer::Errcode;
use crate::core::bounds::{LOGIN_CODE_KEEP, SIMULATED_CODES_MAX};
use crate::core::time::Tick;

const QUOTA_WINDOW: Duration = Duration::from_mins(1);
const NAME_BYTES_MAX: usize = 32;

/// What a code asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Code<'a> {
    /// The user of that name.
    Demo { name: &'a str },
    /// This error, as often as it is asked for.
    Error(Errcode),
}

/// Codes used within the last five minutes, as hashes of code and appid, and the oldest first.
#[derive(Default)]
pub(super) struct UsedCodes {
    known: HashSet<u128>,
    order: VecDeque<(Tick, u128)>,
}

/// Exchanges in the minute that began with `since`.
#[derive(Default)]
pub(super) struct Quota {
    since: Tick,
    count: u32,
}

impl<'a> Code<'a> {
    /// Reads `demo-NAME`, `demo-NAME.ANYTHING` and `error-NUMBER`; everything else is a code that was never issued.
    pub(super) fn read(text: &'a str) -> Result<Self, Errcode> {
        if let Some(number) = text.strip_prefix("error-") {
            return number.parse().ok().and_then(Errcode::from_number).map(Self::Error).ok_or(Errcode::CodeInvalid);
        }
        let rest = text.strip_prefix("demo-").ok_or(Errcode::CodeInvalid)?;
        let name = rest.split_once('.').map_or(rest, |(name, _)| name);
        let well_formed = (1..=NAME_BYTES_MAX).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        if well_formed { Ok(Self::Demo { name }) } else { Err(Errcode::CodeInvalid) }
    }
}

impl UsedCodes {
    /// Uses up a code for five minutes. Beyond [`SIMULATED_CODES_MAX`] the oldest is forgotten.
    ///
    /// # Errors
    /// [`Errcode::CodeUsed`] when it is used up.
    pub(super) fn take(&mut self, appid: &str, code: &str, now: Tick) -> Result<(), Errcode> {
        while self.order.front().is_some_and(|(used, _)| now.since(*used) >= LOGIN_CODE_KEEP) {
            self.forget_oldest();
        }
        let key = xxh3_128(format!("{appid}\n{code}").as_bytes());
        if self.known.contains(&key) {
            return Err(Errcode::CodeUsed);
        }
        if self.order.len() == SIMULATED_CODES_MAX {
            self.forget_oldest();
        }
        self.known.insert(key);
        self.order.push_back((now, key));
        assert_eq!(self.known.len(), self.order.len(), "a code is in both or in none");
        Ok(())
    }

    fn forget_oldest(&mut self) {
        if let Some((_, key)) = self.order.pop_front() {
            self.known.remove(&key);
        }
    }
}

impl Quota {
    /// Counts one exchange in the minute of `now`.
    ///
    /// # Errors
    /// [`Errcode::QuotaUsedUp`] once `count_max` exchanges were counted in this minute.
    pub(super) fn take(&mut self, count_max: Option<u32>, now: Tick) -> Result<(), Errcode> {
        if now.since(self.since) >= QUOTA_WINDOW {
            *self = Self { since: now, count: 0 };
        }
        if count_max.is_some_and(|max| self.count >= max) {
            return Err(Errcode::QuotaUsedUp);
        }
        self.count = self.count.saturating_add(1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Tick = Tick(0);

    #[test]
    fn codes_say_what_they_ask_for() {
        let check = |text: &str, expect: Result<Code<'_>, Errcode>| assert_eq!(Code::read(text), expect, "{text}");
        check("demo-alice", Ok(Code::Demo { name: "alice" }));
        check("demo-alice.2", Ok(Code::Demo { name: "alice" }));
        check("demo-alice.", Ok(Code::Demo { name: "alice" }));
        check("demo-load-17.a.b", Ok(Code::Demo { name: "load-17" }));
        check("error-40226", Ok(Code::Error(Errcode::UserBlocked)));
        check("error--1", Ok(Code::Error(Errcode::Busy)));
        for unknown in ["", "demo-", "demo-.1", "demo-a b", "demo-张三", "error-", "error-12345", "error-x", "alice"]
        {
            check(unknown, Err(Errcode::CodeInvalid));
        }
        let longest = format!("demo-{}", "n".repeat(NAME_BYTES_MAX));
        assert!(Code::read(&longest).is_ok());
        check(&format!("{longest}n"), Err(Errcode::CodeInvalid));
    }

    #[test]
    fn a_code_works_once_in_five_minutes() {
        let mut used = UsedCodes::default();
        let last = Tick(START.after(LOGIN_CODE_KEEP).0 - 1);
        assert_eq!(used.take("wx1", "demo-a", START), Ok(()));
        assert_eq!(used.take("wx1", "demo-a", START), Err(Errcode::CodeUsed));
        assert_eq!(used.take("wx1", "demo-a.1", START), Ok(()), "another text is another code");
        assert_eq!(used.take("wx2", "demo-a", START), Ok(()), "codes of two mini-programs are two");
        assert_eq!(used.take("wx1", "demo-a", last), Err(Errcode::CodeUsed));
        assert_eq!(used.take("wx1", "demo-a", START.after(LOGIN_CODE_KEEP)), Ok(()));
        assert_eq!(used.order.len(), 1, "the codes of the first instant are forgotten together");
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_the_oldest() {
        let mut used = UsedCodes::default();
        let mut take = |number: usize| used.take("wx", &number.to_string(), START);
        for number in 0..SIMULATED_CODES_MAX {
            assert_eq!(take(number), Ok(()));
        }
        assert_eq!(take(0), Err(Errcode::CodeUsed), "full, and nothing forgotten yet");
        assert_eq!(take(SIMULATED_CODES_MAX), Ok(()));
        assert_eq!(take(1), Err(Errcode::CodeUsed));
        assert_eq!(take(0), Ok(()), "the oldest made room");
        assert_eq!(used.order.len(), SIMULATED_CODES_MAX);
    }

    #[test]
    fn a_quota_lasts_a_minute() {
        let mut quota = Quota::default();
        let last = Tick(START.after(QUOTA_WINDOW).0 - 1);
        assert_eq!(quota.take(Some(2), START), Ok(()));
        assert_eq!(quota.take(Some(2), START), Ok(()));
        assert_eq!(quota.take(Some(2), last), Err(Errcode::QuotaUsedUp));
        assert_eq!(quota.take(None, last), Ok(()), "no quota, no end");
        assert_eq!(quota.take(Some(2), START.after(QUOTA_WINDOW)), Ok(()));
        assert_eq!(Quota::default().take(Some(0), START), Err(Errcode::QuotaUsedUp));
    }
}
