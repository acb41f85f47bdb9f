//! Which route a method and a path lead to: one radix tree of path patterns, at each leaf a table from method to route.
//! Never here: guards, actions, or an allocation while looking up.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::core::bounds;
use crate::core::config::checked::Route;
use crate::core::ids::RouteId;
use crate::core::method::Method;

/// All routes of one configuration.
#[derive(Debug)]
pub struct Router {
    routes: Vec<Arc<Route>>,
    tree: matchit::Router<Leaf>,
}

/// What a lookup says.
#[derive(Debug)]
pub enum Found<'r, 'p> {
    Route {
        id: RouteId,
        route: &'r Arc<Route>,
        params: PathParams<'r, 'p>,
    },
    /// The path exists, the method does not. `allow` is the value of the `Allow` header (RFC 9110 §10.2.1).
    WrongMethod {
        allow: &'r str,
    },
    /// OPTIONS of a path, or of `*`, without a route of its own (RFC 9110 §9.3.7).
    Options {
        allow: &'r str,
    },
    Unknown,
}

/// The parts of a path that stand where the pattern has braces.
#[derive(Debug)]
pub struct PathParams<'r, 'p>(matchit::Params<'r, 'p>);

/// A route that cannot stand beside the others, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteConflict {
    pub route: RouteId,
    pub why: ConflictReason,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConflictReason {
    /// Another route has the same path and this method.
    Duplicate { with: RouteId, method: Method },
    /// Some paths would match this pattern and another one, and neither is more exact.
    Ambiguous { with: String },
    /// Not a pattern.
    Pattern(&'static str),
}

#[derive(Debug)]
struct Leaf {
    by_method: [Option<RouteId>; Method::ALL.len()],
    allow: String,
}

impl Router {
    /// Routes keep their order: the index is the `RouteId`.
    ///
    /// # Errors
    /// Every route that duplicates or contradicts an earlier one, or whose path is not a pattern.
    pub fn build(routes: &[Arc<Route>]) -> Result<Self, Vec<RouteConflict>> {
        assert!(routes.len() <= bounds::ROUTES_MAX, "the checker bounds the number of routes");
        let mut conflicts = Vec::new();
        let mut leaves: BTreeMap<&str, Leaf> = BTreeMap::new();
        let mut firsts: Vec<(RouteId, &str)> = Vec::new();
        for (index, route) in routes.iter().enumerate() {
            let id = RouteId(index as u16);
            let leaf = leaves.entry(&route.path).or_insert_with(|| {
                firsts.push((id, &route.path));
                Leaf::empty()
            });
            conflicts.extend(leaf.add(id, &route.methods));
        }
        let mut tree = matchit::Router::new();
        for (route, path) in firsts {
            let Some(leaf) = leaves.remove(path) else { continue };
            if let Err(error) = pattern_check(path).and_then(|()| tree.insert(path, leaf.sealed()).map_err(reason)) {
                conflicts.push(RouteConflict { route, why: error });
            }
        }
        if conflicts.is_empty() { Ok(Self { routes: routes.to_vec(), tree }) } else { Err(conflicts) }
    }

    /// `path` is decoded and starts with `/`. Static text wins over a parameter, a parameter over a wildcard.
    #[must_use]
    pub fn find<'r, 'p>(&'r self, method: Method, path: &'p str) -> Found<'r, 'p> {
        if method == Method::Options && path == "*" {
            return Found::Options { allow: Method::ALLOW_ALL };
        }
        let Ok(matched) = self.tree.at(path) else { return Found::Unknown };
        let leaf = matched.value;
        let id = leaf.by_method[method as usize];
        match id.and_then(|id| Some((id, self.routes.get(usize::from(id.0))?))) {
            Some((id, route)) => Found::Route { id, route, params: PathParams(matched.params) },
            None if method == Method::Options => Found::Options { allow: &leaf.allow },
            None => Found::WrongMethod { allow: &leaf.allow },
        }
    }

    /// Index = `RouteId`.
    #[must_use]
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }
}

impl<'p> PathParams<'_, 'p> {
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'p str> {
        self.0.get(name)
    }
}

/// Names of the parameters of a pattern in their order, without braces and star.
pub fn pattern_params(pattern: &str) -> impl Iterator<Item = &str> {
    pattern.split('/').filter_map(|segment| {
        let (_, rest) = segment.split_once('{')?;
        let (name, _) = rest.split_once('}')?;
        Some(name.strip_prefix('*').unwrap_or(name))
    })
}

impl Leaf {
    const fn empty() -> Self {
        Self { by_method: [None; Method::ALL.len()], allow: String::new() }
    }

    fn add(&mut self, id: RouteId, methods: &[Method]) -> Option<RouteConflict> {
        let mut conflict = None;
        for &method in methods {
            match &mut self.by_method[method as usize] {
                Some(with) => {
                    conflict =
                        Some(RouteConflict { route: id, why: ConflictReason::Duplicate { with: *with, method } });
                }
                free => *free = Some(id),
            }
        }
        conflict
    }

    /// HEAD is GET without the body (RFC 9110 §9.3.2), so a path that has GET has HEAD; and every path has OPTIONS.
    fn sealed(mut self) -> Self {
        let get = self.by_method[Method::Get as usize];
        self.by_method[Method::Head as usize] = self.by_method[Method::Head as usize].or(get);
        let has = |method: &Method| *method == Method::Options || self.by_method[*method as usize].is_some();
        self.allow = Method::ALL.into_iter().filter(has).map(Method::as_str).collect::<Vec<_>>().join(", ");
        self
    }
}

fn pattern_check(path: &str) -> Result<(), ConflictReason> {
    let fits = |ok: bool, why| if ok { Ok(()) } else { Err(ConflictReason::Pattern(why)) };
    fits(path.starts_with('/'), "must start with /")?;
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '?' | '#' | '%' | '\\');
    fits(path.chars().all(plain), "must be the decoded path alone: no query, no fragment, no %, no spaces")?;
    fits(!path.contains("{{") && !path.contains("}}"), "must not contain doubled braces")?;
    let reachable = |segment: &str| !matches!(segment, "." | "..");
    fits(path.split('/').all(reachable), "must not contain dot segments: they are resolved before routing")?;
    let count = pattern_params(path).count();
    const { assert!(bounds::PATH_PARAMS_MAX == 3, "the next line says so") };
    fits(count <= bounds::PATH_PARAMS_MAX, "must have at most 3 parameters")?;
    let mut names: Vec<&str> = pattern_params(path).collect();
    names.sort_unstable();
    names.dedup();
    fits(names.len() == count, "must not name a parameter twice")
}

fn reason(error: matchit::InsertError) -> ConflictReason {
    match error {
        matchit::InsertError::Conflict { with } => ConflictReason::Ambiguous { with },
        matchit::InsertError::InvalidParamSegment => ConflictReason::Pattern("must have one parameter a segment"),
        matchit::InsertError::InvalidCatchAll => ConflictReason::Pattern("must have {*rest} only at its end"),
        _ => ConflictReason::Pattern("must have parameters as {name}, each brace closed"),
    }
}

impl fmt::Display for ConflictReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate { with, method } => {
                write!(out, "must not repeat {} of route[{}]", method.as_str(), with.0)
            }
            Self::Ambiguous { with } => write!(out, "must not match the same paths as {with}"),
            Self::Pattern(need) => out.write_str(need),
        }
    }
}

#[cfg(test)]
mod tests;
