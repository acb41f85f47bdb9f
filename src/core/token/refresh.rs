//! Refresh tokens: exchanged for a new pair at one route only, each generation once.
//! Never here: which generation a session has reached; `core::session` knows.

use crate::core::fault::Fault;
use crate::core::ids::{AppId, OpenId, SessionId};
use crate::core::time::UnixSeconds;
use crate::core::token::Subject;
use crate::core::token::claims::{self, Grant};
use crate::core::token::keys::{KeyRing, Validity};

/// What a valid refresh token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshGrant {
    pub openid: OpenId,
    pub appid: AppId,
    pub session: SessionId,
    /// How often the session had been refreshed when this token was made.
    pub generation: u64,
}

/// A token that ends `refresh_life` after `now`.
///
/// # Errors
/// [`Fault::Internal`], which no input can cause.
pub fn mint(keys: &KeyRing, subject: Subject<'_>, generation: u64, now: UnixSeconds) -> Result<String, Fault> {
    claims::sign(keys, subject, Grant::Refresh { generation }, now)
}

/// What the refresh token `text` grants, before its generation is compared.
///
/// # Errors
/// [`Fault::RefreshInvalid`] whatever is wrong: the client logs in again in every case.
pub fn verify(keys: &KeyRing, text: &[u8], now: UnixSeconds) -> Result<RefreshGrant, Fault> {
    let signed = claims::read(keys, text).ok_or(Fault::RefreshInvalid)?;
    let Grant::Refresh { generation } = signed.grant else { return Err(Fault::RefreshInvalid) };
    match keys.validity(signed.life, now) {
        Validity::Until(_) => {
            Ok(RefreshGrant { openid: signed.openid, appid: signed.appid, session: signed.session, generation })
        }
        Validity::Expired | Validity::NotYet => Err(Fault::RefreshInvalid),
    }
}
