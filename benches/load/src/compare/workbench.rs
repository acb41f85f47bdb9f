//! What every workload needs: programs, a directory for files, CPUs, and a way to start each server.
//! Never here: what is measured.

use std::io::{Error, ErrorKind, Result, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::CompareArgs;
use super::contender::{Contender, installed};
use super::gateway::{self, Launch};
use super::server::{Server, free_port};
use crate::answer::Answer;
use crate::load::idle::read_answer;
use crate::peer::nginx;

/// The server's CPU. Its interrupts and the generator's never share it.
pub const SERVER_CPU: usize = 0;
pub const GENERATOR_CPU: usize = 1;

pub struct Workbench<'a> {
    pub args: &'a CompareArgs,
    /// Servers that can be started here, in the order asked for.
    pub contenders: Vec<Contender>,
    /// This program, which is also the generator, the floors and two peers.
    pub program: PathBuf,
    gateway: PathBuf,
    dir: PathBuf,
}

impl<'a> Workbench<'a> {
    /// Fails when the gateway is to be measured and has not been built, and when no server is left.
    pub fn new(args: &'a CompareArgs) -> Result<Self> {
        let program = std::env::current_exe()?;
        let beside = |name: &str| program.with_file_name(name);
        let gateway = args.gateway.clone().unwrap_or_else(|| beside("tidegate"));
        if args.servers.contains(&Contender::Gateway) && !gateway.exists() {
            let reason = format!(
                "there is no gateway at {}: run `cargo build --release`, name it with --gateway, or leave it out of --servers",
                gateway.display()
            );
            return Err(Error::new(ErrorKind::NotFound, reason));
        }
        let mut contenders = args.servers.clone();
        if !installed("nginx", "-v") {
            contenders.retain(|contender| *contender != Contender::Nginx);
            eprintln!("nginx is not installed: measured without it");
        }
        if contenders.is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, "--servers names no server that can be started here"));
        }
        let dir = beside("load-work");
        std::fs::create_dir_all(&dir)?;
        Ok(Self { args, contenders, program, gateway, dir })
    }

    pub fn has_gateway(&self) -> bool {
        self.contenders.contains(&Contender::Gateway)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Starts a server on its CPU. Floors and peers answer with `answer`, a file as captured; the gateway with its own.
    pub fn start(&self, contender: Contender, answer: &Path) -> Result<Server> {
        let port = free_port()?;
        let command = match (contender.own_command(), contender) {
            (Some(name), _) => {
                let mut command = Command::new(&self.program);
                command.args([name, "--port", &port.to_string(), "--answer-file"]).arg(answer);
                command
            }
            (None, Contender::Nginx) => self.nginx(port, answer)?,
            (None, _) => return self.start_gateway(&[SERVER_CPU], None),
        };
        Server::start(command, port, &[SERVER_CPU], &self.file("server.log"))
    }

    /// Starts the gateway with one shard on each CPU.
    pub fn start_gateway(&self, cpus: &[usize], simulator: Option<&Server>) -> Result<Server> {
        let (port, ops_port) = (free_port()?, free_port()?);
        let shards: Vec<String> = cpus.iter().map(usize::to_string).collect();
        let command = gateway::demo(&Launch {
            program: &self.gateway,
            port,
            ops_port,
            shards: &shards.join(","),
            simulator_port: simulator.map(|simulator| simulator.addr.port()),
        });
        Server::start(command, port, cpus, &self.file("gateway.log"))
    }

    /// Starts the WeChat simulator beside the generator, so that its cost is not the gateway's.
    pub fn start_simulator(&self) -> Result<Server> {
        let port = free_port()?;
        Server::start(gateway::simulator(&self.gateway, port), port, &[GENERATOR_CPU], &self.file("simulator.log"))
    }

    fn nginx(&self, port: u16, answer: &Path) -> Result<Command> {
        let answer = Answer::from_bytes(&std::fs::read(answer)?)?;
        let config = self.file("nginx.conf");
        std::fs::write(&config, nginx::config(&answer, port, &self.dir.to_string_lossy())?)?;
        let mut command = Command::new("nginx");
        command.arg("-p").arg(&self.dir).args(["-e", "stderr", "-c"]).arg(config);
        Ok(command)
    }
}

/// Asks once and returns the answer as it came, head and body.
pub fn capture(server: &Server, path: &str, token: Option<&str>) -> Result<Vec<u8>> {
    let authorization = token.map_or(String::new(), |token| format!("authorization: Bearer {token}\r\n"));
    let mut stream = TcpStream::connect(server.addr)?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {}\r\n{authorization}\r\n", server.addr).as_bytes())?;
    let mut raw = Vec::new();
    let status = read_answer(&mut stream, &mut raw)?;
    if status != 200 {
        return Err(Error::other(format!("{path} was answered {}", String::from_utf8_lossy(&raw))));
    }
    Ok(raw)
}
