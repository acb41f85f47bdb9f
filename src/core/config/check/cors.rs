//! [cors.NAME]: pages of which origins may call the routes that name it, and what they may send.
//! Never here: methods. Those are what the routes of a path have.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use toml::Value;

use crate::core::bounds;
use crate::core::config::error::Complaint;
use crate::core::config::section::{Section, name, span, text};
use crate::core::cors::{CorsPolicy, Credentials, Origin};

pub(super) const CORS: &[&str] = &["origins", "headers", "credentials", "max_age"];

/// Request headers that have a meaning here; a page may send those without being told.
const HEADERS: [&str; 4] = ["authorization", "content-type", "idempotency-key", "x-request-id"];
/// Until a browser asks again. Ten minutes spare nearly all questions, and a change arrives within a coffee break.
const MAX_AGE: Duration = Duration::from_mins(10);
/// No browser keeps it longer than a day.
const MAX_AGE_MAX: Duration = Duration::from_hours(24);

pub(super) fn policies(root: &Section<'_>) -> BTreeMap<String, Arc<CorsPolicy>> {
    let mut policies = BTreeMap::new();
    for (policy_name, place) in root.named_tables("cors") {
        if let Err(complaint) = name(policy_name) {
            root.report.add(&place.path, None, complaint);
        }
        let section = Section::open(place, CORS, root.report);
        policies.insert(policy_name.to_owned(), Arc::new(policy(&section)));
    }
    policies
}

fn policy(section: &Section<'_>) -> CorsPolicy {
    let origins = section.each("origins", bounds::CORS_ORIGINS_MAX, origin);
    let credentials = section.read_or("credentials", Credentials::Omit, |value| match value.as_bool() {
        Some(true) => Ok(Credentials::Include),
        Some(false) => Ok(Credentials::Omit),
        None => Err(Complaint::new("must be true or false", "whether pages may send cookies")),
    });
    if !section.report.knows(&section.at("origins")) {
        check_origins(section, &origins, credentials);
    }
    let headers = match section.get("headers") {
        None => HEADERS.map(str::to_owned).to_vec(),
        Some(_) => section.each("headers", bounds::CORS_HEADERS_MAX, header_name),
    };
    let max_age = section.read_or("max_age", MAX_AGE, |value| {
        span(value, &(Duration::ZERO..=MAX_AGE_MAX), "no browser keeps an answer longer")
    });
    CorsPolicy { origins, headers: headers.join(", "), credentials, max_age }
}

fn check_origins(section: &Section<'_>, origins: &[Origin], credentials: Credentials) {
    let any = origins.contains(&Origin::Any);
    if origins.is_empty() {
        let cure = "write origins = [\"https://h5.example.com\"]";
        section.complain("origins", Complaint::new("must name an origin", cure));
    } else if any && origins.len() > 1 {
        section.complain("origins", Complaint::new("must be \"*\" alone or origins", "\"*\" includes the others"));
    } else if any && credentials == Credentials::Include && !section.report.knows(&section.at("credentials")) {
        // Fetch standard, §3.2.5: no browser takes the two together.
        let cure = "name the origins: with credentials, any page could act for its visitor";
        section.complain("credentials", Complaint::new("must be false where origins is \"*\"", cure));
    }
}

/// As browsers write it in `Origin`, so that it can be compared byte by byte.
fn origin(value: &Value) -> Result<Origin, Complaint> {
    let form = |cure: &str| Complaint::new("must be SCHEME://HOST or SCHEME://HOST:PORT, or \"*\"", cure);
    let origin = text(value)?;
    if origin == "*" {
        return Ok(Origin::Any);
    }
    let (default_port, authority) = match (origin.strip_prefix("https://"), origin.strip_prefix("http://")) {
        (Some(authority), _) => (":443", authority),
        (_, Some(authority)) => (":80", authority),
        _ => return Err(form("such as \"https://h5.example.com\"")),
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let named = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_');
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let fits = bracketed.map_or_else(
        || !host.is_empty() && host.bytes().all(named),
        |address| address.parse::<std::net::Ipv6Addr>().is_ok_and(|parsed| parsed.to_string() == address),
    );
    if !fits {
        return Err(form("lower case, no path, no slash at the end"));
    }
    if let Some(port) = port {
        if !port.parse::<u16>().is_ok_and(|number| number.to_string() == port) {
            return Err(form("the port is a number below 65536"));
        }
        if default_port == format!(":{port}") {
            return Err(form("browsers leave out the port of the scheme"));
        }
    }
    Ok(Origin::Exact(origin.to_owned()))
}

fn header_name(value: &Value) -> Result<String, Complaint> {
    let header = text(value)?;
    let fits = (1..=64).contains(&header.len())
        && header.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
    if fits { Ok(header.to_owned()) } else { Err(Complaint::new("must be a header name in lower case", "")) }
}
