//! The documents are true where a machine can tell: links lead somewhere, both languages show the same code, the example is a
//! valid configuration, and the tables of codes and metrics are complete.
//! Never here: the wording.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidegate::actions::Registry;
use tidegate::actions::service::Service;
use tidegate::core::config::{Outside, load};
use tidegate::core::ledger::catalogue::CATALOGUE;
use tidegate::core::ledger::classes::FAULT_CODES;

const README: &str = include_str!("../README.md");
const README_ZH: &str = include_str!("../README.zh-CN.md");
const OPERATING: &str = include_str!("../docs/operating.md");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn documents(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a readable directory") {
        let path = entry.expect("a readable entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            documents(&path, into);
        } else if name.ends_with(".md") {
            into.push(path);
        }
    }
}

/// Lines outside code blocks.
fn prose(text: &str) -> String {
    let mut inside = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if !inside {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    prose
}

/// Code blocks, the word after the fence first.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines() {
        match (&mut block, line.strip_prefix("```")) {
            (None, Some(word)) => block = Some(format!("{word}\n")),
            (Some(_), Some(_)) => blocks.extend(block.take()),
            (Some(block), None) => *block += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    blocks
}

fn links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_owned()).collect()
}

/// The anchor that a renderer makes of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

fn has_anchor(text: &str, wanted: &str) -> bool {
    prose(text).lines().filter(|line| line.starts_with('#')).any(|line| anchor(line.trim_start_matches('#')) == wanted)
}

/// Why a link leads nowhere.
fn broken(document: &Path, text: &str, link: &str) -> Option<String> {
    let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
    let target = document.parent().unwrap_or(document).join(path);
    let there = if path.is_empty() {
        Some(text.to_owned())
    } else {
        target.exists().then(|| fs::read_to_string(&target).unwrap_or_default())
    };
    match there {
        None => Some(format!("{}: {link}: no such file", document.display())),
        Some(text) if !fragment.is_empty() && !has_anchor(&text, fragment) => {
            Some(format!("{}: {link}: no such heading", document.display()))
        }
        Some(_) => None,
    }
}

#[test]
fn links_lead_somewhere() {
    let mut paths = Vec::new();
    documents(root(), &mut paths);
    assert!(paths.len() >= 6, "the documents were found: {paths:?}");
    let mut complaints = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).expect("a readable document");
        let relative = links(&prose(&text)).into_iter().filter(|link| !link.contains("://"));
        complaints.extend(relative.filter_map(|link| broken(&path, &text, &link)));
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn both_readmes_show_the_same_code() {
    let (english, chinese) = (blocks(README), blocks(README_ZH));
    assert!(english.len() > 3, "the blocks were found");
    assert_eq!(english, chinese);
}

#[test]
fn the_readmes_configuration_is_valid() {
    let example = blocks(README).into_iter().find_map(|block| block.strip_prefix("toml\n").map(str::to_owned));
    let variable = |name: &str| match name {
        "WX_APPID" => Some("wx4f4bc4dec97d474b".to_owned()),
        _ => Some("thirty-two-characters-at-the-very-least".to_owned()),
    };
    let file = |_: &Path| Err(std::io::Error::other("the example names no file"));
    let outside = Outside { variable: &variable, file: &file };
    let config = load(&example.expect("a toml block"), &outside).expect("the example is valid");
    let service = Service::build(Arc::new(config), &Registry::standard()).expect("its actions are valid");
    assert_eq!((service.config.queries.len(), service.config.transactions.len(), service.routes.len()), (1, 1, 3));
}

fn chapter(heading: &str) -> &'static str {
    let (_, chapter) = OPERATING.split_once(&format!("\n## {heading}\n")).expect("the chapter");
    chapter.split("\n## ").next().unwrap_or_default()
}

/// The first cells of the first table below a heading, without back-quotes.
fn first_cells(heading: &str) -> BTreeSet<String> {
    let rows = chapter(heading).lines().skip_while(|line| !line.starts_with("|--")).skip(1);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.filter_map(|row| row.split('|').nth(1)).map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
}

#[test]
fn every_error_code_is_explained_and_exists() {
    let codes = FAULT_CODES.iter().map(ToString::to_string).collect();
    assert_eq!(first_cells("Error codes"), codes, "docs/operating.md: one row for each code of core/fault.rs");
}

#[test]
fn every_metric_is_explained_and_exists() {
    let names = CATALOGUE.iter().map(|metric| metric.name.to_owned()).collect();
    assert_eq!(first_cells("Metrics"), names, "docs/operating.md: one row for each metric of core/ledger/catalogue.rs");
}

#[test]
fn alerts_are_on_metrics_that_exist() {
    let words = chapter("Alerts").split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let asked: BTreeSet<&str> = words.filter(|word| word.starts_with("tidegate_")).collect();
    let known: BTreeSet<&str> = CATALOGUE.iter().map(|metric| metric.name).collect();
    assert!(asked.len() > 10, "{asked:?}");
    assert!(asked.is_subset(&known), "{:?}", asked.difference(&known));
}
