//! The program as its user meets it: the demo with the commands that it prints, and the command line.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tidegate");

/// A served node in a process of its own. Dropping it ends it.
struct Served {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Served {
    fn start(args: &[&str]) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(args)
            .envs([("TOKEN_KEY", "k".repeat(32)), ("WX_SECRET", "s".repeat(32))])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, stdout }
    }

    /// Lines up to the one that says so.
    fn read_until(&mut self, last: &str) -> String {
        let mut text = String::new();
        loop {
            let mut line = String::new();
            let count = self.stdout.read_line(&mut line).expect("UTF-8");
            assert_ne!(count, 0, "ended after:\n{text}");
            text.push_str(&line);
            if line.contains(last) {
                return text;
            }
        }
    }

    /// Asks it to end as a terminal or systemd does; what it printed since, and its exit code.
    fn end(mut self, signal: &str) -> (String, Option<i32>) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().expect("kill is there");
        assert!(sent.success());
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("UTF-8");
        let status = self.child.wait().expect("it ends");
        (rest, status.code())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It has ended already where a test came to its end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Stdout, stderr and exit code.
fn run(args: &[&str]) -> (String, String, Option<i32>) {
    let Output { status, stdout, stderr } = Command::new(PROGRAM)
        .args(args)
        .envs([("TOKEN_KEY", "k".repeat(32)), ("WX_SECRET", "s".repeat(32))])
        .output()
        .expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (text(stdout), text(stderr), status.code())
}

/// A script as a user types it in.
fn sh(script: &str) -> String {
    let output = Command::new("sh").args(["-c", script]).output().expect("sh is there");
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The indented lines of a greeting: the commands, each with its comment.
fn commands(greeting: &str) -> Vec<String> {
    let indented: Vec<&str> = greeting.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    let mut commands: Vec<String> = Vec::new();
    for line in indented.into_iter().filter(|line| !line.starts_with('#')) {
        match commands.last_mut() {
            Some(last) if last.ends_with('\\') => *last += &format!("\n{line}"),
            _ => commands.push(line.to_owned()),
        }
    }
    commands
}

#[test]
fn the_demo_works_as_it_is_printed() {
    let mut demo = Served::start(&["demo", "--port", "0", "--ops-port", "0"]);
    let greeting = demo.read_until("Ctrl-C");
    let commands = commands(&greeting);
    assert_eq!(commands.iter().filter(|command| command.contains("curl")).count(), 8, "{greeting}");
    // One shell, because TOKEN is set by one command and used by the others.
    let answers = sh(&commands.join("\nprintf '\\n===\\n'\n"));
    let answers: Vec<&str> = answers.split("\n===\n").collect();
    let json = |index: usize| -> Value {
        serde_json::from_str(answers[index])
            .unwrap_or_else(|error| panic!("{}: {error}: {}", commands[index], answers[index]))
    };
    assert!(json(0)["data"]["token"].is_string());
    assert_eq!(answers[1], "", "the token goes into the variable");
    assert_eq!(json(2)["data"]["openid"].as_str().map(str::len), Some(28));
    assert_eq!(json(3)["data"]["id"], 7);
    let list = json(4);
    assert_eq!(list["data"]["items"].as_array().map(Vec::len), Some(20));
    assert_eq!(list["data"]["items"][0]["id"], 21);
    assert_eq!(list["data"]["items"][0].as_object().map(serde_json::Map::len), Some(2));
    assert_eq!((&json(5)["data"]["product_id"], &json(5)["data"]["quantity"]), (&7.into(), &2.into()));
    assert_eq!(json(6)["data"]["items"][0], json(5)["data"]);
    metrics_are_true(answers[7]);

    let ops = commands.last().and_then(|line| line.split("http://").nth(1)).and_then(|rest| rest.split('/').next());
    let ops = ops.expect("the address of the ops plane");
    for page in ["healthz", "readyz"] {
        assert_eq!(sh(&format!("curl -s -w '%{{http_code}}' http://{ops}/{page}")), "ok\n200");
    }
    let again = sh(&[&commands[1], &commands[5]].map(|command| command.replace("alice.2", "alice.3")).join("\n"));
    let again: Value = serde_json::from_str(&again).expect("JSON");
    assert_eq!(again["data"], json(5)["data"], "sent again with the same key it happens once");
    let (rest, code) = demo.end("-INT");
    assert_eq!(code, Some(0), "{rest}");
}

fn metrics_are_true(metrics: &str) {
    for line in [
        r#"tidegate_requests_total{route="POST /auth/login",class="2xx",status="200"} 2"#,
        r#"tidegate_requests_total{route="GET /api/v1/me",class="2xx",status="200"} 1"#,
        r#"tidegate_requests_total{route="GET /api/v1/products/{id}",class="2xx",status="200"} 1"#,
        r#"tidegate_requests_total{route="GET /api/v1/products",class="2xx",status="200"} 1"#,
        r#"tidegate_requests_total{route="POST /api/v1/orders",class="2xx",status="200"} 1"#,
        r#"tidegate_requests_total{route="GET /api/v1/orders",class="2xx",status="200"} 1"#,
        r#"tidegate_logins_total{result="exchanged"} 2"#,
        r#"tidegate_panics_total 0"#,
    ] {
        assert!(metrics.lines().any(|known| known == line), "{line}\n{metrics}");
    }
}

#[test]
fn the_demo_ends_with_sigterm_and_keeps_a_database_that_it_was_given() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("kept.db");
    for _ in 0..2 {
        let mut demo = Served::start(&["demo", "--port", "0", "--ops-port", "0", "--database", path(&file)]);
        let greeting = demo.read_until("Ctrl-C");
        sh(&commands(&greeting)[0]);
        assert_eq!(demo.end("-TERM").1, Some(0));
    }
    let database = rusqlite::Connection::open(&file).expect("the file is there");
    let users: i64 =
        database.query_row("SELECT count(*) FROM users", [], |row| row.get(0)).expect("its table is there");
    assert_eq!(users, 1);
}

#[test]
fn a_taken_port_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let (_, stderr, code) = run(&["demo", "--port", &port, "--ops-port", "0"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains(&port) && stderr.contains("free port"), "{stderr}");
}

#[test]
fn the_default_configuration_is_valid() {
    let (config, _, code) = run(&["config"]);
    assert_eq!(code, Some(0));
    let folder = TempDir::new().expect("a temporary folder");
    let file = write(&folder, &config);
    let (stdout, stderr, code) = run(&["check", "--config", path(&file)]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert!(stdout.contains("is valid: ") && stdout.contains("routes"), "{stdout}");
}

#[test]
fn check_shows_every_mistake() {
    let (config, ..) = run(&["config"]);
    let folder = TempDir::new().expect("a temporary folder");
    let file = write(&folder, &config);
    let mut args = vec!["check", "--config", path(&file)];
    for set in ["server.shards=1000", "server.in_flight_max=0", "token.access_life=soon", "sever.x=1", "nonsense"] {
        args.extend(["--set", set]);
    }
    let (stdout, stderr, code) = run(&args);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    for mistake in ["server.in_flight_max = 0", "token.access_life", "server.shards = 1000", "sever:", "nonsense"] {
        assert!(stderr.contains(mistake), "{mistake} is missing:\n{stderr}");
    }
    let unknown = config.replace(r#"query = "product" }"#, r#"query = "produkt" }"#);
    let (_, stderr, code) = run(&["check", "--config", path(&write(&folder, &unknown))]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("produkt") && stderr.contains("product"), "{stderr}");
    let (_, stderr, code) = run(&["check", "--config", "/no/such/file.toml"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("/no/such/file.toml"), "{stderr}");
}

#[test]
fn run_serves_a_file() {
    let folder = TempDir::new().expect("a temporary folder");
    let database = folder.path().join("shop.db");
    tidegate::backends::sqlite::run_script(&database, include_str!("../../src/demo/shop.sql")).expect("it runs");
    let (config, ..) = run(&["config"]);
    let file = write(&folder, &config);
    let primary = format!("database.primary=sqlite://{}", database.display());
    let mut args = vec!["run", "--config", path(&file)];
    for set in ["server.listen=127.0.0.1:0", "ops.listen=127.0.0.1:0", "server.shards=2", &primary] {
        args.extend(["--set", set]);
    }
    let mut served = Served::start(&args);
    let said = served.read_until("metrics and health");
    let addr = said.lines().find_map(|line| line.strip_prefix("listening on ")).expect("where it listens").to_owned();
    let pong = sh(&format!("curl -s -H 'x-request-id: seen-in-the-log' http://{addr}/ping"));
    assert_eq!(pong, r#"{"message":"Hello, World!"}"#);
    let (rest, code) = served.end("-TERM");
    assert_eq!(code, Some(0));
    assert!(rest.contains("seen-in-the-log"), "the access log goes to stdout by default: {rest}");
}

#[test]
fn run_says_why_it_cannot() {
    let folder = TempDir::new().expect("a temporary folder");
    let (config, ..) = run(&["config"]);
    let file = write(&folder, &config);
    let primary = format!("database.primary=sqlite://{}/none.db", folder.path().display());
    let (_, stderr, code) =
        run(&["run", "--config", path(&file), "--set", &primary, "--set", "server.listen=127.0.0.1:0"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("no such table"), "{stderr}");
}

#[test]
fn help_lists_the_commands() {
    let (help, _, code) = run(&["--help"]);
    assert_eq!(code, Some(0));
    for command in ["demo", "run", "check", "config", "doctor", "simulate-wechat"] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(command)), "{command}:\n{help}");
        assert_eq!(run(&[command, "--help"]).2, Some(0), "{command} --help");
    }
    assert_eq!(run(&["--version"]).0, format!("tidegate {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(run(&["serve"]).2, Some(2), "an unknown command");
    assert_eq!(run(&[]).2, Some(2), "no command");
}

#[test]
fn the_doctor_has_findings() {
    let (stdout, stderr, code) = run(&["doctor", "--set", "server.listen=127.0.0.1:0"]);
    assert!(matches!(code, Some(0 | 1 | 78)), "{code:?}: {stderr}");
    assert!(stdout.contains("io_uring"), "{stdout}");
}

#[test]
fn the_simulator_runs_alone() {
    let mut simulator = Served::start(&["simulate-wechat", "--port", "0", "--wechat-latency", "0"]);
    let said = simulator.read_until("listening on ");
    let addr = said.trim().strip_prefix("listening on ").expect("where it listens").to_owned();
    let target = "/sns/jscode2session?appid=wx4f4bc4dec97d474b&secret=demo-secret-known-to-the-simulator&grant_type=authorization_code&js_code=demo-a";
    let answer: Value = serde_json::from_str(&sh(&format!("curl -s 'http://{addr}{target}'"))).expect("JSON");
    assert_eq!(answer["openid"].as_str().map(str::len), Some(28));
    assert_eq!(simulator.end("-INT").1, Some(0));
}

fn write(folder: &TempDir, config: &str) -> PathBuf {
    let file = folder.path().join("tidegate.toml");
    fs::write(&file, config).expect("a writable folder");
    file
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
