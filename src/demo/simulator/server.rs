//! The platform's two paths: an exchange is judged in the platform's order, counted, and answered late on purpose.
//! Never here: how a code or an identity is made, HTTP's framing.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::SimulatorOptions;
use super::answer::{Errcode, Session, param};
use super::codes::{Code, Quota, UsedCodes};
use crate::core::time::nanos;
use crate::ops::http::{ContentType, OpsServer, Page, Pages, Reach, serve};

/// A running platform. Dropping it stops it.
pub struct Simulator {
    server: OpsServer,
}

impl Simulator {
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// For `wechat.base_url`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr())
    }

    pub fn stop(self) {
        self.server.stop();
    }
}

/// Starts the platform on loopback.
///
/// # Errors
/// What binding the port says.
pub fn start(options: SimulatorOptions) -> io::Result<Simulator> {
    assert!(options.failures_per_mille <= 1000, "a share is at most all of them");
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let platform = Platform { options, memory: Mutex::default() };
    Ok(Simulator { server: serve(addr, Reach::Loopback, Arc::new(platform))? })
}

struct Platform {
    options: SimulatorOptions,
    /// Held for microseconds, never while waiting.
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    used: UsedCodes,
    quota: Quota,
    dice: Dice,
    ok: u64,
    errors: BTreeMap<Errcode, u64>,
}

/// The four parameters of an exchange, all there.
struct Ask<'a> {
    appid: &'a str,
    secret: &'a str,
    code: &'a str,
    grant_type: &'a str,
}

impl Pages for Platform {
    fn page(&self, path: &str, query: &str) -> Page {
        match path {
            "/sns/jscode2session" => {
                let (answer, wait) = self.exchange(query);
                // The code is used up already: a client that gives up now has lost it, as with the real platform.
                if !wait.is_zero() {
                    may::coroutine::sleep(wait);
                }
                Page::ok(ContentType::Json, answer)
            }
            "/stats" => Page::ok(ContentType::Json, self.memory().stats()),
            _ => Page::not_found(),
        }
    }
}

impl Platform {
    fn exchange(&self, query: &str) -> (String, Duration) {
        let mut memory = self.memory();
        let outcome = self.judge(query, &mut memory);
        let wait = self.options.latency + memory.dice.up_to(self.options.jitter);
        let answer = match outcome {
            Ok(session) => {
                memory.ok += 1;
                session.to_json()
            }
            Err(code) => {
                *memory.errors.entry(code).or_default() += 1;
                code.to_json(memory.dice.roll_wide())
            }
        };
        (answer, wait)
    }

    /// Parameters first, then who asks, then the platform's mood, and the code last: a refusal leaves the code unused.
    fn judge(&self, query: &str, memory: &mut Memory) -> Result<Session, Errcode> {
        let appid = param(query, "appid").ok_or(Errcode::AppidMissing)?;
        let secret = param(query, "secret").ok_or(Errcode::SecretMissing)?;
        let code = param(query, "js_code").ok_or(Errcode::CodeMissing)?;
        let grant_type = param(query, "grant_type").ok_or(Errcode::GrantTypeInvalid)?;
        self.settle(&Ask { appid: &appid, secret: &secret, code: &code, grant_type: &grant_type }, memory)
    }

    fn settle(&self, ask: &Ask<'_>, memory: &mut Memory) -> Result<Session, Errcode> {
        if ask.grant_type != "authorization_code" {
            return Err(Errcode::GrantTypeInvalid);
        }
        let app = self.options.apps.iter().find(|app| app.id.as_str() == ask.appid).ok_or(Errcode::AppidInvalid)?;
        if app.secret.reveal() != ask.secret {
            return Err(Errcode::SecretInvalid);
        }
        if memory.dice.one_of_thousand() < self.options.failures_per_mille {
            return Err(Errcode::Busy);
        }
        let now = (self.options.clock)();
        memory.quota.take(self.options.quota_per_minute, now)?;
        match Code::read(ask.code)? {
            Code::Error(code) => Err(code),
            Code::Demo { name } => {
                memory.used.take(ask.appid, ask.code, now)?;
                Ok(Session::new(ask.appid, name, ask.code))
            }
        }
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    /// `{"exchanges":5,"ok":3,"errors":{"40029":1,"40163":1}}`
    fn stats(&self) -> String {
        let exchanges = self.ok + self.errors.values().sum::<u64>();
        let mut text = format!(r#"{{"exchanges":{exchanges},"ok":{},"errors":{{"#, self.ok);
        for (index, (code, count)) in self.errors.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let _ = write!(text, r#"{comma}"{}":{count}"#, code.number());
        }
        text.push_str("}}");
        text
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): enough for moods, and the same moods in every run.
#[derive(Default)]
struct Dice(u64);

impl Dice {
    const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn roll_wide(&mut self) -> u128 {
        u128::from(self.roll()) << 64 | u128::from(self.roll())
    }

    /// 0 to 999.
    fn one_of_thousand(&mut self) -> u16 {
        (self.roll() % 1000) as u16
    }

    fn up_to(&mut self, most: Duration) -> Duration {
        let steps = nanos(most).saturating_add(1);
        Duration::from_nanos(self.roll() % steps)
    }
}

#[cfg(test)]
mod tests;
