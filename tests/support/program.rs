//! The real program as a child process, with its port and its output.
//! Never here: what a test asserts.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Instant;

use super::PATIENCE;
use super::client::Client;

/// The demo shop in a process of its own. Killed when dropped.
pub struct Program {
    child: Child,
    pub addr: SocketAddr,
    /// Kept, so that what the program prints meanwhile meets an open pipe.
    _output: BufReader<ChildStdout>,
}

/// The program itself.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_tidegate");
/// Everything on free ports.
pub const DEMO: [&str; 7] = ["demo", "--port=0", "--ops-port=0", "--set", "server.shards=1", "--set", "limiter.ip=off"];

impl Program {
    /// Starts the demo, with further arguments.
    pub fn demo(more: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(DEMO).args(more);
        Self::start(command)
    }

    /// Starts a command that becomes the demo.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program starts");
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("the program prints text");
        let addr = line.trim().strip_prefix("listening on ").and_then(|addr| addr.parse().ok());
        let Some(addr) = addr else {
            let _ = (child.kill(), output.read_to_string(&mut line));
            panic!("the program did not say where it listens: {line:?}");
        };
        Self { child, addr, _output: output }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.addr)
    }

    /// Sends a signal by its name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -{name}");
    }

    /// Waits for the end.
    pub fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status;
            }
            assert!(Instant::now() < deadline, "the program does not end");
            std::thread::park_timeout(std::time::Duration::from_millis(1));
        }
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}
