//! The answer that carries tokens: access and refresh token of one generation of a session.
//! Never here: an answer with tokens that a cache on the way may keep, or whose length tells of them.

use crate::actions::desk::Desk;
use crate::core::fault::Fault;
use crate::core::token::{Subject, access, refresh};
use crate::proto::json::write::{ENVELOPE_CLOSE, ENVELOPE_OPEN, write_integer};
use crate::proto::reply::{Body, Reply};

/// `{"token","expires_in","refresh_token","refresh_expires_in"}`, seconds.
///
/// # Errors
/// The signing key cannot sign.
pub fn token_pair(desk: &Desk, subject: Subject<'_>, generation: u64) -> Result<Reply, Fault> {
    let (keys, now) = (&desk.common.keys, desk.unix());
    let token = access::mint(keys, subject, now)?;
    let refresh_token = refresh::mint(keys, subject, generation, now)?;
    let mut body = Vec::with_capacity(token.len() + refresh_token.len() + 160);
    body.extend_from_slice(ENVELOPE_OPEN);
    // Tokens are base64url and dots: nothing to escape.
    body.extend_from_slice(br#"{"token":""#);
    body.extend_from_slice(token.as_bytes());
    body.extend_from_slice(br#"","expires_in":"#);
    write_integer(&mut body, keys.access_life().as_secs().cast_signed());
    body.extend_from_slice(br#","refresh_token":""#);
    body.extend_from_slice(refresh_token.as_bytes());
    body.extend_from_slice(br#"","refresh_expires_in":"#);
    write_integer(&mut body, keys.refresh_life().as_secs().cast_signed());
    body.push(b'}');
    body.extend_from_slice(ENVELOPE_CLOSE);
    Ok(Reply::json(Body::Owned(body)).with("cache-control", "no-store").uncompressed())
}
