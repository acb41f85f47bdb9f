//! A server as a child process: started on its CPUs, waited for until it accepts, killed when it goes out of scope.
//! Never here: a child that outlives this program. The kernel kills it when this process ends, on Ctrl-C as well.

use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::sys::process::confine;

/// Longest start: the gateway opens its database and fills its demo first.
const START_WAIT: Duration = Duration::from_secs(15);
const START_POLL: Duration = Duration::from_millis(20);

pub struct Server {
    child: Child,
    doors: Doors,
}

/// Ports on 127.0.0.1 that a server will listen on.
#[derive(Clone, Copy, Default)]
pub struct Doors {
    pub http: Option<u16>,
    pub https: Option<u16>,
}

impl Server {
    /// Starts `command`, which will listen on its doors. What it prints goes to `log`. Fails when it ends or does not listen in time.
    pub fn start(mut command: Command, doors: Doors, cpus: &[usize], log: &Path) -> Result<Self> {
        confine(&mut command, cpus);
        let output = File::create(log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let program = command.get_program().to_string_lossy().into_owned();
        let child =
            command.spawn().map_err(|error| Error::new(error.kind(), format!("cannot start {program}: {error}")))?;
        let mut server = Self { child, doors };
        server.wait_until_it_listens().map_err(|error| {
            Error::new(error.kind(), format!("{program} does not listen: {error}; it said why in {}", log.display()))
        })?;
        Ok(server)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Address of the plain door.
    pub fn addr(&self) -> SocketAddr {
        on_loopback(self.doors.http.expect("the server was started with a plain door"))
    }

    /// `http://127.0.0.1:PORT` and the path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr())
    }

    /// `https://127.0.0.1:PORT` and the path.
    pub fn secure_url(&self, path: &str) -> String {
        let port = self.doors.https.expect("the server was started with a TLS door");
        format!("https://{}{path}", on_loopback(port))
    }

    fn wait_until_it_listens(&mut self) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < START_WAIT {
            if let Some(status) = self.child.try_wait()? {
                return Err(Error::other(format!("it ended with {status}")));
            }
            let mut ports = self.doors.http.iter().chain(&self.doors.https);
            if ports.all(|&port| TcpStream::connect(on_loopback(port)).is_ok()) {
                return Ok(());
            }
            std::thread::sleep(START_POLL);
        }
        Err(ErrorKind::TimedOut.into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do about either error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn on_loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// A port on 127.0.0.1 that nobody uses at this moment.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
