//! [query.NAME]: one SELECT, its parameters, its rows and its cache.
//! Never here: what a route does with it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use toml::Value;

use crate::core::bounds;
use crate::core::config::checked::{self, CacheRule, KeyTemplate, Kind, Param, Query, Rows, Source};
use crate::core::config::error::Complaint;
use crate::core::config::param;
use crate::core::config::section::{Relation, Section, name, suggestion, text};
use crate::core::config::sql::{self, Statement};
use crate::core::config::template;

pub(super) const QUERY: &[&str] = &["sql", "rows", "params", "cache"];
pub(super) const ROWS: &[&str] = &["many", "paged"];
pub(super) const PAGED: &[&str] = &["size", "size_max", "page_max"];
pub(super) const CACHE: &[&str] = &["key", "ttl", "jitter", "negative"];

/// Made by paging: the first two are bound, the last two are asked for.
const PAGING: [&str; 4] = ["limit", "offset", "page", "page_size"];
const DAY: Duration = Duration::from_hours(24);

pub(super) fn queries(root: &Section<'_>) -> BTreeMap<String, Arc<Query>> {
    let mut queries = BTreeMap::new();
    for (query_name, place) in root.named_tables("query") {
        if let Err(complaint) = name(query_name) {
            root.report.add(&place.path, None, complaint);
        }
        let section = Section::open(place, QUERY, root.report);
        queries.insert(query_name.to_owned(), Arc::new(query(query_name, &section)));
    }
    part_key_spaces(root, &queries);
    queries
}

/// Declared parameters in the order of their names.
pub(super) fn params(section: &Section<'_>) -> Vec<Param> {
    let Some(place) = section.table("params") else { return Vec::new() };
    if place.table.len() > bounds::PARAMS_MAX {
        section.complain("params", Complaint::new(format!("must be at most {}", bounds::PARAMS_MAX), ""));
    }
    let mut params = Vec::with_capacity(place.table.len());
    for (name, value) in place.table {
        let path = format!("{}.{name}", place.path);
        let parsed = if section.report.knows(&path) {
            param::stand_in(name)
        } else {
            text(value).and_then(|text| param::parse(name, text)).unwrap_or_else(|complaint| {
                section.report.add(path, Some(value), complaint);
                param::stand_in(name)
            })
        };
        params.push(parsed);
    }
    params
}

/// The statement at `sql`, if its first word is one of `verbs` and all its placeholders are declared.
pub(super) fn statement<'a>(section: &Section<'a>, verbs: &[&str], params: &[&str]) -> Option<Statement<'a>> {
    let scanned = sql::scan(section.text("sql")?).and_then(|statement| {
        if !verbs.contains(&statement.verb.as_str()) {
            return Err(Complaint::new(format!("must begin with {}", verbs.join(" or ")), ""));
        }
        match statement.names.iter().find(|name| !params.contains(name)) {
            None => Ok(statement),
            Some(name) => {
                let need = format!("must use declared parameters only, not :{name}");
                Err(Complaint::new(need, suggestion(name, params.iter().copied())))
            }
        }
    });
    scanned.map_err(|complaint| section.complain("sql", complaint)).ok()
}

fn query(name: &str, section: &Section<'_>) -> Query {
    let mut params = params(section);
    let rows = rows(section);
    let declared = params.len();
    let mut bound: Vec<&str> = params.iter().map(|param| param.name.as_str()).collect();
    if matches!(rows, Rows::Paged { .. }) {
        bound.extend(["limit", "offset"]);
    }
    if let Some(statement) = statement(section, &["SELECT", "WITH", "VALUES"], &bound) {
        check_used(section, &bound, &statement);
    }
    if let Rows::Paged { size, size_max, page_max } = rows {
        check_reserved(section, &params);
        params.push(paging_param("page", page_max, 1));
        params.push(paging_param("page_size", size_max, size));
    }
    let cache = cache(section, rows, &params);
    assert!(params.len() == declared || params.len() == declared + 2, "paging adds page and page_size");
    Query { name: name.to_owned(), sql: section.text("sql").unwrap_or_default().to_owned(), rows, params, cache }
}

fn rows(section: &Section<'_>) -> Rows {
    let form = || {
        Complaint::new(
            "must be \"one\", { many = ROWS } or { paged = { size = 20, size_max = 100, page_max = 1000 } }",
            "how many rows make the answer",
        )
    };
    match section.read("rows", None, |value| Ok(Some(value.clone()))) {
        None => return Rows::One,
        Some(Value::String(text)) if text == "one" => return Rows::One,
        Some(Value::Table(table)) if table.len() == 1 => {}
        Some(_) => {
            section.complain("rows", form());
            return Rows::One;
        }
    }
    let Some(place) = section.table("rows") else { return Rows::One };
    let rows = Section::open(place, ROWS, section.report);
    if rows.get("many").is_some() {
        let rows_max = number(&rows, "many", bounds::ROWS_MAX, "an answer is built in memory whole");
        return Rows::Many { rows_max };
    }
    let Some(place) = rows.table("paged") else { return Rows::One };
    let paged = Section::open(place, PAGED, section.report);
    let rows = Rows::Paged {
        size: number(&paged, "size", bounds::PAGE_ROWS_MAX, "an answer is built in memory whole"),
        size_max: number(&paged, "size_max", bounds::PAGE_ROWS_MAX, "an answer is built in memory whole"),
        page_max: number(&paged, "page_max", bounds::PAGE_MAX, "the database reads and drops all rows before a page"),
    };
    if let Rows::Paged { size, size_max, .. } = rows {
        let holds = size <= size_max;
        paged.relate("size", &paged.at("size_max"), Relation { holds, need: "must be at most", cure: "" });
    }
    rows
}

fn number(section: &Section<'_>, key: &str, max: u32, why: &str) -> u32 {
    u32::try_from(section.count(key, 1..=max as usize, why)).unwrap_or(max)
}

/// A parameter that nothing uses is a mistake: the query ignores what the client asks for.
fn check_used(section: &Section<'_>, bound: &[&str], statement: &Statement<'_>) {
    for name in bound.iter().filter(|name| !statement.names.contains(name)) {
        if PAGING.contains(name) {
            section.complain(
                "sql",
                Complaint::new(format!("must use :{name}"), "end a paged query with LIMIT :limit OFFSET :offset"),
            );
        } else {
            let complaint = Complaint::new("must be used", format!("write :{name} in sql or drop it"));
            section.report.add(format!("{}.{name}", section.at("params")), None, complaint);
        }
    }
}

fn check_reserved(section: &Section<'_>, params: &[Param]) {
    for param in params {
        let asks_page = matches!(&param.source, Source::Query(name) if PAGING[2..].contains(&name.as_str()));
        if PAGING.contains(&param.name.as_str()) || asks_page {
            let complaint =
                Complaint::new("must not be declared", "a paged query makes limit, offset, page and page_size itself");
            section.report.add(format!("{}.{}", section.at("params"), param.name), None, complaint);
        }
    }
}

fn paging_param(name: &str, max: u32, default: u32) -> Param {
    Param {
        name: name.to_owned(),
        source: Source::Query(name.to_owned()),
        kind: Kind::Integer(1..=i64::from(max)),
        default: Some(checked::Value::Integer(i64::from(default))),
    }
}

fn cache(section: &Section<'_>, rows: Rows, params: &[Param]) -> Option<CacheRule> {
    let rule = Section::open(section.table("cache")?, CACHE, section.report);
    let key = rule.read("key", KeyTemplate(Vec::new()), |value| {
        let key = template::parse(text(value)?, params)?;
        check_complete(&key, params).map(|()| key)
    });
    let lives = Duration::from_millis(100)..=30 * DAY;
    let ttl = rule.duration("ttl", lives, "a stale answer is given for so long when nothing invalidates it");
    let within = |key, max, why| match rule.get(key) {
        Some(_) => rule.duration(key, Duration::ZERO..=max, why),
        None => Duration::ZERO,
    };
    let jitter = within("jitter", DAY, "added to ttl at random");
    let negative = within("negative", Duration::from_hours(1), "a row that appears is hidden for so long");
    let spread =
        Relation { holds: jitter <= ttl, need: "must be at most", cure: "it spreads the ttl, it does not replace it" };
    if rule.get("jitter").is_some() {
        rule.relate("jitter", &rule.at("ttl"), spread);
    }
    if negative > Duration::ZERO && rows != Rows::One {
        rule.complain("negative", Complaint::new("must be left out here", "only rows = \"one\" can find no row"));
    }
    Some(CacheRule { key, ttl, jitter, negative })
}

/// Two requests that differ in a parameter get different answers, so they must have different keys.
fn check_complete(key: &KeyTemplate, params: &[Param]) -> Result<(), Complaint> {
    let absent = |index: &usize| !key.params().any(|used| used == *index);
    let Some(param) = (0..params.len()).find(absent).and_then(|index| params.get(index)) else { return Ok(()) };
    let danger = match param.source {
        Source::TokenOpenId | Source::TokenAppId => "else one user is given another user's rows",
        Source::Path(_) | Source::Query(_) | Source::Body(_) => "else one request is given another request's rows",
    };
    Err(Complaint::new(format!("must contain {{{}}}", param.name), danger))
}

/// Every key space belongs to one query and begins no other, so that no two queries ever make the same key.
fn part_key_spaces(root: &Section<'_>, queries: &BTreeMap<String, Arc<Query>>) {
    let spaces: Vec<(&str, &str)> = queries
        .values()
        .filter_map(|query| Some((query.name.as_str(), query.cache.as_ref()?.key.space())))
        .filter(|(_, space)| !space.is_empty())
        .collect();
    for (index, (name, space)) in spaces.iter().enumerate() {
        let meets = |(_, earlier): &&(&str, &str)| earlier.starts_with(space) || space.starts_with(earlier);
        if let Some((other, _)) = spaces.iter().take(index).find(meets) {
            let value = Value::String((*space).to_owned());
            let need = format!("must begin with a text of its own, apart from query.{other}.cache.key");
            let complaint = Complaint::new(need, "else one query is given another query's rows");
            root.report.add(format!("query.{name}.cache.key"), Some(&value), complaint);
        }
    }
}
