//! Programs that the tests call: which are missing, and how they get onto a Debian machine.
//! Never here: installing anything that is already there.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{Outcome, run};

/// Something that the tests need.
pub struct Tool {
    /// A program to be found in `PATH`, or a file with its whole path.
    pub program: &'static str,
    /// The Debian package that brings it.
    pub package: &'static str,
}

/// A line here is all that a new tool costs.
pub const FOR_TESTS: [Tool; 8] = [
    // SQLite and the cryptography are compiled from C.
    Tool { program: "cc", package: "build-essential" },
    Tool { program: "curl", package: "curl" },
    // The other TLS: handshakes, renegotiation, versions too old.
    Tool { program: "openssl", package: "openssl" },
    // Signals to the server, which a slim image cannot send.
    Tool { program: "kill", package: "procps" },
    // Hosts that forbid io_uring; where tracing is forbidden, that test says so and rests.
    Tool { program: "strace", package: "strace" },
    Tool { program: "shellcheck", package: "shellcheck" },
    // The balancer whose PROXY headers are read.
    Tool { program: "/usr/sbin/haproxy", package: "haproxy" },
    Tool { program: "/etc/ssl/certs/ca-certificates.crt", package: "ca-certificates" },
];

/// How packages can be installed here.
#[derive(Debug, PartialEq, Eq)]
enum Installer {
    AsRoot,
    WithSudo,
    /// By hand only, for this reason.
    None(&'static str),
}

/// Installs what is missing; does nothing, and needs no right to, when all is there.
///
/// # Errors
/// Names the command to type when it may not install by itself, or what apt-get said.
pub fn provide(tools: &[Tool]) -> Outcome {
    let path = env::var("PATH").unwrap_or_default();
    let packages = missing(tools, &path);
    if packages.is_empty() {
        return Ok(());
    }
    let line = format!("apt-get install --yes --no-install-recommends {}", packages.join(" "));
    let mut command = match installer(&path) {
        Installer::AsRoot => Command::new("apt-get"),
        Installer::WithSudo => {
            let mut sudo = Command::new("sudo");
            sudo.args(["-n", "apt-get"]);
            sudo
        }
        Installer::None(why) => return Err(format!("missing: {}; {why}: sudo {line}", packages.join(", "))),
    };
    println!("> {line}");
    // A fresh image has no package lists; an old list names files that are gone.
    let mut update = Command::new(command.get_program());
    update.args(command.get_args()).args(["update", "--quiet"]);
    run(&mut update).map_err(|why| format!("apt-get update: {why}"))?;
    command.args(["install", "--yes", "--no-install-recommends"]).args(&packages);
    run(command.env("DEBIAN_FRONTEND", "noninteractive")).map_err(|why| format!("{line}: {why}"))?;
    let still = missing(tools, &path);
    if still.is_empty() { Ok(()) } else { Err(format!("still missing after {line}: {}", still.join(", "))) }
}

/// Packages of the tools that are not there, each once.
fn missing(tools: &[Tool], path: &str) -> Vec<&'static str> {
    let mut packages: Vec<_> =
        tools.iter().filter(|tool| !is_there(tool.program, path)).map(|tool| tool.package).collect();
    packages.dedup();
    packages
}

fn is_there(program: &str, path: &str) -> bool {
    if program.starts_with('/') {
        return Path::new(program).exists();
    }
    let executable = |file: fs::Metadata| file.is_file() && file.permissions().mode() & 0o111 != 0;
    env::split_paths(path).any(|dir| fs::metadata(dir.join(program)).is_ok_and(executable))
}

fn installer(path: &str) -> Installer {
    if !is_there("apt-get", path) {
        return Installer::None("this is no Debian, find the packages of these names; on Debian it would be");
    }
    let says = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).stdin(Stdio::null()).stderr(Stdio::null()).output();
        output.ok().filter(|output| output.status.success())
    };
    if says("id", &["-u"]).is_some_and(|output| output.stdout.trim_ascii() == b"0") {
        return Installer::AsRoot;
    }
    match says("sudo", &["-n", "true"]) {
        Some(_) => Installer::WithSudo,
        None => Installer::None("neither root nor sudo without a password; type"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_asked_for() {
        let dir = env::temp_dir().join(format!("xtask-tools-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a directory");
        let program = |name: &str, mode| {
            let path = dir.join(name);
            fs::write(&path, "").expect("a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
        };
        program("there", 0o755);
        program("no-program", 0o644);
        let tool = |program, package| Tool { program, package };
        let tools = [
            tool("there", "one"),
            tool("no-program", "two"),
            tool("not-there", "two"),
            tool("/nowhere/at/all", "three"),
            tool("/", "four"),
        ];
        let path = format!("/nowhere:{}", dir.display());
        assert_eq!(missing(&tools, &path), ["two", "three"]);
        assert_eq!(missing(&tools[..1], &path), Vec::<&str>::new());
        fs::remove_dir_all(&dir).expect("our own directory");
    }

    #[test]
    fn other_distributions_are_told_what_to_install() {
        assert!(matches!(installer("/nowhere"), Installer::None(why) if why.contains("no Debian")));
    }
}
