//! [[route]]: path, method, who may call, how often, and which action; and that the action can get its parameters here.
//! Never here: what an action's own options mean, except the names of queries and transactions.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Value;

use crate::core::admission::Priority;
use crate::core::bounds;
use crate::core::config::checked::{
    ActionSpec, Auth, Idempotency, Param, Query, Rate, Route, Server, Source, Transaction,
};
use crate::core::config::error::Complaint;
use crate::core::config::section::{Section, size, suggestion, text};
use crate::core::config::tls::ClientCertificates;
use crate::core::config::units;
use crate::core::cors::CorsPolicy;
use crate::core::method::Method;
use crate::core::routes::{ConflictReason, Router, pattern_params};

use super::compression::{check_decoding, codings};

pub(super) const ROUTE: &[&str] = &[
    "path",
    "method",
    "auth",
    "client_certificate",
    "limit",
    "body_bytes_max",
    "request_encoding",
    "cors",
    "priority",
    "action",
];

/// What routes refer to.
pub(super) struct Targets<'a> {
    pub(super) server: &'a Server,
    /// Of routes with a token that state no limit of their own.
    pub(super) openid_limit: Option<Rate>,
    pub(super) queries: &'a BTreeMap<String, Arc<Query>>,
    pub(super) transactions: &'a BTreeMap<String, Arc<Transaction>>,
    pub(super) cors: &'a BTreeMap<String, Arc<CorsPolicy>>,
}

pub(super) fn routes(root: &Section<'_>, targets: &Targets<'_>) -> Vec<Arc<Route>> {
    let mut routes = Vec::new();
    for place in root.tables("route", bounds::ROUTES_MAX) {
        let section = Section::open(place, ROUTE, root.report);
        let route = route(&section, targets);
        check_target(&section, &route, targets);
        routes.push(Arc::new(route));
    }
    if root.get("route").is_none() {
        let cure = "write [[route]] with path, method, auth and action";
        root.report.add("route", None, Complaint::new("must be given at least once", cure));
    }
    check_conflicts(root, &routes);
    routes
}

fn route(section: &Section<'_>, targets: &Targets<'_>) -> Route {
    let auth = section.read("auth", Auth::None, |value| match text(value)? {
        "none" => Ok(Auth::None),
        "token" => Ok(Auth::Token),
        _ => Err(Complaint::new("must be \"none\" or \"token\"", "who may call this route")),
    });
    let (openid_limits, ip_limits) = limits(section, auth, targets.openid_limit);
    let range = 0..=bounds::BODY_BYTES_CEILING;
    let body_bytes_max = section.read_or("body_bytes_max", targets.server.body_bytes_max, |value| {
        size(value, &range, "a body is held in memory whole")
    });
    let request_codings = codings(section, "request_encoding");
    if !request_codings.is_empty() {
        check_decoding(section, body_bytes_max);
    }
    Route {
        path: section.text("path").unwrap_or_default().to_owned(),
        methods: section.read("method", Vec::new(), methods),
        auth,
        openid_limits,
        ip_limits,
        client_certificate: section.read_or("client_certificate", ClientCertificates::Off, |value| {
            match text(value)? {
                "off" => Ok(ClientCertificates::Off),
                "required" => Ok(ClientCertificates::Required),
                _ => Err(Complaint::new("must be \"off\" or \"required\"", "")),
            }
        }),
        body_bytes_max,
        request_codings,
        cors: section.read_or("cors", None, |value| {
            let name = text(value)?;
            let cure = || suggestion(name, targets.cors.keys().map(String::as_str));
            let policy =
                targets.cors.get(name).ok_or_else(|| Complaint::new("must name a declared [cors.NAME]", cure()))?;
            Ok(Some(policy.clone()))
        }),
        priority: section.read_or("priority", Priority::default(), |value| {
            let named = Priority::ALL.into_iter().find(|priority| value.as_str() == Some(priority.name()));
            let need = "must be \"core\", \"normal\" or \"secondary\"";
            named.ok_or_else(|| Complaint::new(need, "what is refused first when not all can be served: secondary"))
        }),
        action: section.read("action", ActionSpec { kind: String::new(), value: Value::Boolean(false) }, action),
    }
}

fn methods(value: &Value) -> Result<Vec<Method>, Complaint> {
    let known = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let form = || Complaint::new(format!("must be one or a list of {}", known.join(", ")), "GET answers HEAD as well");
    let one = |value: &Value| {
        let name = value.as_str().filter(|name| known.contains(name));
        name.and_then(Method::from_token).ok_or_else(form)
    };
    let methods = match value {
        Value::Array(items) => items.iter().map(one).collect::<Result<Vec<Method>, Complaint>>()?,
        single => vec![one(single)?],
    };
    if methods.is_empty() { Err(form()) } else { Ok(methods) }
}

/// A route with a token that says nothing about limits has the default one; `limit = []` asks for none.
fn limits(section: &Section<'_>, auth: Auth, openid_limit: Option<Rate>) -> (Vec<Rate>, Vec<Rate>) {
    if section.get("limit").is_none() {
        let default = openid_limit.filter(|_| auth == Auth::Token);
        return (default.into_iter().collect(), Vec::new());
    }
    let (mut openid, mut ip) = (Vec::new(), Vec::new());
    section.each("limit", 2 * bounds::LIMITS_PER_ROUTE_MAX, |value| {
        let form = || Complaint::new("must be \"openid RATE\" or \"ip RATE\"", "such as \"openid 60/min burst 20\"");
        let (subject, rate) = text(value)?.split_once(' ').ok_or_else(form)?;
        let limits = match subject {
            "openid" if auth == Auth::Token => &mut openid,
            "openid" => return Err(Complaint::new("must not limit by openid here", "only auth = \"token\" knows one")),
            "ip" => &mut ip,
            _ => return Err(form()),
        };
        if limits.len() == bounds::LIMITS_PER_ROUTE_MAX {
            let need = format!("must be one of at most {} by {subject}", bounds::LIMITS_PER_ROUTE_MAX);
            return Err(Complaint::new(need, "each is a probe per request"));
        }
        limits.push(units::rate(rate)?);
        Ok(())
    });
    (openid, ip)
}

fn action(value: &Value) -> Result<ActionSpec, Complaint> {
    let form = || Complaint::new("must be a table with one key, the kind of action", "such as { query = \"product\" }");
    let table = value.as_table().filter(|table| table.len() == 1).ok_or_else(form)?;
    let (kind, value) = table.iter().next().ok_or_else(form)?;
    Ok(ActionSpec { kind: kind.clone(), value: value.clone() })
}

/// Checks what the action names, and that this route can give it its parameters.
fn check_target(section: &Section<'_>, route: &Route, targets: &Targets<'_>) {
    let value = &route.action.value;
    match route.action.kind.as_str() {
        "query" => {
            if let Some(query) = target(section, "action.query", value, targets.queries) {
                check_params(section, route, &query.params);
            }
        }
        "transaction" => {
            if let Some(transaction) = target(section, "action.transaction", value, targets.transactions) {
                check_params(section, route, &transaction.params);
                check_write(section, route, transaction);
            }
        }
        "login" => {
            let Some(value) = value.get("on_login") else { return };
            if let Some(transaction) = target(section, "action.login.on_login", value, targets.transactions) {
                check_on_login(section, value, transaction);
            }
        }
        _ => {}
    }
}

fn target<'t, T>(
    section: &Section<'_>,
    key: &str,
    value: &Value,
    known: &'t BTreeMap<String, Arc<T>>,
) -> Option<&'t T> {
    let path = section.at(key);
    if section.report.knows(&path) {
        return None;
    }
    let found = text(value).and_then(|name| {
        let unknown = || Complaint::new("must name a declared one", suggestion(name, known.keys().map(String::as_str)));
        known.get(name).ok_or_else(unknown)
    });
    found.map_err(|complaint| section.report.add(path, Some(value), complaint)).ok().map(Arc::as_ref)
}

fn check_params(section: &Section<'_>, route: &Route, params: &[Param]) {
    let mut misfits: Vec<(&str, Complaint)> = params.iter().filter_map(|param| misfit(route, param)).collect();
    if misfits.iter().all(|(key, _)| *key != "path") {
        misfits.extend(unused_part(route, params));
    }
    // Decided before the first complaint, so that two misfits of one key are both told.
    misfits.retain(|(key, _)| !section.report.knows(&section.at(key)));
    for (key, complaint) in misfits {
        section.complain(key, complaint);
    }
}

/// The key of the route that keeps `param` from having a value.
fn misfit(route: &Route, param: &Param) -> Option<(&'static str, Complaint)> {
    let name = &param.name;
    let (key, need, from) = match &param.source {
        Source::Path(there) if !pattern_params(&route.path).any(|part| part == there) => {
            ("path", format!("must contain {{{there}}}"), "it")
        }
        Source::Body(_) if !route.methods.iter().all(|method| method.has_body()) => {
            ("method", "must be POST, PUT or PATCH".to_owned(), "the body")
        }
        Source::TokenOpenId | Source::TokenAppId if route.auth != Auth::Token => {
            ("auth", "must be \"token\"".to_owned(), "the token")
        }
        Source::Path(_) | Source::Query(_) | Source::Body(_) | Source::TokenOpenId | Source::TokenAppId => return None,
    };
    Some((key, Complaint::new(need, format!("parameter {name} comes from {from}"))))
}

fn unused_part(route: &Route, params: &[Param]) -> Option<(&'static str, Complaint)> {
    let used = |part: &str| params.iter().any(|param| matches!(&param.source, Source::Path(there) if there == part));
    let part = pattern_params(&route.path).find(|part| !used(part))?;
    let need = format!("must not contain {{{part}}}, which the action does not use");
    Some(("path", Complaint::new(need, "else every value of it gives the same answer")))
}

fn check_write(section: &Section<'_>, route: &Route, transaction: &Transaction) {
    if route.methods.iter().any(|method| method.is_safe()) && !section.report.knows(&section.at("method")) {
        section.complain(
            "method",
            Complaint::new("must be POST, PUT, PATCH or DELETE", "caches and prefetchers repeat a GET"),
        );
    }
    let keyed = transaction.idempotency != Idempotency::Off;
    if keyed && route.auth != Auth::Token && !section.report.knows(&section.at("auth")) {
        let cure = format!("idempotency keys of {} are kept per user", transaction.name);
        section.complain("auth", Complaint::new("must be \"token\"", cure));
    }
}

/// At login there is no body and no path of the transaction's own: only who logged in.
fn check_on_login(section: &Section<'_>, value: &Value, transaction: &Transaction) {
    let foreign = transaction.params.iter().find(|p| !matches!(p.source, Source::TokenOpenId | Source::TokenAppId));
    if let Some(param) = foreign {
        let need = "must name a transaction whose parameters all come from the token";
        let cure = format!("{} has another source", param.name);
        section.report.add(section.at("action.login.on_login"), Some(value), Complaint::new(need, cure));
    }
}

fn check_conflicts(root: &Section<'_>, routes: &[Arc<Route>]) {
    let Err(conflicts) = Router::build(routes) else { return };
    for conflict in conflicts {
        let path = format!("route[{}].path", conflict.route.0);
        if root.report.knows(&path) {
            continue;
        }
        let route = routes.get(usize::from(conflict.route.0)).map(|route| Value::String(route.path.clone()));
        let cure = match conflict.why {
            ConflictReason::Duplicate { .. } => "drop one of them, or give them different methods",
            ConflictReason::Ambiguous { .. } => "give parameters at the same place the same name",
            ConflictReason::Pattern(_) => "such as /api/v1/products/{id} or /files/{*rest}",
        };
        root.report.add(path, route.as_ref(), Complaint::new(conflict.why.to_string(), cure));
    }
}
