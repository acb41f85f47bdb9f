//! One table of the file while it is read: unknown keys, missing keys, types and ranges become complaints.
//! A value that is wrong is reported and replaced by a stand-in, so that checking goes on; the stand-in never leaves
//! `load`, because a report that is not empty yields no configuration.
//! Never here: the meaning of a key.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::{Table, Value};

use crate::core::bounds;
use crate::core::config::checked::Secret;
use crate::core::config::error::{Complaint, Report};
use crate::core::config::expand::{Outside, secret_text};
use crate::core::config::units;

pub(super) struct Section<'a> {
    pub(super) path: String,
    pub(super) report: &'a Report,
    table: &'a Table,
    keys: &'static [&'static str],
}

/// A table of the file with its place in it.
pub(super) struct Place<'a> {
    pub(super) path: String,
    pub(super) table: &'a Table,
}

impl<'a> Section<'a> {
    /// Complains about every key that is not among `keys`.
    pub(super) fn open(place: Place<'a>, keys: &'static [&'static str], report: &'a Report) -> Self {
        let section = Self { path: place.path, report, table: place.table, keys };
        for unknown in place.table.keys().filter(|key| !keys.contains(&key.as_str())) {
            report.add(section.at(unknown), None, unknown_key(unknown, keys));
        }
        section
    }

    /// Path of a key of this table.
    pub(super) fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        assert!(self.keys.contains(&key), "{key} must be listed, else it counts as unknown");
        self.table.get(key)
    }

    pub(super) fn complain(&self, key: &str, complaint: Complaint) {
        self.report.add(self.at(key), self.get(key), complaint);
    }

    /// A key that must be there.
    pub(super) fn read<T>(&self, key: &str, stand_in: T, parse: impl FnOnce(&Value) -> Result<T, Complaint>) -> T {
        if self.get(key).is_none() && !self.report.knows(&self.at(key)) {
            self.report.add(self.at(key), None, Complaint::new("must be given", ""));
        }
        self.read_or(key, stand_in, parse)
    }

    /// A key that may be absent.
    pub(super) fn read_or<T>(&self, key: &str, absent: T, parse: impl FnOnce(&Value) -> Result<T, Complaint>) -> T {
        let Some(value) = self.get(key) else { return absent };
        if self.report.knows(&self.at(key)) {
            return absent;
        }
        match parse(value) {
            Ok(parsed) => parsed,
            Err(complaint) => {
                self.complain(key, complaint);
                absent
            }
        }
    }

    pub(super) fn count(&self, key: &str, range: RangeInclusive<usize>, why: &str) -> usize {
        self.read(key, *range.start(), |value| whole(value, &range, why))
    }

    pub(super) fn bytes(&self, key: &str, range: RangeInclusive<usize>, why: &str) -> usize {
        self.read(key, *range.start(), |value| size(value, &range, why))
    }

    pub(super) fn duration(&self, key: &str, range: RangeInclusive<Duration>, why: &str) -> Duration {
        self.read(key, *range.start(), |value| span(value, &range, why))
    }

    /// `None` when it was complained about.
    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.read(key, (), |value| text(value).map(drop));
        if self.report.knows(&self.at(key)) { None } else { self.get(key)?.as_str() }
    }

    /// Text that is given here or lies in a file. Its value is never shown.
    pub(super) fn secret(&self, key: &str, bytes_min: usize, outside: &Outside<'_>) -> Secret {
        let given = self.read(key, None, |value| Ok(Some(value.clone())));
        let read = |value: &Value| {
            let secret = secret_text(text(value)?, outside)?;
            if (bytes_min..=bounds::SECRET_BYTES_MAX).contains(&secret.len()) {
                return Ok(secret);
            }
            let need = format!("must be {bytes_min}..={} bytes, is {}", bounds::SECRET_BYTES_MAX, secret.len());
            Err(Complaint::new(need, "give it as \"${VARIABLE}\" or \"file:/run/secrets/NAME\""))
        };
        match given.as_ref().map(read) {
            None => Secret::new(""),
            Some(Ok(secret)) => Secret::new(&secret),
            Some(Err(complaint)) => {
                self.report.add_masked(self.at(key), complaint);
                Secret::new("")
            }
        }
    }

    /// The table at `key`, if it is there and is one.
    pub(super) fn table(&self, key: &str) -> Option<Place<'a>> {
        let value = self.get(key)?;
        let Some(table) = value.as_table() else {
            self.complain(key, Complaint::new("must be a table", ""));
            return None;
        };
        Some(Place { path: self.at(key), table })
    }

    /// The tables by name at `key`: `[query.NAME]`. Absent: none.
    pub(super) fn named_tables(&self, key: &str) -> Vec<(&'a str, Place<'a>)> {
        let Some(Place { path, table }) = self.table(key) else { return Vec::new() };
        let mut found = Vec::with_capacity(table.len());
        for (name, value) in table {
            let path = format!("{path}.{name}");
            match value.as_table() {
                Some(table) => found.push((name.as_str(), Place { path, table })),
                None => self.report.add(path, Some(value), Complaint::new("must be a table", "")),
            }
        }
        found
    }

    /// The array of tables at `key`: `[[route]]`. Absent: none.
    pub(super) fn tables(&self, key: &str, tables_max: usize) -> Vec<Place<'a>> {
        let mut found = Vec::new();
        for (index, value) in self.items(key, tables_max).iter().enumerate() {
            let path = format!("{}[{index}]", self.at(key));
            match value.as_table() {
                Some(table) => found.push(Place { path, table }),
                None => self.report.add(path, Some(value), Complaint::new("must be a table", "")),
            }
        }
        found
    }

    /// The array at `key`. Absent: empty.
    pub(super) fn items(&self, key: &str, items_max: usize) -> &'a [Value] {
        match self.get(key) {
            None => &[],
            Some(Value::Array(items)) if items.len() <= items_max => items,
            Some(_) => {
                self.complain(key, Complaint::new(format!("must be a list of at most {items_max}"), ""));
                &[]
            }
        }
    }

    /// Every item of the array at `key` that parses.
    pub(super) fn each<T>(
        &self,
        key: &str,
        items_max: usize,
        mut parse: impl FnMut(&Value) -> Result<T, Complaint>,
    ) -> Vec<T> {
        let mut parsed = Vec::new();
        for (index, item) in self.items(key, items_max).iter().enumerate() {
            let path = format!("{}[{index}]", self.at(key));
            if self.report.knows(&path) {
                continue;
            }
            match parse(item) {
                Ok(value) => parsed.push(value),
                Err(complaint) => self.report.add(path, Some(item), complaint),
            }
        }
        parsed
    }

    /// Complains about `key` unless `holds`; silent when `key` or `other`, a full path, is already known to be wrong.
    pub(super) fn relate(&self, key: &str, other: &str, holds: Relation) {
        let Relation { holds, need, cure } = holds;
        if !holds && !self.report.knows(&self.at(key)) && !self.report.knows(other) {
            self.complain(key, Complaint::new(format!("{need} {other}"), cure));
        }
    }
}

/// What must hold between two keys: `need` is completed by the name of the other one.
pub(super) struct Relation {
    pub(super) holds: bool,
    pub(super) need: &'static str,
    pub(super) cure: &'static str,
}

pub(super) fn text(value: &Value) -> Result<&str, Complaint> {
    value.as_str().ok_or_else(|| Complaint::new("must be text in quotes", ""))
}

pub(super) fn whole(value: &Value, range: &RangeInclusive<usize>, why: &str) -> Result<usize, Complaint> {
    let number = value.as_integer().and_then(|number| usize::try_from(number).ok());
    number
        .filter(|number| range.contains(number))
        .ok_or_else(|| Complaint::new(format!("must be {}..={}", range.start(), range.end()), why))
}

pub(super) fn size(value: &Value, range: &RangeInclusive<usize>, why: &str) -> Result<usize, Complaint> {
    let bytes = match value {
        Value::Integer(number) => u64::try_from(*number).ok(),
        Value::String(text) => units::bytes(text),
        _ => None,
    };
    let show = |bytes: usize| units::show_bytes(bytes as u64);
    bytes.and_then(|bytes| usize::try_from(bytes).ok()).filter(|bytes| range.contains(bytes)).ok_or_else(|| {
        let need = format!("must be a size {}..={}, such as \"8KiB\"", show(*range.start()), show(*range.end()));
        Complaint::new(need, why)
    })
}

pub(super) fn span(value: &Value, range: &RangeInclusive<Duration>, why: &str) -> Result<Duration, Complaint> {
    let duration = value.as_str().and_then(units::duration);
    duration.filter(|duration| range.contains(duration)).ok_or_else(|| {
        let [start, end] = [*range.start(), *range.end()].map(units::show_duration);
        Complaint::new(format!("must be a duration {start}..={end}, such as \"10s\""), why)
    })
}

/// Names of queries, transactions, keys and conflicts: they become labels and parts of answers.
pub(super) fn name(text: &str) -> Result<&str, Complaint> {
    let fits = (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if fits { Ok(text) } else { Err(Complaint::new("must be 1..=64 letters, digits, _, - or .", "")) }
}

/// The known name that was probably meant, if one is near.
pub(super) fn nearest<'n>(given: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let near = |name: &&str| distance(given, name) <= given.len().max(name.len()) / 3;
    known.into_iter().filter(near).min_by_key(|name| distance(given, name))
}

/// Cure for a name that does not resolve: the near one, or all.
pub(super) fn suggestion<'n>(given: &str, known: impl IntoIterator<Item = &'n str> + Clone) -> String {
    if let Some(name) = nearest(given, known.clone()) {
        return format!("did you mean {name}?");
    }
    let names: Vec<&str> = known.into_iter().take(20).collect();
    if names.is_empty() { "none is declared".to_owned() } else { format!("known: {}", names.join(", ")) }
}

fn unknown_key(given: &str, known: &[&str]) -> Complaint {
    Complaint::new("unknown key", suggestion(given, known.iter().copied()))
}

/// Levenshtein: insertions, deletions and replacements of bytes between two names, their case aside.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, right) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(!left.eq_ignore_ascii_case(&right));
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_name_is_near() {
        let check = |given: &str, expect: Option<&str>| {
            assert_eq!(nearest(given, ["listen", "shards", "body_bytes_max"]), expect, "{given}");
        };
        check("listn", Some("listen"));
        check("shard", Some("shards"));
        check("body_max_bytes", None);
        check("body_byte_max", Some("body_bytes_max"));
        check("LISTEN", Some("listen"));
        check("zzz", None);
        check("", None);
    }
}
