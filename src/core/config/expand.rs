//! `${VAR}` and `${VAR:-default}` inside string values, and secrets that live in files.
//! Runs after TOML was parsed, so a variable can change a value and never the shape of the file.
//! Never here: the environment or a file system, which come in as functions.

use std::io;
use std::path::Path;

use toml::{Table, Value};

use crate::core::config::error::{Complaint, Report};

/// The world outside the configuration file, read by whoever may do I/O.
#[derive(Clone, Copy)]
pub struct Outside<'a> {
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    pub file: &'a dyn Fn(&Path) -> io::Result<String>,
}

/// Expands every string below `table`; what cannot be expanded stays as it is and is reported.
pub(super) fn expand(table: &mut Table, outside: &Outside<'_>, report: &Report) {
    for (key, value) in table.iter_mut() {
        expand_value(key.clone(), value, outside, report);
    }
}

/// `file:/run/secrets/wx` is the content of that file without its last line break; any other text is itself.
pub(super) fn secret_text(text: &str, outside: &Outside<'_>) -> Result<String, Complaint> {
    let Some(path) = text.strip_prefix("file:") else { return Ok(text.to_owned()) };
    let content = (outside.file)(Path::new(path)).map_err(|error| {
        Complaint::new(format!("cannot read {}: {error}", path.escape_debug()), "give a file that this user may read")
    })?;
    let line = content.strip_suffix('\n').unwrap_or(&content);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

fn expand_value(path: String, value: &mut Value, outside: &Outside<'_>, report: &Report) {
    match value {
        Value::String(text) => match expand_text(text, outside.variable) {
            Ok(expanded) => *text = expanded,
            Err(complaint) => report.add(path, None, complaint),
        },
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                expand_value(format!("{path}[{index}]"), item, outside, report);
            }
        }
        Value::Table(table) => {
            for (key, item) in table.iter_mut() {
                expand_value(format!("{path}.{key}"), item, outside, report);
            }
        }
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
}

/// `$$` is `$`; a `$` before anything but `{` is itself, because SQL writes `'$.name'`. A value is not expanded again.
fn expand_text(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, Complaint> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            after
        } else if let Some(after) = after.strip_prefix('{') {
            let (inner, after) = after
                .split_once('}')
                .ok_or_else(|| Complaint::new("must close every ${ with }", "write $${ for a literal ${"))?;
            out.push_str(&lookup(inner, variable)?);
            after
        } else {
            out.push('$');
            after
        };
    }
    out.push_str(rest);
    Ok(out)
}

/// As in a shell, an empty variable takes the default of `:-`.
fn lookup(inner: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, Complaint> {
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let named = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.is_empty() || !name.bytes().all(named) || name.as_bytes()[0].is_ascii_digit() {
        return Err(Complaint::new(
            "must name a variable as ${NAME} or ${NAME:-default}",
            "names are letters, digits and _; write $${ for a literal ${",
        ));
    }
    match (variable(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(Complaint::new(
            format!("variable {name} is not set"),
            format!("set it, or write a default: ${{{name}:-…}}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::expand_text;

    fn check(text: &str, expect: Result<&str, &str>) {
        let variable = |name: &str| match name {
            "A" => Some("alpha".to_owned()),
            "EMPTY" => Some(String::new()),
            "SLY" => Some("${A} $$ \"\n[ops]\nlisten = 1".to_owned()),
            _ => None,
        };
        let got = expand_text(text, &variable).map_err(|complaint| format!("{complaint:?}"));
        match expect {
            Ok(expect) => assert_eq!(got.as_deref(), Ok(expect), "{text}"),
            Err(part) => assert!(got.as_ref().is_err_and(|got| got.contains(part)), "{text}: {got:?}"),
        }
    }

    #[test]
    fn variables_and_defaults() {
        check("", Ok(""));
        check("plain", Ok("plain"));
        check("${A}", Ok("alpha"));
        check("<${A}|${A}>", Ok("<alpha|alpha>"));
        check("${A:-x}", Ok("alpha"));
        check("${B:-x}", Ok("x"));
        check("${B:-}", Ok(""));
        check("${B:-a:-b}", Ok("a:-b"));
        check("${EMPTY}", Ok(""));
        check("${EMPTY:-x}", Ok("x"));
        check("${B}", Err("variable B is not set"));
    }

    #[test]
    fn dollars_that_are_no_variables() {
        check("$", Ok("$"));
        check("$$", Ok("$"));
        check("$$$", Ok("$$"));
        check("$${A}", Ok("${A}"));
        check("$$${A}", Ok("$alpha"));
        check("json_extract(x, '$.name')", Ok("json_extract(x, '$.name')"));
        check("${", Err("must close every ${"));
        check("${A", Err("must close every ${"));
        for text in ["${}", "${:-x}", "${1A}", "${A B}", "${名}", "${${A}}"] {
            check(text, Err("must name a variable"));
        }
    }

    #[test]
    fn a_value_is_taken_literally() {
        check("${SLY}", Ok("${A} $$ \"\n[ops]\nlisten = 1"));
    }
}
