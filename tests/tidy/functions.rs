//! Rules about functions: where they begin and end, and what they take.
//! Never here: rules about lines and files.

use crate::Complaint;
use crate::source::{Source, words};
use crate::tables::{FUNCTION_LINES_MAX, PARAMETERS_MAX};

/// A function with a name; closures and function pointers have none.
struct Function {
    name: String,
    first_line: usize,
    last_line: usize,
    /// Without `self`.
    parameters: Vec<String>,
    test: bool,
}

pub fn length(source: &Source) -> Vec<Complaint> {
    let long = |f: &Function| {
        let lines = f.last_line - f.first_line + 1;
        let what = format!(
            "fn {} has {lines} lines, {FUNCTION_LINES_MAX} fit a screen: move straight runs into helpers",
            f.name
        );
        (lines > FUNCTION_LINES_MAX).then_some(what)
    };
    complaints(source, long)
}

pub fn parameters(source: &Source) -> Vec<Complaint> {
    complaints(source, |f| {
        let count = f.parameters.len();
        let what = format!(
            "fn {} takes {count} parameters, at most {PARAMETERS_MAX}: give those that travel together a type",
            f.name
        );
        (count > PARAMETERS_MAX).then_some(what)
    })
}

pub fn bool_parameters(source: &Source) -> Vec<Complaint> {
    complaints(source, |f| {
        let is_bool = |parameter: &&String| parameter.rsplit_once(':').is_some_and(|(_, kind)| kind.trim() == "bool");
        let name = f.parameters.iter().find(is_bool)?;
        Some(format!("fn {} takes a bool ({}): say what is meant with an enum of two", f.name, name.trim()))
    })
}

fn complaints(source: &Source, judge: impl Fn(&Function) -> Option<String>) -> Vec<Complaint> {
    let complain = |f: &Function| judge(f).map(|what| Complaint { line: f.first_line, what });
    functions(source).iter().filter(|f| !f.test).filter_map(complain).collect()
}

fn functions(source: &Source) -> Vec<Function> {
    let code = source.code();
    words(&code, "fn").filter_map(|at| function_at(source, &code, at)).collect()
}

fn function_at(source: &Source, code: &str, at: usize) -> Option<Function> {
    let line_of = |at: usize| code[..at].matches('\n').count();
    let rest = code[at + 2..].trim_start();
    let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if name.is_empty() {
        return None;
    }
    let signature = code.len() - rest.len() + name.len();
    let open = signature + outside_angles(&code[signature..]).find(|(_, c)| *c == '(')?.0;
    let close = open + closing(&code[open..])?;
    let parameters = arguments(&code[open + 1..close]).into_iter().filter(|p| !is_self(p)).collect();
    let body = close + code[close..].find(['{', ';'])?;
    let end = if code[body..].starts_with('{') { body + closing(&code[body..])? } else { body };
    let first = line_of(at);
    Some(Function {
        name,
        first_line: first + 1,
        last_line: line_of(end) + 1,
        parameters,
        test: source.lines.get(first).is_some_and(|line| line.test),
    })
}

/// Characters that stand in no generic argument list. The `>` of `->` and `=>` closes nothing.
fn outside_angles(code: &str) -> impl Iterator<Item = (usize, char)> + '_ {
    let mut depth = 0_usize;
    let mut before = ' ';
    code.char_indices().filter(move |(_, c)| {
        let arrow = *c == '>' && matches!(before, '-' | '=');
        before = *c;
        match c {
            '<' => depth += 1,
            '>' if !arrow => depth = depth.saturating_sub(1),
            _ => return depth == 0,
        }
        false
    })
}

/// Where the bracket that opens `code` is closed.
fn closing(code: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// Splits a parameter list at the commas that stand in no bracket.
fn arguments(list: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0_usize;
    for (_, c) in outside_angles(list) {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts.into_iter().filter(|part| !part.trim().is_empty()).collect()
}

fn is_self(parameter: &str) -> bool {
    let pattern = parameter.split(':').next().unwrap_or_default();
    words(pattern, "self").next().is_some()
}
