//! A request body as an action gets it: whole, and without its content coding.
//! Never here: a body that breaks, given on as if it were whole.

use crate::actions::desk::Desk;
use crate::core::coding::{Coding, CodingSet};
use crate::core::config::checked::Route;
use crate::core::fault::Fault;
use crate::proto::compress::{DecodeError, decode};
use crate::proto::request::{Header, Request};

/// The body decoded; `None` when it needs no decoding.
///
/// # Errors
/// A coding that the route does not accept, a body that is not whole, or one that becomes too long.
pub fn decoded(desk: &Desk, route: &Route, request: &Request<'_>) -> Result<Option<Vec<u8>>, Fault> {
    // No bytes have no coding.
    if request.body.is_empty() {
        return Ok(None);
    }
    let body = match coding(request.headers, route.request_codings) {
        Ok(None) => return Ok(None),
        Ok(Some(coding)) => undo(coding, request.body, route.body_bytes_max),
        Err(fault) => Err(fault),
    };
    let books = &desk.ledger.compression;
    if body.is_ok() {
        books.decoded.one()
    } else {
        books.refused.one()
    }
    body.map(Some)
}

/// The one coding of the body. Several (RFC 9110 §8.4) would be a bomb in a bomb, and nobody sends them.
fn coding(headers: &[Header<'_>], accepted: CodingSet) -> Result<Option<Coding>, Fault> {
    let lines = headers.iter().filter(|header| header.name.eq_ignore_ascii_case("content-encoding"));
    let members = lines.flat_map(|header| header.value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let mut codings = members.filter(|member| !member.is_empty() && !member.eq_ignore_ascii_case(b"identity"));
    match (codings.next(), codings.next()) {
        (None, _) => Ok(None),
        (Some(token), None) => match Coding::from_token(token).filter(|coding| accepted.has(*coding)) {
            Some(coding) => Ok(Some(coding)),
            None => Err(refusal(accepted)),
        },
        (Some(_), Some(_)) => Err(refusal(accepted)),
    }
}

fn refusal(accepted: CodingSet) -> Fault {
    let names: Vec<&str> = accepted.iter().map(Coding::name).collect();
    let accepted = if names.is_empty() { "identity".into() } else { names.join(", ").into() };
    Fault::ContentCoding { accepted }
}

fn undo(coding: Coding, body: &[u8], bytes_max: usize) -> Result<Vec<u8>, Fault> {
    decode(coding, body, bytes_max).map_err(|error| match error {
        DecodeError::Broken => Fault::BodyCoding { coding: coding.name() },
        DecodeError::TooLong { bytes_max } => Fault::BodyTooLarge { bytes_max },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_one_coding_that_the_route_accepts() {
        let accepted = CodingSet::NONE.with(Coding::Gzip).with(Coding::Br);
        let check = |lines: &[&str], expect: Result<Option<Coding>, &str>| {
            let headers: Vec<_> =
                lines.iter().map(|line| Header { name: "Content-Encoding", value: line.as_bytes() }).collect();
            let expect = expect.map_err(|accepted| Fault::ContentCoding { accepted: accepted.to_owned().into() });
            assert_eq!(coding(&headers, accepted), expect, "{lines:?}");
        };
        check(&[], Ok(None));
        check(&["identity"], Ok(None));
        check(&[""], Ok(None));
        check(&["gzip"], Ok(Some(Coding::Gzip)));
        check(&["X-GZip"], Ok(Some(Coding::Gzip)));
        check(&["identity, br"], Ok(Some(Coding::Br)));
        check(&["zstd"], Err("br, gzip"));
        check(&["deflate"], Err("br, gzip"));
        check(&["gzip, gzip"], Err("br, gzip"));
        check(&["gzip", "br"], Err("br, gzip"));
        check(&["gzip;q=1"], Err("br, gzip"));
        assert_eq!(refusal(CodingSet::NONE), Fault::ContentCoding { accepted: "identity".into() });
    }
}
