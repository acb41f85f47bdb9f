//! The door that sends clients on to https: every request is answered 308, which keeps method and body (RFC 9110 §15.4.9).
//! Never here: a way to a host that is not ours; a request that is served.

use std::fmt::Write;
use std::net::IpAddr;

use crate::actions::desk::Desk;
use crate::core::config::tls::Redirect;
use crate::core::fault::Fault;
use crate::proto::reply::{Body, Reply};
use crate::proto::request::{Request, header};

const HTTPS_PORT: u16 = 443;
const NO_HOST: Fault = Fault::Malformed("host is none of this server");

/// Where the request should have gone.
///
/// # Errors
/// The client names a host that is not ours: an answer that sends it there could be kept by a cache and given to others.
pub fn answer(desk: &Desk, request: &Request<'_>) -> Result<Reply, Fault> {
    let redirect = &desk.common.service.config.redirect;
    let ours = |host: &str| desk.common.tls.as_ref().is_none_or(|keeper| keeper.current().covers(host));
    let host = match &redirect.host {
        Some(host) => host.as_str(),
        None => asked_host(request).filter(|host| ours(host)).ok_or(NO_HOST)?,
    };
    let location = location(redirect, host, request);
    Ok(Reply { status: 308, ..Reply::json(Body::Empty) }.with("location", location))
}

/// The host that the client asked for, without its port. The protocol machine has looked at its characters.
fn asked_host<'a>(request: &Request<'a>) -> Option<&'a str> {
    let host = std::str::from_utf8(header(request.headers, "host")?).ok()?;
    if let Some(inside) = host.strip_prefix('[') {
        let (address, _) = inside.split_once(']')?;
        address.parse::<IpAddr>().ok()?;
        return host.get(..address.len() + 2);
    }
    Some(host.split_once(':').map_or(host, |(name, _)| name)).filter(|name| !name.is_empty())
}

fn location(redirect: &Redirect, host: &str, request: &Request<'_>) -> String {
    let mut location = String::with_capacity(host.len() + request.path.len() + request.query.len() + 16);
    location.push_str("https://");
    location.push_str(host);
    // Writing to a `String` cannot fail.
    if redirect.port != HTTPS_PORT {
        let _ = write!(location, ":{}", redirect.port);
    }
    // `OPTIONS *` is about the server as a whole.
    let path = if request.path == "*" { "/" } else { request.path };
    for byte in path.bytes() {
        // RFC 3986 §3.3: what may stand in a path as it is.
        let plain = byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte);
        let _ = if plain { write!(location, "{}", char::from(byte)) } else { write!(location, "%{byte:02X}") };
    }
    if !request.query.is_empty() {
        location.push('?');
        location.push_str(request.query);
    }
    location
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::method::Method;
    use crate::proto::request::Header;

    fn check(port: u16, path: &str, query: &str, expect: &str) {
        let redirect = Redirect { listen: None, host: None, port };
        let request = Request { method: Method::Get, path, query, headers: &[], body: &mut [] };
        assert_eq!(location(&redirect, "shop.example", &request), expect);
    }

    #[test]
    fn a_location_is_the_same_resource_at_the_other_door() {
        check(443, "/", "", "https://shop.example/");
        check(8443, "/a/b", "c=d&e=%2F", "https://shop.example:8443/a/b?c=d&e=%2F");
        check(443, "/商品 1%", "", "https://shop.example/%E5%95%86%E5%93%81%201%25");
        check(443, "//evil.example/", "", "https://shop.example//evil.example/");
        check(443, "*", "", "https://shop.example/");
    }

    #[test]
    fn a_host_is_taken_without_its_port() {
        let check = |value: &[u8], expect: Option<&str>| {
            let headers = [Header { name: "Host", value }];
            let request = Request { method: Method::Get, path: "/", query: "", headers: &headers, body: &mut [] };
            assert_eq!(asked_host(&request), expect);
        };
        check(b"shop.example", Some("shop.example"));
        check(b"shop.example:8080", Some("shop.example"));
        check(b"[::1]:8080", Some("[::1]"));
        check(b"[::1", None);
        check(b"[x:y]", None);
        check(b":8080", None);
        check(b"", None);
    }
}
