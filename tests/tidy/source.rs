//! A source file as the rules see it: code without comments and text, comments apart, test code marked.
//! Never here: a rule.

/// One file.
pub struct Source {
    /// Relative to the repository, with `/`.
    pub path: String,
    pub lines: Vec<Line>,
}

/// One line, taken apart.
#[derive(Debug, Default)]
pub struct Line {
    /// Counted from one.
    pub number: usize,
    /// As written.
    pub raw: String,
    /// Without comments; what literals contain is blank.
    pub code: String,
    /// Text of the comments on this line.
    pub comment: String,
    /// Whether it is compiled for tests only.
    pub test: bool,
}

/// What the scanner is inside of.
enum Inside {
    Code,
    LineComment,
    /// Nested so deep.
    BlockComment(usize),
    Text,
    /// Closed by a quote and so many hashes.
    RawText(usize),
}

impl Source {
    pub fn parse(path: &str, text: &str) -> Self {
        let mut lines = split(text);
        if path.starts_with("tests/") || path.starts_with("benches/") || path.ends_with("/tests.rs") {
            lines.iter_mut().for_each(|line| line.test = true);
        }
        mark_test_items(&mut lines);
        Self { path: path.to_owned(), lines }
    }

    /// The room of a file under `src/`.
    pub fn room(&self) -> Option<&str> {
        let rest = self.path.strip_prefix("src/")?;
        Some(rest.split_once('/').map_or_else(|| rest.trim_end_matches(".rs"), |(room, _)| room))
    }

    /// Lines that are compiled into the program.
    pub fn shipped(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| !line.test)
    }

    /// Paths, without extension, of the modules that this file declares for tests only.
    pub fn test_modules(&self) -> Vec<String> {
        let dir = self.path.trim_end_matches(".rs").trim_end_matches("/mod").trim_end_matches("/lib");
        let declared = self.lines.iter().filter(|line| line.test).filter_map(|line| {
            let declaration = line.code.trim().trim_start_matches("#[cfg(test)]").trim();
            declaration.strip_prefix("pub ").unwrap_or(declaration).strip_prefix("mod ")?.strip_suffix(';')
        });
        declared.map(|name| format!("{dir}/{name}")).collect()
    }

    /// Whether this file is the module of that path, or lies below it.
    pub fn is_module(&self, module: &str) -> bool {
        self.path.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    }

    pub fn become_test(&mut self) {
        self.lines.iter_mut().for_each(|line| line.test = true);
    }

    /// The code of the whole file, a line break after each line.
    pub fn code(&self) -> String {
        self.lines.iter().flat_map(|line| [line.code.as_str(), "\n"]).collect()
    }
}

/// Whether `word` stands in `code` with nothing of an identifier around it.
pub fn has_word(code: &str, word: &str) -> bool {
    words(code, word).next().is_some()
}

/// Where `word` stands in `code` as a whole identifier.
pub fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = code[..*at].chars().next_back().is_some_and(part);
        let after = code[at + word.len()..].chars().next().is_some_and(part);
        !before && !after
    })
}

fn split(text: &str) -> Vec<Line> {
    let mut inside = Inside::Code;
    text.lines()
        .enumerate()
        .map(|(index, raw)| {
            let mut line = Line { number: index + 1, raw: raw.to_owned(), ..Line::default() };
            inside = scan(raw, std::mem::replace(&mut inside, Inside::Code), &mut line);
            line
        })
        .collect()
}

/// Sorts the characters of one line, and says what the next line begins inside of.
fn scan(raw: &str, mut inside: Inside, line: &mut Line) -> Inside {
    let chars: Vec<char> = raw.chars().collect();
    let starts = |at: usize, text: &str| text.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c));
    let mut at = 0;
    while at < chars.len() {
        let mut step = 1;
        inside = match inside {
            Inside::Code if starts(at, "//") => Inside::LineComment,
            Inside::Code if starts(at, "/*") => {
                step = 2;
                Inside::BlockComment(1)
            }
            Inside::Code => {
                let (length, next) = literal_at(&chars, at);
                step = length.max(1);
                if length == 0 {
                    line.code.push(chars[at])
                } else {
                    line.code.push('"')
                }
                next
            }
            Inside::LineComment => {
                line.comment.push(chars[at]);
                Inside::LineComment
            }
            Inside::BlockComment(depth) if starts(at, "*/") => {
                step = 2;
                if depth == 1 { Inside::Code } else { Inside::BlockComment(depth - 1) }
            }
            Inside::BlockComment(depth) if starts(at, "/*") => {
                step = 2;
                Inside::BlockComment(depth + 1)
            }
            Inside::BlockComment(depth) => {
                line.comment.push(chars[at]);
                Inside::BlockComment(depth)
            }
            Inside::Text if chars[at] == '\\' => {
                step = 2;
                Inside::Text
            }
            Inside::Text if chars[at] == '"' => Inside::Code,
            Inside::Text => Inside::Text,
            Inside::RawText(hashes) if chars[at] == '"' && starts(at + 1, &"#".repeat(hashes)) => {
                step = 1 + hashes;
                Inside::Code
            }
            Inside::RawText(hashes) => Inside::RawText(hashes),
        };
        at += step;
    }
    if matches!(inside, Inside::LineComment) { Inside::Code } else { inside }
}

/// How many characters open (or are) a literal at this place, 0 when none, and what follows is inside of.
fn literal_at(chars: &[char], at: usize) -> (usize, Inside) {
    let get = |offset: usize| chars.get(at + offset).copied();
    let in_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match chars[at] {
        '"' => (1, Inside::Text),
        'r' | 'b' | 'c' if !in_word => {
            let prefix = usize::from(matches!(get(1), Some('r')) && chars[at] != 'r') + 1;
            let hashes = (0..).take_while(|more| get(prefix + more) == Some('#')).count();
            let raw = chars[at + prefix - 1] == 'r';
            if raw && get(prefix + hashes) == Some('"') {
                return (prefix + hashes + 1, Inside::RawText(hashes));
            }
            (0, Inside::Code)
        }
        // A character, not a lifetime: escaped, or closed right after one character.
        '\'' if get(1) == Some('\\') => {
            let close = (3..).take_while(|offset| get(*offset).is_some_and(|c| c != '\'')).count() + 3;
            (close + 1, Inside::Code)
        }
        '\'' if get(2) == Some('\'') => (3, Inside::Code),
        _ => (0, Inside::Code),
    }
}

/// Marks what `#[cfg(test)]` stands before: up to the closing brace, or to the semicolon of an item without braces.
fn mark_test_items(lines: &mut [Line]) {
    let mut depth: Option<usize> = None;
    for line in lines {
        let code = line.code.as_str();
        if depth.is_none() && (code.contains("#[cfg(test)]") || code.contains("#[cfg(all(test")) {
            depth = Some(0);
        }
        let Some(mut open) = depth else { continue };
        line.test = true;
        let mut ended = false;
        for c in code.chars() {
            match c {
                '{' => open += 1,
                '}' => {
                    open = open.saturating_sub(1);
                    ended |= open == 0;
                }
                ';' => ended |= open == 0,
                _ => {}
            }
        }
        depth = if ended { None } else { Some(open) };
    }
}
