//! Handshakes and nothing else worth mentioning: connect, shake hands, ask once, close, again.
//! Never here: a handshake that is counted as resumed because it could have been. The TLS library says which it was.

use std::io::{self, Error, ErrorKind, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use rustls::{ClientConfig, HandshakeKind};
use serde::{Deserialize, Serialize};

use super::idle::{read_answer, request};
use super::tls::{self, Inside, Tickets};
use super::wire::Wire;
use crate::args::{Scheme, Target, duration};

/// Longest wait for a connection, a handshake or an answer.
const WAIT: Duration = Duration::from_secs(10);

#[derive(Args)]
pub struct HandshakesArgs {
    /// What each connection asks for: https://127.0.0.1:PORT/path
    #[arg(long)]
    url: Target,
    #[arg(long, value_enum, default_value_t = Kind::Full)]
    kind: Kind,
    /// Connections at the same time, each in a thread of its own
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// How long to open connections
    #[arg(long, value_parser = duration, default_value = "5s")]
    duration: Duration,
    /// CPU to stay on
    #[arg(long)]
    cpu: Option<usize>,
}

/// What the client asks for. Whether it gets a resumption is the server's decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Certificate and signature every time
    Full,
    /// With the ticket of the connection before
    Resumed,
}

/// One JSON line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Handshakes {
    pub full: u64,
    pub resumed: u64,
    pub failed: u64,
    pub seconds: f64,
}

impl Handshakes {
    pub fn done(&self) -> u64 {
        self.full + self.resumed
    }

    fn add(self, other: Self) -> Self {
        Self {
            full: self.full + other.full,
            resumed: self.resumed + other.resumed,
            failed: self.failed + other.failed,
            seconds: self.seconds.max(other.seconds),
        }
    }
}

/// Opens connections for the time asked for and prints the counts. Fails when none could be opened.
pub fn run(args: &HandshakesArgs) -> io::Result<()> {
    super::pin(args.cpu)?;
    if args.url.scheme == Scheme::Http {
        return Err(Error::new(ErrorKind::InvalidInput, "handshakes need an https:// target"));
    }
    let request = request(&args.url.path, &args.url.addr.to_string())?;
    let outcomes: Vec<io::Result<Handshakes>> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..args.connections).map(|_| scope.spawn(|| one_after_another(args, &request))).collect();
        threads.into_iter().map(|thread| thread.join().expect("the loop has no panic")).collect()
    });
    let total = outcomes.into_iter().try_fold(Handshakes::default(), |sum, one| one.map(|one| sum.add(one)))?;
    println!("{}", serde_json::to_string(&total)?);
    Ok(())
}

/// The first error of a thread that has not succeeded yet is the whole run's: the server is not there, or is not TLS.
fn one_after_another(args: &HandshakesArgs, request: &[u8]) -> io::Result<Handshakes> {
    let tickets = match args.kind {
        Kind::Full => Tickets::Ignore,
        Kind::Resumed => Tickets::Keep,
    };
    let config = tls::client(Inside::Http1, tickets)?;
    let started = Instant::now();
    let mut count = Handshakes::default();
    while started.elapsed() < args.duration {
        match one(&config, args, request) {
            Ok(HandshakeKind::Resumed) => count.resumed += 1,
            Ok(HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest) => count.full += 1,
            Err(error) if count.done() == 0 => return Err(error),
            Err(_) => count.failed += 1,
        }
    }
    count.seconds = started.elapsed().as_secs_f64();
    Ok(count)
}

/// The answer proves that the server has finished the handshake too, and the tickets come before it.
fn one(config: &Arc<ClientConfig>, args: &HandshakesArgs, request: &[u8]) -> io::Result<HandshakeKind> {
    let mut stream = TcpStream::connect_timeout(&args.url.addr, WAIT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(WAIT))?;
    let session = tls::handshake(config, &mut stream)?;
    let kind = session.handshake_kind().ok_or_else(|| Error::other("the handshake has no kind"))?;
    let mut wire = Wire::tls(stream, session);
    wire.write_all(request)?;
    let status = read_answer(&mut wire, &mut Vec::new())?.status;
    wire.say_goodbye()?;
    if (200..300).contains(&status) { Ok(kind) } else { Err(Error::other(format!("answered {status}"))) }
}
