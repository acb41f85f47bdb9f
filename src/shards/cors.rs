//! What pages of other origins may do (Fetch standard, §3.2): answers to their preflights, and the headers by which a
//! browser lets a page read an answer.
//! Never here: a cost for requests to routes without a policy.

use std::sync::Arc;

use crate::actions::service::Service;
use crate::core::cors::{CorsPolicy, Credentials, Origin};
use crate::core::ids::RouteId;
use crate::core::method::Method;
use crate::core::routes::Found;
use crate::proto::reply::{Body, Reply};
use crate::proto::request::{Request, header};

use super::pipeline::Tag;

/// Headers of our answers that a page may read beside those that every page may.
const EXPOSED: &str = "etag, ratelimit-limit, ratelimit-remaining, ratelimit-reset, retry-after, x-request-id";

/// Index of the request's origin in the policy of its route, if that admits it.
pub fn admitted(service: &Service, route: RouteId, request: &Request<'_>) -> Option<u16> {
    policy(service, route)?.admits(header(request.headers, "origin")?)
}

/// The answer to a preflight of a path that has a policy. It comes before every guard: a preflight carries no token.
pub fn preflight(service: &Service, request: &Request<'_>) -> Option<Reply> {
    let origin = header(request.headers, "origin")?;
    let wanted = header(request.headers, "access-control-request-method")?;
    let method = std::str::from_utf8(wanted).ok().and_then(Method::from_token)?;
    let Found::Route { route, .. } = service.router.find(method, request.path) else { return None };
    let policy = route.cors.as_ref()?;
    let mut reply = Reply::new(204, Body::Empty);
    reply.vary("origin, access-control-request-method, access-control-request-headers");
    // An origin that may not is told nothing; the browser then refuses the page.
    let Some(index) = policy.admits(origin) else { return Some(reply) };
    reply = allow(reply, policy, index)
        .with("access-control-allow-methods", methods(service, request.path, policy))
        .with("access-control-max-age", policy.max_age.as_secs().to_string());
    if !policy.headers.is_empty() {
        reply = reply.with("access-control-allow-headers", policy.headers.clone());
    }
    Some(reply)
}

/// Adds to an answer what its route's policy says, be it a success or a fault: a page must be able to read a 401.
pub fn mark(service: &Service, tag: &Tag, mut reply: Reply) -> Reply {
    let Some(policy) = tag.route.and_then(|route| policy(service, route)) else { return reply };
    // Also on answers to requests without an origin: a cache must not hand those to a page.
    if policy.origins.first() != Some(&Origin::Any) {
        reply.vary("origin");
    }
    match tag.origin {
        Some(index) => allow(reply, policy, index).with("access-control-expose-headers", EXPOSED),
        None => reply,
    }
}

fn policy(service: &Service, route: RouteId) -> Option<&Arc<CorsPolicy>> {
    service.router.routes().get(usize::from(route.0))?.cors.as_ref()
}

fn allow(reply: Reply, policy: &CorsPolicy, index: u16) -> Reply {
    let origin = policy.origins.get(usize::from(index)).map_or("", Origin::as_str);
    let reply = reply.with("access-control-allow-origin", origin.to_owned());
    match policy.credentials {
        Credentials::Include => reply.with("access-control-allow-credentials", "true"),
        Credentials::Omit => reply,
    }
}

/// Methods of this path whose routes have the same policy.
fn methods(service: &Service, path: &str, policy: &Arc<CorsPolicy>) -> String {
    let fits = |method: &Method| match service.router.find(*method, path) {
        Found::Route { route, .. } => route.cors.as_ref().is_some_and(|cors| Arc::ptr_eq(cors, policy)),
        Found::WrongMethod { .. } | Found::Options { .. } | Found::Unknown => false,
    };
    Method::ALL.into_iter().filter(fits).map(Method::as_str).collect::<Vec<_>>().join(", ")
}
