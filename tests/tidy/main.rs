//! The house rules that a machine can hold; docs/style.md has them all. One test a rule, so that a failure names it.
//! Never here: a rule without a cure in its message.

mod functions;
mod rules;
mod snippets;
mod source;
mod tables;

use std::collections::HashSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use source::Source;

/// A broken rule: where, what, and how to mend it.
#[derive(Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Counted from one.
    pub line: usize,
    pub what: String,
}

pub type Rule = fn(&Source) -> Vec<Complaint>;

/// Everything that is ours and Rust, paths relative to the repository, sorted.
fn tree() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for part in ["src", "tests", "xtask", "benches"] {
        collect(&root.join(part), &mut paths);
    }
    paths.sort();
    let mut sources: Vec<Source> = paths
        .iter()
        .map(|path| {
            let text = fs::read_to_string(path).expect("a readable source file");
            let relative = path.strip_prefix(root).expect("a path below the root");
            Source::parse(relative.to_str().expect("a UTF-8 path"), &text)
        })
        .collect();
    let test_modules: HashSet<String> = sources.iter().flat_map(Source::test_modules).collect();
    for source in &mut sources {
        if test_modules.iter().any(|module| source.is_module(module)) {
            source.become_test();
        }
    }
    sources
}

fn collect(dir: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.expect("a readable directory").path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

fn hold(rule: Rule) {
    let mut report = String::new();
    for source in tree() {
        for Complaint { line, what } in rule(&source) {
            let _ = writeln!(report, "{}:{line}: {what}", source.path);
        }
    }
    assert!(report.is_empty(), "\n{report}");
}

#[test]
fn a_room_uses_only_rooms_below_it() {
    hold(rules::layers);
}

#[test]
fn a_crate_lives_in_its_room() {
    hold(rules::fences);
}

#[test]
fn clocks_are_read_in_one_place() {
    hold(rules::clocks);
}

#[test]
fn every_file_says_what_it_owns() {
    hold(rules::header);
}

#[test]
fn every_room_says_what_never_happens_there() {
    hold(rules::room_fence);
}

#[test]
fn a_file_is_about_one_thing() {
    hold(rules::file_length);
}

#[test]
fn a_function_fits_a_screen() {
    hold(functions::length);
}

#[test]
fn a_function_has_few_parameters() {
    hold(functions::parameters);
}

#[test]
fn a_parameter_is_no_bool() {
    hold(functions::bool_parameters);
}

#[test]
fn nothing_unwraps() {
    hold(rules::unwraps);
}

#[test]
fn nothing_is_left_for_later() {
    hold(rules::leftovers);
}

#[test]
fn unsafe_code_is_named_and_argued() {
    hold(rules::unsafety);
}

#[test]
fn imports_are_named() {
    hold(rules::globs);
}

#[test]
fn paths_climb_one_step() {
    hold(rules::climbs);
}

#[test]
fn nothing_sleeps() {
    hold(rules::sleeps);
}

/// A row that excuses nothing would excuse the next file of that name.
#[test]
fn no_excuse_outlives_its_reason() {
    let sources = tree();
    let used = |path: &str, word: &str| {
        sources
            .iter()
            .any(|source| source.path == path && source.lines.iter().any(|line| source::has_word(&line.code, word)))
    };
    for (path, _) in tables::UNSAFE {
        assert!(used(path, "unsafe"), "tests/tidy/tables.rs: {path} needs no row in UNSAFE any more: delete it");
    }
    for (path, _) in tables::SLEEPS {
        assert!(used(path, "sleep"), "tests/tidy/tables.rs: {path} needs no row in SLEEPS any more: delete it");
    }
}
