//! The real program in a process of its own: signals, descriptors that run out, a host that forbids io_uring.
//! Never here: what can be seen inside one process.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::client::{Client, get};
use crate::support::program::{DEMO, PROGRAM, Program};
use crate::support::until;

#[test]
fn sigterm_and_sigint_end_it_in_order() {
    for signal in ["TERM", "INT"] {
        let mut program = Program::demo(&[]);
        let mut client = program.connect();
        assert_eq!(client.ask(get("/ping")).status, 200);
        program.signal(signal);
        client.expect_end();
        assert_eq!(program.end().code(), Some(0), "SIG{signal}");
    }
}

#[test]
fn a_second_sigint_ends_it_at_once() {
    let mut program = Program::demo(&[]);
    let mut client = program.connect();
    client.send("POST /auth/login HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\n\r\nhel");
    assert_eq!(program.connect().ask(get("/ping")).status, 200);
    program.signal("INT");
    until("the door closes", || std::net::TcpStream::connect(program.addr).is_err());
    assert!(program.is_running(), "a body is on its way");
    program.signal("INT");
    assert_eq!(program.end().code(), Some(130));
    assert!(client.ended());
}

/// A line costs more than the nine bytes of a frame that asks for it.
#[test]
fn a_client_writes_nothing_into_the_event_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let events = folder.path().join("events");
    let mut command = Command::new("sh");
    command.env("EVENTS", &events).args(["-c", "exec \"$0\" \"$@\" 2> \"$EVENTS\"", PROGRAM]).args(DEMO);
    let mut program = Program::start(command);
    let settings = b"\0\0\0\x04\0\0\0\0\0";
    let pong_that_nobody_asked_for = b"\0\0\x08\x06\x01\0\0\0\0whatever";
    let mut client = program.connect();
    let of_no_length = b"\0\0\x01\x06\0\0\0\0\0x";
    let preface = &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..];
    client.send([preface, settings, pong_that_nobody_asked_for, of_no_length].concat());
    assert!(!client.rest().is_empty(), "a GOAWAY, because of the last one");
    let mut client = program.connect();
    client.send("nonsense\r\n\r\n");
    assert_eq!(client.answer().status, 400);
    program.signal("TERM");
    assert_eq!(program.end().code(), Some(0));
    let said = std::fs::read_to_string(events).expect("the shell made it");
    assert!(!["WARN", "ERROR"].iter().any(|level| said.contains(level)), "{said}");
}

/// User and system time of a process's shards so far, in clock ticks of 10 ms.
fn shard_ticks(pid: u32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let stats = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("stat")).ok());
    stats.filter(|stat| stat.contains("(shard-")).map(|stat| ticks(&stat)).sum()
}

fn ticks(stat: &str) -> u64 {
    let behind_name = stat.rsplit_once(") ").expect("the name is in brackets").1;
    let fields: Vec<&str> = behind_name.split(' ').collect();
    fields[11..=12].iter().map(|field| field.parse::<u64>().expect("a number")).sum()
}

/// Clients do not get the descriptors that backends, logs and pages need.
#[test]
fn clients_leave_descriptors_for_the_rest() {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 96 && exec \"$0\" \"$@\"", PROGRAM]).args(DEMO);
    let program = Program::start(command);
    let mut clients: Vec<Client> = (0..150).map(|_| program.connect()).collect();
    let mut served = 0;
    for client in &mut clients {
        client.try_send(get("/ping"));
        let status = client.answer().status;
        assert!(status == 200 || status == 503 && served > 8, "{status} after {served}");
        served += usize::from(status == 200);
    }
    assert!((8..48).contains(&served), "{served}");
    drop(clients);
    until("there is room again", || program.connect().ask(get("/ping")).status == 200);
}

/// The limit falls below what is open already, as when something else takes descriptors: accepting rests and goes on.
#[test]
fn a_process_without_descriptors_rests_and_recovers() {
    let program = Program::demo(&[]);
    let limit = |soft: usize| {
        let args = [format!("--pid={}", program.pid()), format!("--nofile={soft}:")];
        Command::new("prlimit").args(args).status().is_ok_and(|status| status.success())
    };
    let mut clients: Vec<Client> = (0..10).map(|_| program.connect()).collect();
    assert!(clients.iter_mut().all(|client| client.ask(get("/ping")).status == 200));
    let open = std::fs::read_dir(format!("/proc/{}/fd", program.pid())).expect("it runs").count();
    assert!(limit(open), "util-linux has prlimit");
    // The kernel completes these connects whether or not anybody accepts them.
    clients.extend((0..50).map(|_| program.connect()));
    let (began, before) = (Instant::now(), shard_ticks(program.pid()));
    until("a stall of some length", || began.elapsed() > Duration::from_secs(1));
    let (stalled, used) = (began.elapsed(), Duration::from_millis(10 * (shard_ticks(program.pid()) - before)));
    assert!(used < stalled / 5, "{used:?} of CPU in a stall of {stalled:?}");
    assert_eq!(clients[0].ask(get("/ping")).status, 200, "those who are in are served");
    assert!(limit(4096));
    for client in &mut clients {
        assert_eq!(client.ask(get("/ping")).status, 200, "who waited is let in");
    }
}

#[test]
fn a_host_that_forbids_io_uring_is_refused_with_an_explanation() {
    let inject =
        ["-f", "-qq", "-o", "/dev/null", "-e", "trace=io_uring_setup", "-e", "inject=io_uring_setup:error=EPERM"];
    let traced = |program: &str| Command::new("strace").args(inject).arg(program).arg("--version").output();
    if !traced(PROGRAM).is_ok_and(|output| output.status.success()) {
        println!("skipped: no strace that may trace here");
        return;
    }
    let output = Command::new("strace").args(inject).arg(PROGRAM).args(DEMO).output().expect("it was there just now");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{said}");
    for part in ["io_uring_setup", "kernel.io_uring_disabled", "seccomp"] {
        assert!(said.contains(part), "{part} is not in: {said}");
    }
}
