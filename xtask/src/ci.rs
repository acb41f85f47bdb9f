//! What a change must pass, cheapest first.
//! Never here: a check that only a server of ours could run.

use std::process::{Command, Stdio};

use crate::{Outcome, cargo, root};

/// All checks; ends at the first that fails.
///
/// # Errors
/// The command that failed.
pub fn run() -> Outcome {
    cargo(&["fmt", "--all", "--check"], &[])?;
    cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], &[])?;
    cargo(&["doc", "--workspace", "--no-deps"], &[("RUSTDOCFLAGS", "-D warnings")])?;
    dependencies()?;
    crate::test(&[])
}

/// Licences, sources and bans need nothing but the lock file; advisories need a database from the net.
fn dependencies() -> Outcome {
    if !quiet(&["deny", "--version"]) {
        println!("skipped: cargo deny is not installed (cargo install --locked cargo-deny)");
        return Ok(());
    }
    cargo(&["deny", "--locked", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"], &[])?;
    if !quiet(&["deny", "--locked", "fetch", "db"]) {
        println!("skipped: cargo deny check advisories, its database cannot be fetched from here");
        return Ok(());
    }
    cargo(&["deny", "--locked", "check", "--disable-fetch", "advisories"], &[])
}

/// Whether a cargo command succeeds; what it prints does not matter.
fn quiet(args: &[&str]) -> bool {
    let mut command = Command::new("cargo");
    command.args(args).current_dir(root()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
