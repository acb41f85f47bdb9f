//! Rules about lines, files and rooms.
//! Never here: what the rules except, see `tables`.

use crate::Complaint;
use crate::source::{Line, Source, has_word, words};
use crate::tables::{CLOCK, FENCES, FILE_LINES_MAX, LAYERS, SLEEPS, TEST_GLOBS, UNSAFE};

/// `crate::` leads only to rooms that stand before the file's own, and never to all of them at once.
pub fn layers(source: &Source) -> Vec<Complaint> {
    let Some(own) = source.room() else { return Vec::new() };
    let Some(height) = height(own) else {
        return vec![complaint(1, format!("room {own} has no layer: give it one in tests/tidy/tables.rs: LAYERS"))];
    };
    let code = source.code();
    let mut complaints = Vec::new();
    for at in words(&code, "crate").filter(|at| code[at + 5..].starts_with("::")) {
        let line = code[..at].matches('\n').count() + 1;
        let rest = &code[at + 7..];
        for room in first_segments(rest) {
            let after = rest.trim_start_matches("core").trim_start();
            if room == "core" && code[..at].ends_with("use ") && (after.starts_with(';') || after.starts_with("as ")) {
                complaints.push(complaint(line, "bare crate::core hides the core of the language: import its items"));
            }
            if self::height(&room).is_some_and(|other| other > height) {
                complaints.push(complaint(
                    line,
                    format!("{own} uses {room}, which stands above it: move the shared part down"),
                ));
            }
        }
    }
    complaints
}

/// A crate is named only where it lives, so that it can be replaced there.
pub fn fences(source: &Source) -> Vec<Complaint> {
    if source.room().is_none() {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    for line in &source.lines {
        for (crates, homes) in FENCES {
            let strangers = crates.iter().filter(|name| names_crate(&line.code, name));
            let at_home = homes.iter().any(|home| source.path.starts_with(home));
            for name in strangers.filter(|_| !at_home) {
                complaints
                    .push(complaint(line.number, format!("{name} lives in {}: ask that room", homes.join(" and "))));
            }
        }
    }
    complaints
}

pub fn clocks(source: &Source) -> Vec<Complaint> {
    let reads = |line: &&Line| line.code.contains("Instant::now(") || line.code.contains("SystemTime::now(");
    if source.room().is_none() || source.path == CLOCK {
        return Vec::new();
    }
    let what = format!("only {CLOCK} reads a clock: take the time as an argument");
    source.lines.iter().filter(reads).map(|line| complaint(line.number, what.as_str())).collect()
}

/// A file of one line owns nothing yet.
pub fn header(source: &Source) -> Vec<Complaint> {
    let said = source.lines.first().is_some_and(|line| line.raw.starts_with("//! "));
    if said || source.lines.len() < 2 {
        return Vec::new();
    }
    vec![complaint(1, "the file opens without //!: say what it owns and what must never happen in it")]
}

pub fn room_fence(source: &Source) -> Vec<Complaint> {
    let is_room =
        source.path.starts_with("src/") && source.path.matches('/').count() == 2 && source.path.ends_with("/mod.rs");
    let mut head = source.lines.iter().take_while(|line| line.raw.starts_with("//!"));
    if !is_room || head.any(|line| line.comment.contains("Never here")) {
        return Vec::new();
    }
    vec![complaint(1, "the room does not say \"Never here: …\" in its header")]
}

pub fn file_length(source: &Source) -> Vec<Complaint> {
    let lines = source.shipped().count();
    if lines <= FILE_LINES_MAX {
        return Vec::new();
    }
    let what = format!("{lines} lines without tests, {FILE_LINES_MAX} are the most: it is about two things, part them");
    vec![complaint(1, what)]
}

pub fn unwraps(source: &Source) -> Vec<Complaint> {
    let what = "unwrap says nothing: return the error, or expect(\"why it cannot fail\") at start-up";
    find(source.shipped(), |line| line.code.contains(".unwrap()") || line.code.contains(".unwrap_err()"), what)
}

pub fn leftovers(source: &Source) -> Vec<Complaint> {
    if source.path.starts_with("tests/tidy/") {
        return Vec::new();
    }
    let noted = |line: &&Line| ["TODO", "FIXME", "XXX"].into_iter().any(|word| has_word(&line.comment, word));
    let held = |line: &&Line| line.code.contains("todo!(") || line.code.contains("unimplemented!(");
    find(source.lines.iter(), |line| noted(line) || held(line), "left for later: do it, or leave it out")
}

/// `unsafe` stands in named files only, each time behind a comment that argues why it is sound.
pub fn unsafety(source: &Source) -> Vec<Complaint> {
    if source.room().is_none() {
        return Vec::new();
    }
    let named = UNSAFE.iter().any(|(path, _)| *path == source.path);
    let mut complaints = Vec::new();
    for (index, line) in source.lines.iter().enumerate().filter(|(_, line)| has_word(&line.code, "unsafe")) {
        if !named {
            let what = "unsafe in a file that is not named: do without, or add it to tests/tidy/tables.rs: UNSAFE with its reason";
            complaints.push(complaint(line.number, what));
        } else if !argued(&source.lines[..=index]) {
            complaints.push(complaint(line.number, "unsafe without // SAFETY: say why it is sound, right above it"));
        }
    }
    complaints
}

pub fn globs(source: &Source) -> Vec<Complaint> {
    let excused = |line: &&Line| {
        let path = line.code.trim().trim_start_matches("pub ").trim_start_matches("use ");
        line.test && TEST_GLOBS.iter().any(|glob| path.trim_end_matches(';') == *glob)
    };
    let glob = |line: &&Line| line.code.contains("::*") || line.code.trim() == "*," || line.code.contains("{*");
    find(source.lines.iter(), |line| glob(line) && !excused(line), "a glob import: name what is used")
}

pub fn climbs(source: &Source) -> Vec<Complaint> {
    let what = "super::super: write the path from crate::";
    find(source.lines.iter(), |line| line.code.contains("super::super"), what)
}

/// Load generators and build scripts may keep time by sleeping; the server and its tests may not.
pub fn sleeps(source: &Source) -> Vec<Complaint> {
    let bound = source.path.starts_with("src/") || source.path.starts_with("tests/");
    if !bound || SLEEPS.iter().any(|(path, _)| *path == source.path) {
        return Vec::new();
    }
    let sleeps = |line: &&Line| words(&line.code, "sleep").any(|at| line.code[at + 5..].starts_with('('));
    let what = "a sleep: wait for the event itself, with a deadline; a file that must sleep is in tests/tidy/tables.rs: SLEEPS";
    find(source.lines.iter(), sleeps, what)
}

fn find<'a>(lines: impl Iterator<Item = &'a Line>, broken: impl Fn(&&Line) -> bool, what: &str) -> Vec<Complaint> {
    lines.filter(broken).map(|line| complaint(line.number, what)).collect()
}

fn complaint(line: usize, what: impl Into<String>) -> Complaint {
    Complaint { line, what: what.into() }
}

fn height(room: &str) -> Option<usize> {
    LAYERS.iter().position(|rooms| rooms.contains(&room))
}

/// The rooms that `crate::` is followed by: one, or those of a braced list.
fn first_segments(rest: &str) -> Vec<String> {
    let ident = |text: &str| text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let Some(list) = rest.trim_start().strip_prefix('{') else { return vec![ident(rest)] };
    let mut depth = 0_usize;
    let mut starts = vec![0];
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => starts.push(at + 1),
            _ => {}
        }
    }
    starts.into_iter().map(|at| ident(&list[at..])).collect()
}

/// Whether a path starts with that crate: `name::…`, `use name;`, `use name as …`.
fn names_crate(code: &str, name: &str) -> bool {
    words(code, name).any(|at| {
        let (before, after) = (code[..at].trim_end(), &code[at + name.len()..]);
        let of_another_path = before.ends_with("::") && !before.trim_end_matches("::").is_empty();
        let imported = before.ends_with("use") || before.ends_with("extern crate");
        !of_another_path && (after.starts_with("::") || imported)
    })
}

/// Whether a SAFETY comment stands on the last line, or above it within the same statement.
fn argued(lines: &[Line]) -> bool {
    let argues = |line: &Line| line.comment.contains("SAFETY:") || line.comment.contains("# Safety");
    let Some((last, above)) = lines.split_last() else { return false };
    let of_statement = above.iter().rev().take_while(|line| {
        let code = line.code.trim();
        !line.raw.trim().is_empty() && !code.ends_with([';', '{', '}'])
    });
    argues(last) || of_statement.into_iter().any(argues)
}
