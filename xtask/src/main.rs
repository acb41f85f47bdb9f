//! `cargo xtask test` and `cargo xtask ci`: what a fresh checkout needs, and what a change must pass.
//! Never here: building or running the product in another way than cargo does.

mod ci;
mod tools;

use std::path::Path;
use std::process::{Command, ExitCode};

const HELP: &str = "\
cargo xtask test [ARGS]   install what the tests call, then cargo test --workspace [ARGS]
cargo xtask ci            format, clippy, rustdoc, licences, tests: what a change must pass
";

/// Why a step ended the run, for a person.
pub type Outcome = Result<(), String>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args.as_slice() {
        ["test", rest @ ..] => test(rest),
        ["ci"] => ci::run(),
        ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        _ => Err(format!("{args:?} is no command\n{HELP}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Runs all tests of the workspace; `extra` goes to `cargo test` as it is.
///
/// # Errors
/// A tool that is missing and cannot be installed, or a test that failed.
pub fn test(extra: &[&str]) -> Outcome {
    tools::provide(&tools::FOR_TESTS)?;
    cargo(&[&["test", "--workspace"], extra].concat(), &[])
}

/// Runs cargo in the root of the workspace, with those variables besides the environment.
///
/// # Errors
/// When it cannot be started or fails.
pub fn cargo(args: &[&str], env: &[(&str, &str)]) -> Outcome {
    let program = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let line = format!("cargo {}", args.join(" "));
    println!("> {line}");
    let mut command = Command::new(program);
    command.args(args).envs(env.iter().copied()).current_dir(root());
    run(&mut command).map_err(|why| format!("{line}: {why}"))
}

/// Runs a command to its end, output going through.
///
/// # Errors
/// When it cannot be started or fails.
pub fn run(command: &mut Command) -> Outcome {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(status.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// The workspace, whatever directory the command was typed in.
pub fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}
