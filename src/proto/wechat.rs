//! WeChat's `jscode2session`: the request as text, its answer as types, its error codes as faults.
//! Never here: sockets; a secret, code or session key inside an error.
//!
//! Source: developers.weixin.qq.com/miniprogram/dev/server/API/user-login/api_code2session

use std::fmt::Write;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::core::bounds;
use crate::core::config::checked::Secret;
use crate::core::fault::{Backend, Fault};
use crate::core::ids::{AppId, OpenId};
use crate::proto::json::parse::{Object, Scalar, Scratch};

/// What a login code was exchanged for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchanged {
    pub openid: OpenId,
    /// Base64 of 16 bytes, as WeChat wrote it: this text is the HMAC key of WeChat's user signatures.
    pub session_key: Secret,
    /// Only of a mini-program bound to an Open Platform account.
    pub unionid: Option<OpenId>,
}

/// An exchange that failed, with what the log needs beside the fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub fault: Fault,
    /// WeChat's `errcode`, or the HTTP status of an answer that has none.
    pub code: i64,
    /// WeChat's identity of the request; it can be queried for 7 days.
    pub rid: Option<Box<str>>,
}

/// Path and query of the exchange of one login code. The result holds the secret: never print it.
#[must_use]
pub fn exchange_path(app: &AppId, secret: &Secret, code: &str) -> String {
    let mut path = String::with_capacity(192);
    path.push_str("/sns/jscode2session?appid=");
    push_encoded(&mut path, app.as_str());
    path.push_str("&secret=");
    push_encoded(&mut path, secret.reveal());
    path.push_str("&js_code=");
    push_encoded(&mut path, code);
    path.push_str("&grant_type=authorization_code");
    path
}

/// Reads the answer to an exchange. WeChat sends 200 with JSON for errors too; a missing `errcode` means 0.
///
/// # Errors
/// The refusal of WeChat, or [`Fault::BackendRefused`] with the HTTP status when the answer is not what is documented.
pub fn read_exchange(status: u16, body: &mut [u8], scratch: &mut Scratch) -> Result<Exchanged, Refusal> {
    if (500..600).contains(&status) {
        return Err(Refusal { fault: Fault::Busy(Backend::Wechat), code: status.into(), rid: None });
    }
    let unreadable = || Refusal::plain(refused(status.into()), status.into());
    let answer = scratch.parse(body).map_err(|_| unreadable())?;
    match answer.get("errcode") {
        None | Some(Scalar::Integer(0)) => {}
        Some(Scalar::Integer(code)) => {
            return Err(Refusal { fault: fault_of(code), code, rid: rid(&answer) });
        }
        Some(_) => return Err(unreadable()),
    }
    if status != 200 {
        return Err(unreadable());
    }
    exchanged(&answer).ok_or_else(unreadable)
}

/// What an `errcode` of the login means for the client.
#[must_use]
pub fn fault_of(code: i64) -> Fault {
    match code {
        -1 => Fault::Busy(Backend::Wechat),
        // 40163 (used), 61010 (expired) and 41008 (missing) are not in WeChat's table but are really returned.
        40029 | 40163 | 61010 | 41008 => Fault::LoginCodeInvalid,
        40226 => Fault::UserBlocked,
        45011 => Fault::WechatQuota { wait: Duration::from_secs(60) },
        45009 => Fault::WechatQuota { wait: Duration::from_secs(3600) },
        _ => refused(code),
    }
}

/// What the operator has to do about an `errcode`, for the log.
#[must_use]
pub const fn advice(code: i64) -> &'static str {
    match code {
        -1 => "WeChat is busy: nothing to do unless it lasts",
        40029 | 40163 | 61010 | 41008 => "the client must call wx.login again; many of these mean codes sent twice",
        40226 => "WeChat blocks this user as high risk: nothing to do here",
        45011 => "one user logs in too often: let the client keep its token instead of calling wx.login",
        45009 => "the quota of this appid is used up: raise or clear it in the mini-program's console",
        40013 | 41002 => "wrong or missing appid: compare app.appid with the mini-program's console",
        40125 | 41004 => "wrong or missing secret: compare app.secret with the mini-program's console",
        40243 => "the AppSecret is frozen: unfreeze it in the mini-program's console",
        40164 | 61004 => "this node's egress address is not on the appid's IP whitelist: add it in the console",
        89503 | 89506 | 89507 => "this node's egress address waits for an administrator's confirmation in WeChat",
        48001 => "the appid is not authorised for this interface: look at its permissions in the console",
        200..=599 => "not an answer of jscode2session: look at wechat.base_url and at proxies on the way",
        _ => "unknown code: look it up in WeChat's documentation with the rid",
    }
}

impl Refusal {
    /// A refusal of ours or of the way to WeChat, not of WeChat itself.
    #[must_use]
    pub const fn plain(fault: Fault, code: i64) -> Self {
        Self { fault, code, rid: None }
    }
}

/// RFC 3986 §2.3: everything but unreserved characters is escaped, so that a code cannot add parameters.
fn push_encoded(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

const fn refused(code: i64) -> Fault {
    Fault::BackendRefused { backend: Backend::Wechat, code }
}

/// `errmsg` ends with `rid: 8hex-8hex-8hex`; anything else after `rid:` does not reach the log.
fn rid(answer: &Object<'_>) -> Option<Box<str>> {
    let Some(Scalar::Text(message)) = answer.get("errmsg") else {
        return None;
    };
    let (_, rid) = message.rsplit_once("rid:")?;
    let rid = rid.trim();
    let well_formed = (1..=40).contains(&rid.len()) && rid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    well_formed.then(|| rid.into())
}

fn exchanged(answer: &Object<'_>) -> Option<Exchanged> {
    let (Some(Scalar::Text(openid)), Some(Scalar::Text(session_key))) =
        (answer.get("openid"), answer.get("session_key"))
    else {
        return None;
    };
    let unionid = match answer.get("unionid") {
        None | Some(Scalar::Null | Scalar::Text("")) => None,
        Some(Scalar::Text(unionid)) => Some(identity(unionid)?),
        Some(_) => return None,
    };
    Some(Exchanged { openid: identity(openid)?, session_key: key_of_16_bytes(session_key)?, unionid })
}

fn identity(text: &str) -> Option<OpenId> {
    let well_formed = (1..=bounds::OPENID_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    well_formed.then(|| OpenId::new(text))
}

fn key_of_16_bytes(text: &str) -> Option<Secret> {
    // `decode_slice` wants room for its estimate: 24 characters are estimated as 18 bytes.
    let mut key = [0; 18];
    let length = STANDARD.decode_slice(text, &mut key).ok()?;
    (length == 16).then(|| Secret::new(text))
}

#[cfg(test)]
mod tests;
