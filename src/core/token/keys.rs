//! The keys of one configuration: signs tokens, and opens those that one of the keys signed (JWT, RFC 7519; HS256).
//! Never here: an algorithm or a key taken from the token; a byte decoded before its length is bounded; a clock.
//!
//! The head of a token only chooses among our keys. `jsonwebtoken::decode` is not used: it reads the system clock, and
//! its defaults (60 s leeway, `nbf` unchecked, no `kid` needed) are not ours. The signature itself is the library's.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::{self, aws_lc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, encode};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::core::bounds::TOKEN_BYTES_MAX;
use crate::core::config::checked::{TokenKey, TokenPolicy};
use crate::core::fault::Fault;
use crate::core::time::UnixSeconds;

/// Shared by all shards, replaced as a whole by a new configuration.
#[derive(Debug)]
pub struct KeyRing {
    /// Never empty. The first signs.
    keys: Vec<Key>,
    access_life: Duration,
    refresh_life: Duration,
    leeway: Duration,
}

/// The times a token claims, in seconds since 1970 (RFC 7519 §4.1.4–6).
#[derive(Clone, Copy, Debug)]
pub(super) struct Lifetime {
    pub(super) issued: u64,
    pub(super) not_before: Option<u64>,
    pub(super) expires: u64,
}

/// What the clock says about a token whose signature holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Validity {
    /// Accepted until the second before this one; the leeway is included.
    Until(UnixSeconds),
    Expired,
    /// Issued or valid only in a future that no clock difference explains.
    NotYet,
}

#[derive(Debug)]
struct Key {
    header: Header,
    signing: EncodingKey,
    verifying: DecodingKey,
}

/// The part of a JOSE header that is looked at. A `kid` with JSON escapes is none of ours and does not deserialize.
#[derive(Deserialize)]
struct Head<'a> {
    alg: &'a str,
    kid: &'a str,
    crit: Option<IgnoredAny>,
}

impl KeyRing {
    /// # Panics
    /// When the policy has no key; the configuration checker refuses that before.
    #[must_use]
    pub fn new(policy: &TokenPolicy) -> Self {
        assert!(!policy.keys.is_empty(), "a key ring needs a key that signs");
        // Left to itself the library chooses by crate features and panics at first use once a dependency enables a
        // second provider. Only the first call in a process installs; the later ones find the same provider.
        let _ = aws_lc::DEFAULT_PROVIDER.install_default();
        Self {
            keys: policy.keys.iter().map(Key::new).collect(),
            access_life: policy.access_life,
            refresh_life: policy.refresh_life,
            leeway: policy.leeway,
        }
    }

    #[must_use]
    pub const fn access_life(&self) -> Duration {
        self.access_life
    }

    #[must_use]
    pub const fn refresh_life(&self) -> Duration {
        self.refresh_life
    }

    /// From now on no access token can be accepted that was issued until now, even by a node whose clock is ahead:
    /// how long a revocation has to be remembered.
    #[must_use]
    pub fn last_access_end(&self, now: UnixSeconds) -> UnixSeconds {
        UnixSeconds(now.0.saturating_add(self.access_life.as_secs()).saturating_add(2 * self.leeway.as_secs()))
    }

    /// Signs with the first key. The one error, [`Fault::Internal`], would be a broken crypto library.
    pub(super) fn sign<C: Serialize>(&self, claims: &C) -> Result<String, Fault> {
        let key = self.keys.first().ok_or(Fault::Internal)?;
        encode(&key.header, claims, &key.signing).map_err(|_| Fault::Internal)
    }

    /// The JSON of the claims, if one of the keys signed it. `None` says nothing more, on purpose.
    pub(super) fn open(&self, text: &[u8]) -> Option<Vec<u8>> {
        if text.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let mut parts = text.split(|&byte| byte == b'.');
        let (head, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let key = self.choose(head)?;
        let message = text.get(..head.len() + 1 + claims.len())?;
        let signature = std::str::from_utf8(signature).ok()?;
        // The algorithm is ours, never the token's (RFC 8725 §3.1). The comparison is the library's constant-time one.
        let holds = crypto::verify(signature, message, &key.verifying, Algorithm::HS256).unwrap_or(false);
        if holds { URL_SAFE_NO_PAD.decode(claims).ok() } else { None }
    }

    pub(super) fn validity(&self, life: Lifetime, now: UnixSeconds) -> Validity {
        let leeway = self.leeway.as_secs();
        let latest = now.0.saturating_add(leeway);
        if life.issued > latest || life.not_before.is_some_and(|from| from > latest) {
            return Validity::NotYet;
        }
        // RFC 7519 §4.1.4: not accepted on or after `exp`.
        let end = UnixSeconds(life.expires.saturating_add(leeway));
        if now < end { Validity::Until(end) } else { Validity::Expired }
    }

    fn choose(&self, head: &[u8]) -> Option<&Key> {
        let json = URL_SAFE_NO_PAD.decode(head).ok()?;
        let head: Head<'_> = serde_json::from_slice(&json).ok()?;
        // RFC 7515 §4.1.11: an extension that must be understood and is not makes the token invalid. We have none.
        if head.alg != "HS256" || head.crit.is_some() {
            return None;
        }
        self.keys.iter().find(|key| key.header.kid.as_deref() == Some(head.kid))
    }
}

impl Key {
    fn new(key: &TokenKey) -> Self {
        let secret = key.secret.reveal().as_bytes();
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(key.kid.clone());
        Self { header, signing: EncodingKey::from_secret(secret), verifying: DecodingKey::from_secret(secret) }
    }
}
