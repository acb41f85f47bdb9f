//! Programs that everybody uses: what openssl and curl make of the door.
//! Never here: what only they can do.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::client::get;
use crate::support::node::TestNode;
use crate::support::pki::{Algorithm, Authority, certificates};
use crate::support::program::PROGRAM;
use crate::support::tls::Dialer;
use crate::support::until;
use crate::{door, simple};

fn openssl(authority: &Authority, node: &TestNode, args: &[&str], input: &str) -> String {
    let mut child = Command::new("openssl")
        .args(["s_client", "-connect", &door(node).to_string(), "-servername", "shop.example", "-verify_return_error"])
        .args(["-CAfile", &authority.ca().display().to_string()])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is installed");
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

const CLOSING: &str = "GET /ping HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";

#[test]
fn openssl_gets_an_answer_in_both_versions() {
    let (authority, node) = simple(&[]);
    for (version, name) in [("-tls1_3", "TLSv1.3"), ("-tls1_2", "TLSv1.2")] {
        let text = openssl(&authority, &node, &[version, "-ign_eof", "-alpn", "http/1.1"], CLOSING);
        for word in [name, "Verify return code: 0 (ok)", "ALPN protocol: http/1.1", "HTTP/1.1 200 OK", "pong"] {
            assert!(text.contains(word), "{version}: no {word:?} in {text}");
        }
    }
}

#[test]
fn openssl_is_refused_what_is_too_old() {
    let (authority, node) = simple(&[]);
    for args in [&["-tls1_1", "-cipher", "ALL@SECLEVEL=0"][..], &["-tls1_2", "-cipher", "AES128-SHA"]] {
        let text = openssl(&authority, &node, args, CLOSING);
        assert!(!text.contains("HTTP/1.1") && text.contains("alert"), "{args:?}: {text}");
    }
}

/// RFC 5746: a second handshake on a TLS 1.2 connection is refused, the connection goes on or ends; it is never begun.
#[test]
fn openssl_may_not_renegotiate() {
    let (authority, node) = simple(&[]);
    let text = openssl(&authority, &node, &["-tls1_2"], "R\n");
    assert!(text.contains("RENEGOTIATING") && text.matches("verify return:1").count() <= 4, "{text}");
    node.until_quiet();
}

#[test]
fn check_reads_the_files() {
    let authority = Authority::new();
    let pair = authority.server("shop", &["shop.example"], Algorithm::Ecdsa);
    let config = authority.folder().join("tidegate.toml");
    std::fs::write(&config, tidegate::core::config::DEFAULTS).expect("a writable folder");
    let check = || {
        let output = Command::new(PROGRAM)
            .args(["check", "--config"])
            .arg(&config)
            .args(["--set", "tls.listen=127.0.0.1:8443", "--set", &certificates(&[&pair])])
            .envs([("WX_SECRET", "s"), ("TOKEN_KEY", "0123456789abcdef0123456789abcdef")])
            .output()
            .expect("the program starts");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(check(), (true, String::new()));
    std::fs::remove_file(&pair.key).expect("we wrote it");
    let (fits, stderr) = check();
    assert!(!fits && stderr.contains("tls.certificate[0].key") && stderr.contains("No such file"), "{stderr}");
}

/// What `systemctl reload` does: nothing ends, files are read again.
#[test]
fn a_hangup_loads_everything_again() {
    let authority = Authority::new();
    let pair = authority.server("shop", &["shop.example"], Algorithm::Ecdsa);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (database, log) = (folder.path().join("shop.db"), folder.path().join("access.log"));
    tidegate::backends::sqlite::run_script(&database, include_str!("../../src/demo/shop.sql")).expect("it runs");
    let config = folder.path().join("tidegate.toml");
    std::fs::write(&config, tidegate::core::config::DEFAULTS).expect("a writable folder");
    let mut child = Command::new(PROGRAM)
        .args(["run", "--config"])
        .arg(&config)
        .args(["--set", "server.listen=off", "--set", "tls.listen=127.0.0.1:0", "--set", "ops.listen=127.0.0.1:0"])
        .args(["--set", "server.shards=1", "--set", &certificates(&[&pair])])
        .args(["--set", &format!("database.primary=sqlite://{}", database.display())])
        .args(["--set", &format!("log.access=file:{}", log.display())])
        .envs([("WX_SECRET", "s"), ("TOKEN_KEY", "0123456789abcdef0123456789abcdef")])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("it is piped")));
    let mut line = || lines.next().expect("a line").expect("text");
    let (tls, ops) = (line(), line());
    let addr = tls.strip_prefix("listening on ").and_then(|rest| rest.strip_suffix(" with TLS")).expect(&tls);
    let metrics = format!("{}/metrics", ops.split(' ').next_back().expect("an address"));
    let ask = || Dialer::new(&authority, "shop.example").ask(addr.parse().expect("an address"), &get("/ping")).0.status;
    let lines_of = |path: &std::path::Path| std::fs::read_to_string(path).unwrap_or_default().lines().count();
    assert_eq!(ask(), 200);
    until("the answer is in the log", || lines_of(&log) == 1);
    let moved = folder.path().join("access.log.1");
    std::fs::rename(&log, &moved).expect("one file system");
    assert!(Command::new("kill").args(["-HUP", &child.id().to_string()]).status().is_ok_and(|kill| kill.success()));
    let reloaded = || {
        let output = Command::new("curl").args(["-s", &metrics]).output().expect("curl is installed");
        String::from_utf8_lossy(&output.stdout).contains("tidegate_tls_reloads_total 1")
    };
    until("the certificates are loaded again", reloaded);
    // The log is opened again behind the certificates, so the first answers may still go to the old file.
    until("the new file is written", || ask() == 200 && lines_of(&log) > 0);
    let ended = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(ended.is_ok_and(|kill| kill.success()) && child.wait().is_ok_and(|status| status.success()));
}

#[test]
fn curl_talks_to_the_demo() {
    let mut child = Command::new(PROGRAM)
        .args(["demo", "--tls", "--port=0", "--ops-port=0", "--set", "server.shards=1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("it is piped")));
    let mut greeting = String::new();
    let line = loop {
        let line = lines.next().expect("the greeting has an example").expect("text");
        greeting.push_str(&line);
        if line.contains("/auth/login") {
            break line;
        }
    };
    // The greeting's own line, as a person would paste it.
    let output = Command::new("sh").args(["-c", line.trim()]).output().expect("a shell");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let _ = (child.kill(), child.wait());
    assert!(line.contains("https://") && line.contains("--cacert"), "{line}");
    assert!(text.contains("\"token\""), "{line}: {text} {}", String::from_utf8_lossy(&output.stderr));
}
