//! What our tokens say, in JSON: one set of claims for both kinds.
//! Never here: whether the time has come or gone; the text of a token that does not read.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::core::bounds::OPENID_BYTES_MAX;
use crate::core::fault::Fault;
use crate::core::ids::{AppId, OpenId, SessionId};
use crate::core::time::UnixSeconds;
use crate::core::token::Subject;
use crate::core::token::keys::{KeyRing, Lifetime};

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    Access,
    Refresh { generation: u64 },
}

/// The claims of a token that one of our keys signed.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) grant: Grant,
    pub(super) openid: OpenId,
    pub(super) appid: AppId,
    pub(super) session: SessionId,
    pub(super) life: Lifetime,
}

#[derive(Serialize, Deserialize)]
struct Claims<'a> {
    #[serde(borrow)]
    sub: Cow<'a, str>,
    #[serde(borrow)]
    app: Cow<'a, str>,
    #[serde(borrow)]
    sid: Cow<'a, str>,
    #[serde(rename = "gen", skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
    iat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<u64>,
    exp: u64,
    typ: Kind,
}

/// Keeps an access token from being taken as a refresh token and the reverse (RFC 8725 §2.8).
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Access,
    Refresh,
}

/// The text of a token that begins now.
pub(super) fn sign(keys: &KeyRing, subject: Subject<'_>, grant: Grant, now: UnixSeconds) -> Result<String, Fault> {
    let (typ, generation, life) = match grant {
        Grant::Access => (Kind::Access, None, keys.access_life()),
        Grant::Refresh { generation } => (Kind::Refresh, Some(generation), keys.refresh_life()),
    };
    keys.sign(&Claims {
        sub: subject.openid.as_str().into(),
        app: subject.appid.as_str().into(),
        sid: subject.session.to_hex().into(),
        generation,
        iat: now.0,
        nbf: None,
        exp: now.0.saturating_add(life.as_secs()),
        typ,
    })
}

/// The claims behind a signature that holds. `None` says nothing more, on purpose.
pub(super) fn read(keys: &KeyRing, text: &[u8]) -> Option<Signed> {
    let json = keys.open(text)?;
    let claims: Claims<'_> = serde_json::from_slice(&json).ok()?;
    let grant = match (claims.typ, claims.generation) {
        (Kind::Access, None) => Grant::Access,
        (Kind::Refresh, Some(generation)) => Grant::Refresh { generation },
        (Kind::Access, Some(_)) | (Kind::Refresh, None) => return None,
    };
    if !(1..=OPENID_BYTES_MAX).contains(&claims.sub.len()) {
        return None;
    }
    Some(Signed {
        grant,
        openid: OpenId::new(&claims.sub),
        appid: AppId::new(&claims.app),
        session: SessionId::from_hex(&claims.sid)?,
        life: Lifetime { issued: claims.iat, not_before: claims.nbf, expires: claims.exp },
    })
}
