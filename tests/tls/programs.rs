//! Programs that everybody uses: what openssl and curl make of the door.
//! Never here: what only they can do.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::node::TestNode;
use crate::support::pki::Authority;
use crate::support::program::PROGRAM;
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
