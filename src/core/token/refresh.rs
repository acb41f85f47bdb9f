//! Refresh tokens: exchanged for a new pair at one route only, each generation once.
//! Never here: which generation a session has reached; `core::session` knows.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::core::bounds::OPENID_BYTES_MAX;
use crate::core::fault::Fault;
use crate::core::ids::{AppId, OpenId, SessionId};
use crate::core::time::UnixSeconds;
use crate::core::token::keys::{KeyRing, Lifetime, Validity};
use crate::core::token::{Kind, Subject};

/// What a valid refresh token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshGrant {
    pub openid: OpenId,
    pub appid: AppId,
    pub session: SessionId,
    /// How often the session had been refreshed when this token was made.
    pub generation: u64,
}

#[derive(Serialize, Deserialize)]
struct Claims<'a> {
    #[serde(borrow)]
    sub: Cow<'a, str>,
    #[serde(borrow)]
    app: Cow<'a, str>,
    #[serde(borrow)]
    sid: Cow<'a, str>,
    #[serde(rename = "gen")]
    generation: u64,
    iat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<u64>,
    exp: u64,
    typ: Kind,
}

/// A token that ends `refresh_life` after `now`.
///
/// # Errors
/// [`Fault::Internal`], which no input can cause.
pub fn mint(keys: &KeyRing, subject: Subject<'_>, generation: u64, now: UnixSeconds) -> Result<String, Fault> {
    keys.sign(&Claims {
        sub: subject.openid.as_str().into(),
        app: subject.appid.as_str().into(),
        sid: subject.session.to_hex().into(),
        generation,
        iat: now.0,
        nbf: None,
        exp: now.0.saturating_add(keys.refresh_life().as_secs()),
        typ: Kind::Refresh,
    })
}

/// What the refresh token `text` grants, before its generation is compared.
///
/// # Errors
/// [`Fault::RefreshInvalid`] whatever is wrong: the client logs in again in every case.
pub fn verify(keys: &KeyRing, text: &[u8], now: UnixSeconds) -> Result<RefreshGrant, Fault> {
    let json = keys.open(text).ok_or(Fault::RefreshInvalid)?;
    let claims: Claims<'_> = serde_json::from_slice(&json).map_err(|_| Fault::RefreshInvalid)?;
    let session = SessionId::from_hex(&claims.sid).ok_or(Fault::RefreshInvalid)?;
    if claims.typ != Kind::Refresh || !(1..=OPENID_BYTES_MAX).contains(&claims.sub.len()) {
        return Err(Fault::RefreshInvalid);
    }
    let life = Lifetime { issued: claims.iat, not_before: claims.nbf, expires: claims.exp };
    match keys.validity(life, now) {
        Validity::Until(_) => Ok(RefreshGrant {
            openid: OpenId::new(&claims.sub),
            appid: AppId::new(&claims.app),
            session,
            generation: claims.generation,
        }),
        Validity::Expired | Validity::NotYet => Err(Fault::RefreshInvalid),
    }
}
