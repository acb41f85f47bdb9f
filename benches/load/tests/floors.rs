//! The floors, driven by the generator, by curl and by hand: they count right, and their bytes are right.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tidegate-load");
const FLOORS: [&str; 2] = ["floor-epoll", "floor-ring"];
const REQUEST: &[u8] = b"GET /ping HTTP/1.1\r\nhost: a\r\n\r\n";

struct Floor {
    child: Child,
    addr: String,
}

impl Floor {
    fn start(name: &str, body_bytes: usize) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args([name, "--body-bytes", &body_bytes.to_string()]).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let addr = line.trim().strip_prefix("listening on ").expect("the floor says where it listens").to_owned();
        Self { child, addr }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
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

/// What the floor sends for `pieces`, each in a write of its own, until it is told that nothing follows.
fn exchange(floor: &Floor, pieces: &[&[u8]]) -> String {
    let mut stream = TcpStream::connect(&floor.addr).unwrap();
    stream.set_nodelay(true).unwrap();
    pieces.iter().for_each(|piece| stream.write_all(piece).unwrap());
    stream.shutdown(Shutdown::Write).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_fixed_number_of_requests_has_as_many_answers() {
    for name in FLOORS {
        for body_bytes in [27, 1024, 100_000] {
            let floor = Floor::start(name, body_bytes);
            let report = report(&["gen", "--url", &floor.url("/p/{id}"), "--connections", "16", "--requests", "2000"]);
            assert_eq!(report["requests"], 2000, "{name} {body_bytes}");
            assert_eq!(report["responses"], 2000, "{name} {body_bytes}");
            assert_eq!(report["status"], serde_json::json!({"200": 2000}), "{name} {body_bytes}");
            let errors = report["errors"].as_object().unwrap();
            assert!(errors.values().all(|count| count == 0), "{name} {body_bytes}: {errors:?}");
        }
    }
}

#[test]
fn an_open_loop_sends_every_request_of_its_schedule() {
    let floor = Floor::start("floor-epoll", 27);
    let args = ["gen", "--url", &floor.url("/"), "--connections", "8", "--requests", "500", "--rate", "5000"];
    let report = report(&args);
    assert_eq!((&report["responses"], &report["unsent"]), (&500.into(), &0.into()));
    // The last request is due 499 / 5000 s after the first, and none may leave before it is due.
    assert!(report["seconds"].as_f64().unwrap() >= 0.0998, "{report}");
}

#[test]
fn pipelined_and_split_requests_are_answered_once_each() {
    for name in FLOORS {
        let floor = Floor::start(name, 27);
        let check = |pieces: &[&[u8]], answers: usize| {
            let text = exchange(&floor, pieces);
            assert_eq!(text.matches("HTTP/1.1 200 OK\r\n").count(), answers, "{name} {pieces:?}");
            assert_eq!(text.matches("\r\n\r\n{\"message\":\"Hello, World!\"}").count(), answers, "{name} {pieces:?}");
        };
        check(&[REQUEST], 1);
        check(&[&REQUEST.repeat(40)], 40);
        check(&[&REQUEST.repeat(2000)], 2000);
        for at in [1, REQUEST.len() - 3, REQUEST.len() - 2, REQUEST.len() - 1] {
            let (first, second) = REQUEST.split_at(at);
            check(&[first, second, REQUEST], 2);
        }
        check(&[&REQUEST[..REQUEST.len() - 1]], 0);
    }
}

#[test]
fn curl_reads_the_body() {
    for name in FLOORS {
        let floor = Floor::start(name, 1024);
        let Ok(output) = Command::new("curl").args(["-sS", "-i", &floor.url("/"), &floor.url("/again")]).output()
        else {
            return eprintln!("curl is not installed");
        };
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.matches("content-length: 1024\r\n").count(), 2, "{name}: {text}");
        assert_eq!(text.matches("etag: ").count(), 2, "{name}: {text}");
        let body = text.rsplit("\r\n\r\n").next().unwrap();
        assert_eq!(body.len(), 1024, "{name}");
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok(), "{name}: {body}");
    }
}

#[test]
fn idle_connections_are_held_open() {
    for name in FLOORS {
        let floor = Floor::start(name, 27);
        let output = generate(&["idle", "--url", &floor.url("/"), "--connections", "200", "--hold", "1ms"]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text, "{\"open\":200,\"closed\":0}\n".repeat(2), "{name}");
    }
}

#[test]
fn targets_outside_this_machine_are_refused() {
    for command in ["gen", "idle", "login"] {
        let output = generate(&[command, "--url", "http://192.0.2.1:80/"]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains("only loopback targets"), "{error}");
    }
}

#[test]
fn a_server_that_is_gone_is_an_error_with_its_address() {
    let url = Floor::start("floor-epoll", 27).url("/");
    let output = generate(&["gen", "--url", &url, "--requests", "1"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("cannot open connection 0 to 127.0.0.1:"), "{error}");
}
