//! Our own tokens: what they say, how they are signed, which of them are already known and which are no longer welcome.
//! Never here: a clock; a decision about what a caller may do; a token's text in an error or a log.

pub mod access;
mod claims;
pub mod keys;
pub mod memory;
pub mod refresh;
pub mod revoked;

use crate::core::ids::{AppId, OpenId, SessionId};

/// Whom a token speaks for.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub openid: &'a OpenId,
    pub appid: &'a AppId,
    pub session: SessionId,
}

#[cfg(test)]
mod tests;
