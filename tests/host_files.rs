//! What an operator installs on a host is well formed: the unit, the kernel settings, the scripts.
//! Never here: changing the host that runs the tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(repository(path)).expect("a file of the repository")
}

fn settings(file: &str) -> Vec<(String, String)> {
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())).collect()
}

/// Runs a checker that a build machine may lack; `None`, with a word about it, when it does.
fn checked_by(program: &str, args: &[&str]) -> Option<Output> {
    match Command::new(program).args(args).output() {
        Ok(output) => Some(output),
        Err(_) => {
            eprintln!("skipped: {program} is not installed");
            None
        }
    }
}

fn both(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn systemd_accepts_the_unit() {
    let dir = tempfile::tempdir().expect("a directory");
    let unit = dir.path().join("tidegate.service");
    // systemd wants the program to be there, and the build machine has not installed it.
    fs::write(&unit, text("systemd/tidegate.service").replace("/usr/local/bin/tidegate", "/bin/true")).expect("a file");
    let unit = unit.to_str().expect("a UTF-8 path");
    if let Some(output) = checked_by("systemd-analyze", &["verify", "--man=no", unit]) {
        let said = both(&output);
        assert!(output.status.success() && !said.contains("tidegate.service"), "{said}");
    }
    // 0 is sealed, 100 is open; a plain service has about 95.
    if let Some(output) = checked_by("systemd-analyze", &["security", "--offline=yes", "--threshold=20", unit]) {
        assert!(output.status.success(), "{}", both(&output));
    }
}

#[test]
fn the_unit_says_what_the_server_relies_on() {
    let unit = settings(&text("systemd/tidegate.service"));
    let has = |key: &str, value: &str| {
        assert!(unit.iter().any(|(k, v)| k == key && v.contains(value)), "{key}={value}");
    };
    has("Type", "notify");
    has("KillSignal", "SIGTERM");
    has("Environment", "MIMALLOC_PURGE_DELAY=0");
    has("LimitMEMLOCK", "infinity");
    has("SystemCallFilter", "io_uring_setup io_uring_enter io_uring_register");
    has("ExecReload", "-HUP $MAINPID");
    has("CapabilityBoundingSet", "CAP_NET_BIND_SERVICE");
    // A capability in the bounding set alone helps no user but root.
    has("AmbientCapabilities", "CAP_NET_BIND_SERVICE");
    let number = |key: &str| -> u64 {
        let value = unit.iter().find(|(k, _)| k == key).and_then(|(_, value)| value.parse().ok());
        value.expect("a plain number")
    };
    let server = text("tidegate.toml").parse::<toml::Table>().expect("TOML")["server"].clone();
    let connections = server["connections_max"].as_integer().expect("a number") as u64;
    assert!(number("LimitNOFILE") > 50 * connections, "enough for the defaults on 50 shards");
    let drain = server["drain_timeout"].as_str().and_then(|text| text.strip_suffix('s')?.parse().ok());
    assert!(drain.is_some_and(|drain: u64| number("TimeoutStopSec") > 2 * drain), "a drain is not cut off: {drain:?}");
    let filters: Vec<&str> = unit.iter().filter(|(k, _)| k == "SystemCallFilter").map(|(_, v)| v.as_str()).collect();
    assert!(
        filters.first().is_some_and(|first| !first.starts_with('~')),
        "the first filter makes it a list of what is allowed"
    );
}

#[test]
fn shell_scripts_are_clean() {
    let scripts = ["tuning/apply.sh", "tuning/verify.sh", "tests/proof/run.sh", ".ci/run"].map(repository);
    let scripts = scripts.each_ref().map(|path| path.to_str().expect("a UTF-8 path"));
    if let Some(output) = checked_by("shellcheck", &scripts) {
        assert!(output.status.success(), "{}", both(&output));
    }
}

#[test]
fn every_kernel_setting_has_a_reason_and_stands_alone() {
    let conf = text("tuning/90-tidegate.conf");
    let mut before = "";
    for line in conf.lines() {
        if line.contains(" = ") && !line.starts_with('#') {
            assert!(before.starts_with("# "), "{line}: a comment right above it gives the reason");
        }
        before = line;
    }
    let mut keys: Vec<String> = settings(&conf).into_iter().map(|(key, _)| key).collect();
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count, "a setting that stands twice has two values");
}

/// A tree like /proc/sys in which every setting is as wanted.
struct Host(tempfile::TempDir);

impl Host {
    fn as_wanted() -> Self {
        let host = Self(tempfile::tempdir().expect("a directory"));
        for (key, value) in settings(&text("tuning/90-tidegate.conf")) {
            host.set(key.trim_start_matches('-'), &value.replace(' ', "\t"));
        }
        host
    }

    fn file(&self, key: &str) -> PathBuf {
        self.0.path().join(key.replace('.', "/"))
    }

    fn set(&self, key: &str, value: &str) {
        let file = self.file(key);
        fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
        fs::write(file, format!("{value}\n")).expect("a file");
    }

    /// Whether verify.sh is content, and what it says.
    fn check(&self, content: bool, words: &str) {
        let script = repository("tuning/verify.sh");
        let output = Command::new(script).env("TIDEGATE_PROC_SYS", self.0.path()).output().expect("bash");
        let said = both(&output);
        assert_eq!(output.status.code(), Some(i32::from(!content)), "{said}");
        assert!(said.contains(words), "{words:?} in:\n{said}");
    }
}

#[test]
fn verify_accepts_what_is_wanted_and_what_goes_further() {
    let host = Host::as_wanted();
    host.check(true, "all settings are in force");
    host.set("net.core.somaxconn", "32767");
    host.check(false, "BAD   net.core.somaxconn                     32768          32767");
    host.set("net.core.somaxconn", "32769");
    host.check(true, "32769");
}

#[test]
fn verify_names_what_differs() {
    let host = Host::as_wanted();
    host.set("net.ipv4.tcp_slow_start_after_idle", "1");
    host.set("net.ipv4.ip_local_port_range", "32768\t60999");
    host.check(false, "2 settings differ: sudo ");
    host.check(false, "10240 65535    32768 60999");
}

#[test]
fn verify_forgives_only_what_a_kernel_may_lack() {
    let host = Host::as_wanted();
    fs::remove_file(host.file("kernel.io_uring_disabled")).expect("a file");
    host.check(true, "not in this kernel");
    fs::remove_file(host.file("net.core.somaxconn")).expect("a file");
    host.check(false, "unreadable");
}
