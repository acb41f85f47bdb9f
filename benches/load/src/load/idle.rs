//! Many connections that have asked once and then say nothing, as phones in pockets do.
//! Never here: traffic while they are held.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::response::ResponseParser;
use super::template::{HeaderSet, Template, TokenHole, Values};
use crate::args::{Target, duration};
use crate::sys;

/// Longest wait for an answer or a connection.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

#[derive(Args)]
pub struct IdleArgs {
    /// What each connection asks for once
    #[arg(long)]
    url: Target,
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

/// Opens, reports, holds, reports.
pub fn run(args: &IdleArgs) -> io::Result<()> {
    super::pin(args.cpu)?;
    sys::process::lift_file_limit()?;
    let host = args.url.addr.to_string();
    let template =
        Template::get(&args.url.path, &host, HeaderSet::Minimal, TokenHole::None).map_err(io::Error::other)?;
    let mut request = Vec::new();
    template.render(&Values { token: "", id: 1, number: 0 }, &mut request);

    let mut streams = Vec::with_capacity(args.connections);
    for number in 0..args.connections {
        let stream = open_and_ask(&args.url, &request).map_err(|error| {
            io::Error::new(error.kind(), format!("connection {number} of {}: {error}", args.connections))
        })?;
        streams.push(stream);
    }
    print(&streams)?;
    std::thread::sleep(args.hold);
    print(&streams)
}

fn open_and_ask(target: &Target, request: &[u8]) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&target.addr, ANSWER_WAIT)?;
    stream.set_read_timeout(Some(ANSWER_WAIT))?;
    stream.write_all(request)?;
    read_answer(&mut stream, &mut Vec::new())?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Reads one whole response from a blocking stream and appends its bytes, head and body, to `raw`.
pub fn read_answer(stream: &mut TcpStream, raw: &mut Vec<u8>) -> io::Result<u16> {
    let mut parser = ResponseParser::default();
    let mut buf = [0; 16 * 1024];
    loop {
        let received = stream.read(&mut buf)?;
        let mut rest = buf.get(..received).unwrap_or_default();
        if rest.is_empty() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        raw.extend_from_slice(rest);
        let answered = parser.advance(&mut rest, &mut |_| {});
        if let Some(answered) = answered.map_err(|error| io::Error::new(ErrorKind::InvalidData, error.to_string()))? {
            return Ok(answered.status);
        }
    }
}

fn print(streams: &[TcpStream]) -> io::Result<()> {
    let closed = streams.iter().filter(|stream| is_closed(stream)).count();
    println!("{}", serde_json::to_string(&Held { open: streams.len() - closed, closed })?);
    io::stdout().flush()
}

/// A silent connection would block; everything else is an end or bytes that nobody asked for.
fn is_closed(stream: &TcpStream) -> bool {
    !matches!(stream.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
}
