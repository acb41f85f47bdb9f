//! A checked configuration made ready to serve: the router, and each route's rules and action.
//! Never here: state that changes.

use std::sync::Arc;

use crate::actions::{Action, Registry};
use crate::core::admission::Priority;
use crate::core::config::ConfigError;
use crate::core::config::checked::{Auth, Config, Rate, Route};
use crate::core::config::tls::ClientCertificates;
use crate::core::ids::RouteId;
use crate::core::limit::{Gcra, Rule, RuleId};
use crate::core::routes::Router;

pub struct Service {
    pub config: Arc<Config>,
    pub router: Router,
    /// Limits by address for every request, before its route is known.
    pub ip_rules: Vec<Rule>,
    /// Index = `RouteId`.
    pub routes: Vec<ServedRoute>,
}

pub struct ServedRoute {
    pub priority: Priority,
    pub auth: Auth,
    pub client_certificate: ClientCertificates,
    pub openid_rules: Vec<Rule>,
    pub ip_rules: Vec<Rule>,
    pub action: Box<dyn Action>,
}

impl Service {
    /// # Errors
    /// Every route whose action is unknown or does not take the value it is given.
    pub fn build(config: Arc<Config>, registry: &Registry) -> Result<Self, Vec<ConfigError>> {
        let mut errors = Vec::new();
        let mut routes = Vec::new();
        for (index, route) in config.routes.iter().enumerate() {
            match action(route, registry, &config) {
                Ok(action) => routes.push(serve(RouteId(index as u16), route, action)),
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let router = Router::build(&config.routes).map_err(|_| {
            vec![complaint(
                "route",
                None,
                "the routes contradict each other",
                "give every route its own path and methods",
            )]
        })?;
        let ip_rules = config.limiter.ip.iter().map(|rate| Rule { id: RuleId::node_wide(0), gcra: Gcra::new(rate) });
        Ok(Self { ip_rules: ip_rules.collect(), router, routes, config })
    }
}

fn action(route: &Route, registry: &Registry, config: &Config) -> Result<Box<dyn Action>, ConfigError> {
    let spec = &route.action;
    let key = format!("route {} action.{}", route.path, spec.kind);
    let Some(build) = registry.find(&spec.kind) else {
        return Err(complaint(&key, Some(&spec.kind), "no such action", &format!("use one of {}", registry.names())));
    };
    build(&spec.value, config).map_err(|need| complaint(&key, Some(&spec.value.to_string()), &need, ""))
}

fn complaint(key: &str, value: Option<&str>, need: &str, cure: &str) -> ConfigError {
    ConfigError { key: key.into(), value: value.map(Into::into), need: need.into(), cure: cure.into() }
}

fn serve(id: RouteId, route: &Route, action: Box<dyn Action>) -> ServedRoute {
    let rules = |rates: &[Rate], offset: u8| {
        let numbered = rates.iter().zip(offset..);
        numbered.map(|(rate, position)| Rule { id: RuleId::of_route(id, position), gcra: Gcra::new(rate) }).collect()
    };
    ServedRoute {
        priority: route.priority,
        auth: route.auth,
        client_certificate: route.client_certificate,
        openid_rules: rules(&route.openid_limits, 0),
        ip_rules: rules(&route.ip_limits, 128),
        action,
    }
}
