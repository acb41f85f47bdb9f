//! What every workload needs: programs, a directory for files, CPUs, and a way to start each server.
//! Never here: what is measured.

use std::io::{Error, ErrorKind, Result, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::CompareArgs;
use super::contender::{Contender, Protocol};
use super::gateway::{self, Launch};
use super::server::{Doors, Server, free_port};
use crate::answer::Answer;
use crate::load::idle::{Whole, read_answer};
use crate::peer::certificate::Certificate;
use crate::peer::nginx::Handler;
use crate::peer::{Site, h2o, haproxy, nghttpd, nginx};

/// The server's CPU. Its interrupts and the generator's never share it.
pub const SERVER_CPU: usize = 0;
pub const GENERATOR_CPU: usize = 1;

pub struct Workbench<'a> {
    pub args: &'a CompareArgs,
    /// This program, which is also the generator, the floors and two peers.
    pub program: PathBuf,
    /// Servers that can be started here, in the order asked for.
    contenders: Vec<Contender>,
    gateway: PathBuf,
    certificate: Option<Certificate>,
    dir: PathBuf,
}

/// How the gateway is started.
pub struct GatewayShape<'a> {
    /// One shard on each.
    pub cpus: &'a [usize],
    /// With TLS a door of its own beside the plain one.
    pub protocol: Protocol,
    /// A simulator in a process of its own.
    pub simulator: Option<&'a Server>,
    /// Further `KEY=VALUE` settings.
    pub settings: &'a [&'a str],
}

impl GatewayShape<'static> {
    pub const ONE_SHARD: Self = Self { cpus: &[SERVER_CPU], protocol: Protocol::Http1, simulator: None, settings: &[] };
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
        let (contenders, missing): (Vec<_>, Vec<_>) =
            args.servers.iter().copied().partition(|contender| contender.is_here());
        for contender in missing {
            eprintln!("{} is not installed: measured without it", contender.name());
        }
        if contenders.is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, "--servers names no server that can be started here"));
        }
        let dir = beside("load-work");
        std::fs::create_dir_all(&dir)?;
        let certificate = args.needs_tls().then(|| Certificate::make(&dir)).transpose()?;
        Ok(Self { args, program, contenders, gateway, certificate, dir })
    }

    /// Servers that are measured with a protocol, in the order asked for.
    pub fn contenders(&self, protocol: Protocol) -> Vec<Contender> {
        self.contenders.iter().copied().filter(|contender| contender.speaks(protocol)).collect()
    }

    pub fn has_gateway(&self) -> bool {
        self.contenders.contains(&Contender::Gateway)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Starts a server on its CPU. Floors and peers answer with `answer`, a file as captured; the gateway with its own.
    pub fn start(&self, contender: Contender, protocol: Protocol, answer: &Path) -> Result<Server> {
        if let Some(name) = contender.own_command() {
            let port = free_port()?;
            let mut command = Command::new(&self.program);
            command.args([name, "--port", &port.to_string(), "--answer-file"]).arg(answer);
            let doors = Doors { http: Some(port), https: None };
            return Server::start(command, doors, &[SERVER_CPU], &self.file("server.log"));
        }
        match contender {
            Contender::Nginx => self.start_peer(protocol, answer, |site| nginx::command(site, Handler::Return)),
            Contender::Haproxy => self.start_peer(protocol, answer, haproxy::command),
            Contender::H2o => self.start_peer(protocol, answer, h2o::command),
            Contender::Nghttpd => self.start_peer(protocol, answer, nghttpd::command),
            _ => self.start_gateway(&GatewayShape { protocol, ..GatewayShape::ONE_SHARD }),
        }
    }

    /// Starts a peer that is a program of its own, as `command` makes it.
    pub fn start_peer(
        &self,
        protocol: Protocol,
        answer: &Path,
        command: impl FnOnce(&Site<'_>) -> Result<Command>,
    ) -> Result<Server> {
        let answer = Answer::from_bytes(&std::fs::read(answer)?)?;
        let port = free_port()?;
        let certificate = self.certificate_for(protocol)?;
        let paths = gateway::document_paths();
        let command = command(&Site { answer: &answer, port, certificate, dir: &self.dir, paths: &paths })?;
        let doors = match certificate {
            None => Doors { http: Some(port), https: None },
            Some(_) => Doors { http: None, https: Some(port) },
        };
        Server::start(command, doors, &[SERVER_CPU], &self.file("server.log"))
    }

    /// Starts the gateway.
    pub fn start_gateway(&self, shape: &GatewayShape<'_>) -> Result<Server> {
        let (port, ops_port) = (free_port()?, free_port()?);
        let tls = match self.certificate_for(shape.protocol)? {
            Some(certificate) => Some((free_port()?, certificate)),
            None => None,
        };
        let shards: Vec<String> = shape.cpus.iter().map(usize::to_string).collect();
        let command = gateway::demo(&Launch {
            program: &self.gateway,
            port,
            ops_port,
            shards: &shards.join(","),
            simulator_port: shape.simulator.map(|simulator| simulator.addr().port()),
            tls,
            settings: shape.settings,
        });
        let doors = Doors { http: Some(port), https: tls.map(|(port, _)| port) };
        Server::start(command, doors, shape.cpus, &self.file("gateway.log"))
    }

    /// Starts the WeChat simulator beside the generator, so that its cost is not the gateway's.
    pub fn start_simulator(&self) -> Result<Server> {
        let port = free_port()?;
        let command = gateway::simulator(&self.gateway, port);
        let doors = Doors { http: Some(port), https: None };
        Server::start(command, doors, &[GENERATOR_CPU], &self.file("simulator.log"))
    }

    fn certificate_for(&self, protocol: Protocol) -> Result<Option<&Certificate>> {
        match (protocol, &self.certificate) {
            (Protocol::Http1, _) => Ok(None),
            (_, Some(certificate)) => Ok(Some(certificate)),
            (_, None) => Err(Error::other("a workload over TLS has no certificate")),
        }
    }
}

/// Asks once with `fields` in the head, and returns the answer as it came, head and body.
pub fn capture(server: &Server, path: &str, fields: &str) -> Result<(Vec<u8>, Whole)> {
    let mut stream = TcpStream::connect(server.addr())?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {}\r\n{fields}\r\n", server.addr()).as_bytes())?;
    let mut raw = Vec::new();
    let whole = read_answer(&mut stream, &mut raw)?;
    if whole.status != 200 {
        return Err(Error::other(format!("{path} was answered {}", String::from_utf8_lossy(&raw))));
    }
    Ok((raw, whole))
}
