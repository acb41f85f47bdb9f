//! The generator over TLS, against a server of a few lines: it counts right, resumes when asked, and says what it does not get.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tidegate-load");

/// Answers every GET with `body_bytes` bytes until the client goes. `None` without openssl.
fn serve(alpn: &[u8], body_bytes: usize) -> Option<SocketAddr> {
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
    let Ok(made) = command.args(["-days", "2", "-subj", "/CN=localhost", "-keyout", "-", "-out", "-"]).output() else {
        eprintln!("openssl is not installed");
        return None;
    };
    let chain = CertificateDer::pem_slice_iter(&made.stdout).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(&made.stdout).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![alpn.to_vec()];
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let session = ServerConnection::new(config.clone()).unwrap();
            let stream = StreamOwned::new(session, stream.unwrap());
            std::thread::spawn(move || answer_all(stream, body_bytes));
        }
    });
    Some(addr)
}

fn answer_all(mut stream: StreamOwned<ServerConnection, TcpStream>, body_bytes: usize) {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {body_bytes}\r\n\r\n");
    let answer = [head.into_bytes(), vec![b'x'; body_bytes]].concat();
    let mut asked = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).is_ok_and(|received| received == 1) {
        asked.push(byte[0]);
        if asked.ends_with(b"\r\n\r\n") {
            asked.clear();
            if stream.write_all(&answer).is_err() {
                return;
            }
        }
    }
}

fn generate(args: &[&str]) -> Output {
    Command::new(PROGRAM).args(args).output().unwrap()
}

#[track_caller]
fn report(args: &[&str]) -> serde_json::Value {
    let output = generate(args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn refused(args: &[&str], reason: &str) {
    let output = generate(args);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains(reason), "{error}");
}

#[test]
fn a_fixed_number_of_requests_has_as_many_answers() {
    for body_bytes in [0, 27, 4096, 100_000] {
        let Some(addr) = serve(b"http/1.1", body_bytes) else { return };
        let url = format!("https://{addr}/p/{{id}}");
        let report = report(&["gen", "--url", &url, "--connections", "8", "--requests", "500"]);
        assert_eq!(report["status"], serde_json::json!({"200": 500}), "{body_bytes}: {report}");
        assert!(report["errors"].as_object().unwrap().values().all(|count| count == 0), "{body_bytes}: {report}");
    }
}

#[test]
fn handshakes_are_resumed_only_when_asked_for() {
    let Some(addr) = serve(b"http/1.1", 2) else { return };
    let count = |kind: &str| {
        let url = format!("https://{addr}/");
        let args = ["handshakes", "--url", &url, "--kind", kind, "--connections", "3", "--duration", "300ms"];
        let report = report(&args);
        assert_eq!(report["failed"], 0, "{report}");
        (report["full"].as_u64().unwrap(), report["resumed"].as_u64().unwrap())
    };
    let (full, resumed) = count("full");
    assert!(full > 0 && resumed == 0, "{full} full, {resumed} resumed");
    // The first of each thread has no ticket yet.
    let (full, resumed) = count("resumed");
    assert!(full == 3 && resumed > 0, "{full} full, {resumed} resumed");
}

#[test]
fn idle_connections_are_held_open() {
    let Some(addr) = serve(b"http/1.1", 27) else { return };
    let output = generate(&["idle", "--url", &format!("https://{addr}/"), "--connections", "50", "--hold", "1ms"]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "{\"open\":50,\"closed\":0}\n".repeat(2));
}

#[test]
fn a_server_that_speaks_something_else_is_named() {
    let Some(addr) = serve(b"http/1.1", 27) else { return };
    let url = format!("https://{addr}/");
    refused(&["idle", "--url", &url, "--protocol", "http2", "--connections", "1"], "NoApplicationProtocol");
    refused(&["idle", "--url", "http://127.0.0.1:1/", "--protocol", "http2"], "needs an https:// target");
    refused(&["handshakes", "--url", "http://127.0.0.1:1/"], "need an https:// target");
}
