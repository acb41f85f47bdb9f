//! Access tokens: minted at login and refresh, verified by signature alone on every route that asks for a caller.
//! Never here: whether the session still exists; `core::token::revoked` and `core::session` know.

use crate::core::fault::Fault;
use crate::core::ids::{AppId, OpenId, SessionId};
use crate::core::time::UnixSeconds;
use crate::core::token::Subject;
use crate::core::token::claims::{self, Grant};
use crate::core::token::keys::{KeyRing, Validity};

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

/// A token that ends `access_life` after `now`.
///
/// # Errors
/// [`Fault::Internal`], which no input can cause.
pub fn mint(keys: &KeyRing, subject: Subject<'_>, now: UnixSeconds) -> Result<String, Fault> {
    claims::sign(keys, subject, Grant::Access, now)
}

/// Who presents `text`, the bytes behind `Bearer `.
///
/// # Errors
/// [`Fault::TokenExpired`] for an access token of ours that was valid once, [`Fault::TokenInvalid`] for all else.
pub fn verify(keys: &KeyRing, text: &[u8], now: UnixSeconds) -> Result<Caller, Fault> {
    let signed = claims::read(keys, text).ok_or(Fault::TokenInvalid)?;
    let Grant::Access = signed.grant else { return Err(Fault::TokenInvalid) };
    match keys.validity(signed.life, now) {
        Validity::Until(expires) => Ok(Caller {
            openid: signed.openid,
            appid: signed.appid,
            session: signed.session,
            issued: UnixSeconds(signed.life.issued),
            expires,
        }),
        Validity::Expired => Err(Fault::TokenExpired),
        Validity::NotYet => Err(Fault::TokenInvalid),
    }
}
