//! `KEY=VALUE` from a command line, on top of a file: `server.shards=2`, `limiter.ip=off`, `server.shards=[0, 1]`.
//! Never here: checking; an override is checked like the file that it changes.

use toml::{Table, Value};

use crate::core::config::error::{Complaint, Report};

/// Sets each key; what is no `KEY=VALUE`, or goes through something that is no table, is reported.
pub(super) fn apply(root: &mut Table, overrides: &[String], report: &Report) {
    for text in overrides {
        let set = text.split_once('=').map(|(path, value)| (path.trim(), value.trim()));
        match set {
            Some((path, value)) if path.split('.').all(|key| !key.is_empty()) => put(root, path, value, report),
            _ => report.add(text.as_str(), None, Complaint::new("must be KEY=VALUE", "write server.shards=2")),
        }
    }
}

fn put(root: &mut Table, path: &str, value: &str, report: &Report) {
    let (tables, key) = path.rsplit_once('.').unwrap_or(("", path));
    let mut table = root;
    for name in tables.split('.').filter(|name| !name.is_empty()) {
        let Some(inner) = table.entry(name).or_insert_with(|| Value::Table(Table::new())).as_table_mut() else {
            report.add(path, None, Complaint::new("leads through a value that is no table", "check the key"));
            return;
        };
        table = inner;
    }
    table.insert(key.to_owned(), read(value));
}

/// A value of TOML where it is one, else a text, so that `off` needs no quotes inside quotes.
fn read(text: &str) -> Value {
    let parsed = format!("v = {text}").parse::<Table>().ok();
    parsed.and_then(|mut table| table.remove("v")).unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(overrides: &[&str]) -> (Table, usize) {
        let mut root: Table = "[server]\nlisten = \"a\"\n".parse().unwrap();
        let report = Report::default();
        let overrides: Vec<String> = overrides.iter().map(ToString::to_string).collect();
        apply(&mut root, &overrides, &report);
        let errors = report.verdict((), &Table::new()).err().map_or(0, |errors| errors.len());
        (root, errors)
    }

    #[test]
    fn overrides_set_numbers_lists_and_bare_texts() {
        let (root, errors) = applied(&["server.shards=[0, 1]", "limiter.ip=off", "server.listen = \"b\"", "x=60/min"]);
        assert_eq!(errors, 0);
        assert_eq!(root["server"]["shards"], Value::Array(vec![Value::Integer(0), Value::Integer(1)]));
        assert_eq!(root["limiter"]["ip"].as_str(), Some("off"));
        assert_eq!(root["server"]["listen"].as_str(), Some("b"));
        assert_eq!(root["x"].as_str(), Some("60/min"));
    }

    #[test]
    fn overrides_that_lead_nowhere_are_mistakes() {
        assert_eq!(applied(&["server", "a..b=1", "server.listen.port=1"]).1, 3);
    }
}
