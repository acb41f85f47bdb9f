//! Where a configuration comes from: a file, the environment, overrides on the command line.
//! Never here: what it means.

use std::fs;
use std::path::Path;

use crate::core::config::checked::Config;
use crate::core::config::{ConfigError, Outside, load_with};

/// Reads, expands and checks a configuration text.
///
/// # Errors
/// Every mistake in it.
pub fn load_text(text: &str, overrides: &[String]) -> Result<Config, Vec<ConfigError>> {
    let outside = Outside { variable: &|name| std::env::var(name).ok(), file: &|path| fs::read_to_string(path) };
    load_with(text, overrides, &outside)
}

/// As [`load_text`], from a file; mistakes as lines for a person.
///
/// # Errors
/// The file cannot be read, or is wrong.
pub fn load_file(path: &Path, overrides: &[String]) -> Result<Config, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    load_text(&text, overrides).map_err(|errors| format!("{} is not valid:\n{}", path.display(), lines(&errors)))
}

/// One mistake a line.
#[must_use]
pub fn lines(errors: &[ConfigError]) -> String {
    errors.iter().map(|error| format!("  {error}")).collect::<Vec<_>>().join("\n")
}
