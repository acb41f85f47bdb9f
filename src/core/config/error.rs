//! What is wrong with a configuration, said so that an operator can mend it: key, value, need and cure.
//! Never here: a secret, or a message of more than one line.

use std::cell::RefCell;
use std::fmt;

use toml::{Table, Value};

/// One mistake. Displayed as `database.timeout = "0s": must be 10ms..=60s; a statement list that …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Path of the key: `query.product.cache.ttl`, `route[2 /api/v1/orders].limit[0]`, `line 12` when it is no TOML.
    pub key: String,
    /// As written after expansion, shortened; `***` for a secret; `None` when nothing is there to show.
    pub value: Option<String>,
    pub need: String,
    /// Reason or remedy; may be empty.
    pub cure: String,
}

/// What a value should have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    need: String,
    cure: String,
}

/// Collects mistakes, so that one run shows them all.
#[derive(Debug, Default)]
pub(super) struct Report(RefCell<Vec<ConfigError>>);

/// Characters of a value that are shown; more does not help to find it.
const VALUE_CHARS_MAX: usize = 80;

impl Complaint {
    pub(super) fn new(need: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { need: need.into(), cure: cure.into() }
    }
}

impl Report {
    pub(super) fn add(&self, key: impl Into<String>, value: Option<&Value>, complaint: Complaint) {
        self.push(key.into(), value.map(shown), complaint);
    }

    /// For values that must not be shown.
    pub(super) fn add_masked(&self, key: impl Into<String>, complaint: Complaint) {
        self.push(key.into(), Some("***".to_owned()), complaint);
    }

    /// Whether this key, or one below it, was complained about: its value is then a stand-in.
    pub(super) fn knows(&self, key: &str) -> bool {
        let below =
            |known: &str| known.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        self.0.borrow().iter().any(|error| below(&error.key))
    }

    /// The configuration if there was no mistake, else every mistake, routes labelled by their paths.
    pub(super) fn verdict<T>(self, value: T, root: &Table) -> Result<T, Vec<ConfigError>> {
        let mut errors = self.0.into_inner();
        for error in &mut errors {
            label_route(error, root);
            for text in [&mut error.key, &mut error.need, &mut error.cure] {
                *text = one_line(text);
            }
        }
        if errors.is_empty() { Ok(value) } else { Err(errors) }
    }

    fn push(&self, key: String, value: Option<String>, Complaint { need, cure }: Complaint) {
        assert!(!key.is_empty() && !need.is_empty(), "a mistake has a place and a need");
        self.0.borrow_mut().push(ConfigError { key, value, need, cure });
    }
}

/// `route[17].auth` → `route[17 /api/v1/orders].auth`: nobody counts to seventeen.
fn label_route(error: &mut ConfigError, root: &Table) {
    let Some((number, _)) = error.key.strip_prefix("route[").and_then(|rest| rest.split_once(']')) else { return };
    let route = number.parse().ok().and_then(|index: usize| root.get("route")?.as_array()?.get(index));
    let Some(path) = route.and_then(|route| route.get("path")?.as_str()) else { return };
    let at = "route[".len() + number.len();
    error.key.insert_str(at, &format!(" {}", shortened(path)));
}

/// Quoted keys may hold line breaks.
fn one_line(text: &str) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escape).collect()
}

/// One line, no control characters, no password of a URL.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("\"{}\"", shortened(&without_password(text).escape_debug().to_string())),
        Value::Table(table) => {
            let keys: Vec<&str> = table.keys().map(String::as_str).collect();
            shortened(&format!("{{ {} }}", keys.join(", ")).escape_debug().to_string())
        }
        Value::Array(items) => format!("[{} items]", items.len()),
        other => other.to_string(),
    }
}

fn without_password(text: &str) -> String {
    match (text.split_once("://"), text.rfind('@')) {
        (Some((scheme, _)), Some(at)) if at > scheme.len() => format!("{scheme}://***{}", &text[at..]),
        _ => text.to_owned(),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, value, need, cure } = self;
        out.write_str(key)?;
        if let Some(value) = value {
            write!(out, " = {value}")?;
        }
        write!(out, ": {need}")?;
        if cure.is_empty() { Ok(()) } else { write!(out, "; {cure}") }
    }
}

impl std::error::Error for ConfigError {}
