//! [transaction.NAME]: statements that happen together or not at all, and the cache entries that end with them.
//! Never here: what a route does with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Value;

use crate::core::bounds;
use crate::core::config::check::queries;
use crate::core::config::checked::{Idempotency, Invalidation, KeyPart, Param, Query, Step, Transaction};
use crate::core::config::error::Complaint;
use crate::core::config::section::{Section, name, suggestion, text};
use crate::core::config::template;

pub(super) const TRANSACTION: &[&str] = &["params", "steps", "invalidates", "idempotency"];
pub(super) const STEP: &[&str] = &["sql", "affected", "else", "answers"];

const VERBS: [&str; 6] = ["INSERT", "UPDATE", "DELETE", "REPLACE", "SELECT", "WITH"];

type Queries = BTreeMap<String, Arc<Query>>;

pub(super) fn transactions(root: &Section<'_>, queries: &Queries) -> BTreeMap<String, Arc<Transaction>> {
    let mut transactions = BTreeMap::new();
    for (transaction_name, place) in root.named_tables("transaction") {
        if let Err(complaint) = name(transaction_name) {
            root.report.add(&place.path, None, complaint);
        }
        let section = Section::open(place, TRANSACTION, root.report);
        let transaction = transaction(transaction_name, &section, queries);
        transactions.insert(transaction_name.to_owned(), Arc::new(transaction));
    }
    transactions
}

fn transaction(name: &str, section: &Section<'_>, queries: &Queries) -> Transaction {
    let params = queries::params(section);
    let mut used = vec![false; params.len()];
    let steps = steps(section, &params, &mut used);
    let invalidates = section.each("invalidates", bounds::INVALIDATIONS_MAX, |value| {
        let parsed = invalidation(text(value)?, &params, queries)?;
        mark_key(&parsed, &mut used);
        Ok(parsed)
    });
    for (param, _) in params.iter().zip(&used).filter(|(_, used)| !**used) {
        let path = format!("{}.{}", section.at("params"), param.name);
        // A statement that does not scan may be the one that uses it.
        if !section.report.knows(&path) && !section.report.knows(&section.at("steps")) {
            let cure = format!("write :{} in a step or drop it", param.name);
            section.report.add(path, None, Complaint::new("must be used", cure));
        }
    }
    let idempotency = section.read_or("idempotency", Idempotency::Off, idempotency);
    Transaction { name: name.to_owned(), params, steps, invalidates, idempotency }
}

fn steps(section: &Section<'_>, params: &[Param], used: &mut [bool]) -> Vec<Step> {
    let names: Vec<&str> = params.iter().map(|param| param.name.as_str()).collect();
    let mut steps: Vec<Step> = Vec::new();
    for place in section.tables("steps", bounds::STEPS_MAX) {
        let one = Section::open(place, STEP, section.report);
        let statement = queries::statement(&one, &VERBS, &names);
        for (name, used) in names.iter().zip(used.iter_mut()) {
            *used |= statement.as_ref().is_some_and(|statement| statement.names.contains(name));
        }
        let step = step(&one);
        if step.answers && steps.iter().any(|earlier| earlier.answers) {
            one.complain("answers", Complaint::new("must be true in one step only", "a transaction has one answer"));
        }
        steps.push(step);
    }
    if steps.is_empty() && !section.report.knows(&section.at("steps")) {
        let cure = "write steps = [{ sql = \"…\" }]";
        section.report.add(section.at("steps"), None, Complaint::new("must be given at least once", cure));
    }
    steps
}

fn step(section: &Section<'_>) -> Step {
    let affected = section.read_or("affected", None, |value| {
        let rows = value.as_integer().and_then(|rows| u64::try_from(rows).ok());
        rows.map(Some).ok_or_else(|| Complaint::new("must be a number of rows", "such as affected = 1"))
    });
    let otherwise = section.read_or("else", None, |value| Ok(Some(name(text(value)?)?.to_owned())));
    for (key, other) in [("affected", "else"), ("else", "affected")] {
        if section.get(key).is_some() && section.get(other).is_none() {
            let cure = "affected = 1, else = \"out_of_stock\": so many rows, or a 409 of that name";
            section.complain(key, Complaint::new(format!("must stand beside {other}"), cure));
        }
    }
    let answers = section
        .read_or("answers", false, |value| value.as_bool().ok_or_else(|| Complaint::new("must be true or false", "")));
    Step { sql: section.text("sql").unwrap_or_default().to_owned(), affected, otherwise, answers }
}

/// What nothing is cached under cannot be invalidated: it is a typing mistake that would serve stale rows.
fn invalidation(text: &str, params: &[Param], queries: &Queries) -> Result<Invalidation, Complaint> {
    let keys = || queries.values().filter_map(|query| Some(&query.cache.as_ref()?.key));
    let unknown = |text: &str| {
        let spaces: Vec<&str> = keys().map(|key| key.space()).filter(|space| !space.is_empty()).collect();
        Complaint::new("must be what a query caches under", suggestion(text, spaces))
    };
    if let Some(space) = template::parse_space(text) {
        let space = space?;
        return match keys().any(|key| key.space() == space) {
            true => Ok(Invalidation::Space(space.to_owned())),
            false => Err(unknown(space)),
        };
    }
    let key = template::parse(text, params)?;
    let known = keys().any(|cached| template::same_shape(cached, &key));
    if known { Ok(Invalidation::Key(key)) } else { Err(unknown(key.space())) }
}

fn mark_key(invalidation: &Invalidation, used: &mut [bool]) {
    let Invalidation::Key(key) = invalidation else { return };
    for part in &key.0 {
        if let KeyPart::Param(index) = part
            && let Some(used) = used.get_mut(*index)
        {
            *used = true;
        }
    }
}

fn idempotency(value: &Value) -> Result<Idempotency, Complaint> {
    match text(value)? {
        "off" => Ok(Idempotency::Off),
        "optional" => Ok(Idempotency::Optional),
        "required" => Ok(Idempotency::Required),
        _ => Err(Complaint::new(
            "must be \"off\", \"optional\" or \"required\"",
            "whether a client sends idempotency-key",
        )),
    }
}
