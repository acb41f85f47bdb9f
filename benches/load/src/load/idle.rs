//! Many connections that have asked once and then say nothing, as phones in pockets do.
//! Never here: traffic while they are held.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::h2;
use super::response::ResponseParser;
use super::template::{HeaderSet, Template, TokenHole, Values};
use super::tls::Inside;
use super::wire::{Way, Wire};
use crate::args::{Scheme, Target, duration};
use crate::sys;

/// Longest wait for an answer or a connection.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

#[derive(Args)]
pub struct IdleArgs {
    /// What each connection asks for once
    #[arg(long)]
    url: Target,
    /// What to speak; HTTP/2 only to an https:// target
    #[arg(long, value_enum, default_value_t = Inside::Http1)]
    protocol: Inside,
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// How long to hold the connections after all are open
    #[arg(long, value_parser = duration, default_value = "10s")]
    hold: Duration,
    /// CPU to stay on
    #[arg(long)]
    cpu: Option<usize>,
}

/// One JSON line when all connections are open, another when they have been held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub open: usize,
    /// Connections that the server has closed by itself.
    pub closed: usize,
}

/// What is known of a response that has been read whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    pub status: u16,
    /// Without head and chunk sizes.
    pub body_bytes: usize,
}

/// Opens, reports, holds, reports.
pub fn run(args: &IdleArgs) -> io::Result<()> {
    super::pin(args.cpu)?;
    sys::process::lift_file_limit()?;
    if args.protocol == Inside::Http2 && args.url.scheme == Scheme::Http {
        return Err(io::Error::new(ErrorKind::InvalidInput, "--protocol http2 needs an https:// target"));
    }
    let way = Way::to(&args.url, args.protocol)?;
    let mut wires = Vec::with_capacity(args.connections);
    for number in 0..args.connections {
        let wire = open_and_ask(&way, args).map_err(|error| {
            io::Error::new(error.kind(), format!("connection {number} of {}: {error}", args.connections))
        })?;
        wires.push(wire);
    }
    print(&mut wires)?;
    std::thread::sleep(args.hold);
    print(&mut wires)
}

fn open_and_ask(way: &Way, args: &IdleArgs) -> io::Result<Wire> {
    let host = args.url.addr.to_string();
    let mut wire = way.open(ANSWER_WAIT)?;
    match args.protocol {
        Inside::Http1 => {
            wire.write_all(&request(&args.url.path, &host)?)?;
            read_answer(&mut wire, &mut Vec::new())?;
        }
        Inside::Http2 => h2::ask(&mut wire, &host, &args.url.path)?,
    }
    wire.stream().set_nonblocking(true)?;
    Ok(wire)
}

/// A GET with nothing in it that need not be.
pub fn request(path: &str, host: &str) -> io::Result<Vec<u8>> {
    let template = Template::get(path, host, HeaderSet::Minimal, TokenHole::None).map_err(io::Error::other)?;
    let mut request = Vec::new();
    template.render(&Values { token: "", id: 1, number: 0 }, &mut request);
    Ok(request)
}

/// Reads one whole response from a blocking wire and appends its bytes, head and body, to `raw`.
pub fn read_answer(wire: &mut impl Read, raw: &mut Vec<u8>) -> io::Result<Whole> {
    let mut parser = ResponseParser::default();
    let mut body_bytes = 0;
    let mut buf = [0; 16 * 1024];
    loop {
        let received = wire.read(&mut buf)?;
        let mut rest = buf.get(..received).unwrap_or_default();
        if rest.is_empty() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        raw.extend_from_slice(rest);
        let answered = parser.advance(&mut rest, &mut |piece| body_bytes += piece.len());
        if let Some(answered) = answered.map_err(|error| io::Error::new(ErrorKind::InvalidData, error.to_string()))? {
            return Ok(Whole { status: answered.status, body_bytes });
        }
    }
}

fn print(wires: &mut [Wire]) -> io::Result<()> {
    let closed = wires.iter_mut().map(is_closed).filter(|closed| *closed).count();
    println!("{}", serde_json::to_string(&Held { open: wires.len() - closed, closed })?);
    io::stdout().flush()
}

/// A silent connection would block; everything else is an end or bytes that nobody asked for.
fn is_closed(wire: &mut Wire) -> bool {
    !matches!(wire.read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
}
