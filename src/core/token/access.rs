//! Access tokens: minted at login and refresh, verified by signature alone on every route that asks for a caller.
//! Never here: whether the session still exists; `core::token::revoked` and `core::session` know.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::core::bounds::OPENID_BYTES_MAX;
use crate::core::fault::Fault;
use crate::core::ids::{AppId, OpenId, SessionId};
use crate::core::time::UnixSeconds;
use crate::core::token::keys::{KeyRing, Lifetime, Validity};
use crate::core::token::{Kind, Subject};

/// Whoever presented a valid access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub openid: OpenId,
    pub appid: AppId,
    pub session: SessionId,
    pub issued: UnixSeconds,
    /// First second in which the token is refused; the leeway is included, so nobody adds it again.
    pub expires: UnixSeconds,
}

#[derive(Serialize, Deserialize)]
struct Claims<'a> {
    #[serde(borrow)]
    sub: Cow<'a, str>,
    #[serde(borrow)]
    app: Cow<'a, str>,
    #[serde(borrow)]
    sid: Cow<'a, str>,
    iat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<u64>,
    exp: u64,
    typ: Kind,
}

/// A token that ends `access_life` after `now`.
///
/// # Errors
/// [`Fault::Internal`], which no input can cause.
pub fn mint(keys: &KeyRing, subject: Subject<'_>, now: UnixSeconds) -> Result<String, Fault> {
    keys.sign(&Claims {
        sub: subject.openid.as_str().into(),
        app: subject.appid.as_str().into(),
        sid: subject.session.to_hex().into(),
        iat: now.0,
        nbf: None,
        exp: now.0.saturating_add(keys.access_life().as_secs()),
        typ: Kind::Access,
    })
}

/// Who presents `text`, the bytes behind `Bearer `.
///
/// # Errors
/// [`Fault::TokenExpired`] for a token that was ours and valid once, [`Fault::TokenInvalid`] for all else.
pub fn verify(keys: &KeyRing, text: &[u8], now: UnixSeconds) -> Result<Caller, Fault> {
    let json = keys.open(text).ok_or(Fault::TokenInvalid)?;
    let claims: Claims<'_> = serde_json::from_slice(&json).map_err(|_| Fault::TokenInvalid)?;
    let session = SessionId::from_hex(&claims.sid).ok_or(Fault::TokenInvalid)?;
    if claims.typ != Kind::Access || !(1..=OPENID_BYTES_MAX).contains(&claims.sub.len()) {
        return Err(Fault::TokenInvalid);
    }
    let life = Lifetime { issued: claims.iat, not_before: claims.nbf, expires: claims.exp };
    match keys.validity(life, now) {
        Validity::Until(expires) => Ok(Caller {
            openid: OpenId::new(&claims.sub),
            appid: AppId::new(&claims.app),
            session,
            issued: UnixSeconds(claims.iat),
            expires,
        }),
        Validity::Expired => Err(Fault::TokenExpired),
        Validity::NotYet => Err(Fault::TokenInvalid),
    }
}
