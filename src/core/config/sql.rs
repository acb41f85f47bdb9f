//! Which parameters one SQL statement has, and that it is one statement.
//! Knows quotes and comments, no grammar. Never here: making or changing SQL.

use crate::core::bounds;
use crate::core::config::error::Complaint;
use crate::core::config::param::is_identifier;

/// What can be seen of a statement without a parser.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Statement<'s> {
    /// First word, upper case.
    pub(super) verb: String,
    /// Names of `:name` in order of appearance, with repetitions.
    pub(super) names: Vec<&'s str>,
}

/// Reads one statement. A last semicolon and comments are allowed.
pub(super) fn scan(sql: &str) -> Result<Statement<'_>, Complaint> {
    if sql.len() > bounds::SQL_BYTES_MAX {
        return Err(Complaint::new(format!("must have at most {} bytes", bounds::SQL_BYTES_MAX), ""));
    }
    let mut statement = Statement { verb: String::new(), names: Vec::new() };
    let mut ended = false;
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let bytes = gap(rest, first)?;
        if bytes > 0 {
            rest = rest.split_at(bytes).1;
            continue;
        }
        if ended {
            return Err(Complaint::new("must be one statement", "a transaction runs several, one a step"));
        }
        let (token, after) = rest.split_at(token_bytes(rest, first)?);
        if statement.verb.is_empty() {
            statement.verb = token.to_ascii_uppercase();
        }
        ended = first == ';';
        if first == ':' {
            statement.names.push(placeholder(token)?);
        }
        rest = after;
    }
    Ok(statement)
}

/// Bytes of the white space or comment that `rest` starts with; zero if it starts with neither.
fn gap(rest: &str, first: char) -> Result<usize, Complaint> {
    if first.is_whitespace() {
        Ok(first.len_utf8())
    } else if rest.starts_with("--") {
        Ok(rest.find('\n').unwrap_or(rest.len()))
    } else if let Some(inner) = rest.strip_prefix("/*") {
        let end = inner.find("*/").ok_or_else(|| Complaint::new("must close its comment", ""))?;
        Ok(end + 4)
    } else {
        Ok(0)
    }
}

/// Bytes of the word, quotation, placeholder or sign that `rest` starts with.
fn token_bytes(rest: &str, first: char) -> Result<usize, Complaint> {
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    match first {
        // A doubled quote inside reads as two quotations side by side, which comes to the same.
        '\'' | '"' | '`' => quotation_bytes(rest, first),
        '[' => quotation_bytes(rest, ']'),
        ':' => Ok(1 + rest.split_at(1).1.find(|c| !word(c)).unwrap_or(rest.len() - 1)),
        '?' | '@' | '$' => Err(Complaint::new(
            format!("must name its parameters as :name, not with {first}"),
            "a parameter that nothing binds would be NULL",
        )),
        first if word(first) => Ok(rest.find(|c| !word(c)).unwrap_or(rest.len())),
        other => Ok(other.len_utf8()),
    }
}

fn quotation_bytes(rest: &str, close: char) -> Result<usize, Complaint> {
    let end = rest.char_indices().skip(1).find(|(_, c)| *c == close);
    end.map(|(at, _)| at + close.len_utf8()).ok_or_else(|| Complaint::new(format!("must close its {close}"), ""))
}

fn placeholder(token: &str) -> Result<&str, Complaint> {
    let name = token.strip_prefix(':').unwrap_or(token);
    if is_identifier(name) { Ok(name) } else { Err(Complaint::new("must name a parameter after :", "such as :id")) }
}

#[cfg(test)]
mod tests {
    use super::{bounds, scan};

    fn check(sql: &str, expect: Result<&[&str], &str>) {
        match (scan(sql), expect) {
            (Ok(got), Ok(names)) => assert_eq!(got.names, names, "{sql}"),
            (Err(got), Err(need)) => assert!(format!("{got:?}").contains(need), "{sql}: {got:?}"),
            (got, expect) => panic!("{sql}: {got:?}, not {expect:?}"),
        }
    }

    #[test]
    fn placeholders_count_only_outside_quotes_and_comments() {
        check("SELECT a FROM t WHERE id = :id AND x=:x_1", Ok(&["id", "x_1"]));
        check("SELECT ':a', \":b\", `:c`, [:d], :e", Ok(&["e"]));
        check("SELECT 'it''s :a', :b", Ok(&["b"]));
        check("SELECT 1 -- :a 'open\n, :b", Ok(&["b"]));
        check("SELECT /* :a ' */ :b", Ok(&["b"]));
        check("SELECT :a+:a", Ok(&["a", "a"]));
        check("SELECT '名:a', :b, '$.name', x$y", Ok(&["b"]));
        check("", Ok(&[]));
    }

    #[test]
    fn one_statement_with_closed_quotes() {
        check("SELECT 1;", Ok(&[]));
        check("SELECT 1; -- done\n ", Ok(&[]));
        check("SELECT 1; DROP TABLE t", Err("must be one statement"));
        check("SELECT 1;;", Err("must be one statement"));
        check("SELECT ';'", Ok(&[]));
        check("SELECT 'open", Err("must close its '"));
        check("SELECT [open", Err("must close its ]"));
        check("SELECT /* open", Err("must close its comment"));
    }

    #[test]
    fn every_parameter_has_a_name() {
        for (sql, sign) in [("SELECT ?", "?"), ("SELECT ?1", "?"), ("SELECT @a", "@"), ("SELECT $a", "$")] {
            check(sql, Err(&format!("not with {sign}")));
        }
        for sql in ["SELECT :", "SELECT :1", "SELECT a::text", "SELECT :名"] {
            check(sql, Err("must name a parameter after :"));
        }
    }

    #[test]
    fn length_is_bounded() {
        let sql = |bytes: usize| format!("SELECT '{}'", "a".repeat(bytes - 9));
        check(&sql(bounds::SQL_BYTES_MAX - 1), Ok(&[]));
        check(&sql(bounds::SQL_BYTES_MAX), Ok(&[]));
        check(&sql(bounds::SQL_BYTES_MAX + 1), Err("at most 16384 bytes"));
    }

    #[test]
    fn the_verb_is_the_first_word() {
        for sql in ["select 1", " -- why\n SELECT 1", "/**/Select 1"] {
            assert_eq!(scan(sql).map(|statement| statement.verb), Ok("SELECT".to_owned()), "{sql}");
        }
    }
}
