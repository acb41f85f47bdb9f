//! Arguments that several commands share, and how their text becomes values.
//! Never here: a target outside this machine. The generator is for loopback only.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use crate::answer::Answer;
use crate::sys;

/// Listen backlog of the floors and peers: ten thousand connections may arrive in one burst.
const BACKLOG: i32 = 4096;

/// What every floor and peer takes.
#[derive(Args)]
pub struct ServerArgs {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Length of the JSON body
    #[arg(long, default_value_t = 27)]
    pub body_bytes: usize,
    /// Answer with the head and body in this file instead, as captured from another server
    #[arg(long)]
    pub answer_file: Option<PathBuf>,
    /// CPU to stay on
    #[arg(long)]
    pub cpu: Option<usize>,
}

/// Where the generator sends requests: `http://127.0.0.1:PORT/path`, or `https://`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub scheme: Scheme,
    pub addr: SocketAddr,
    pub path: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Http,
    Https,
}

/// Inclusive range of product numbers, written `1..=100`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdRange(pub RangeInclusive<u64>);

impl ServerArgs {
    /// Pins the process, lifts its file limit, and opens the listener.
    pub fn start(&self) -> io::Result<(TcpListener, Answer)> {
        if let Some(cpu) = self.cpu {
            sys::process::pin_to(&[cpu])?;
        }
        sys::process::lift_file_limit()?;
        let answer = match &self.answer_file {
            Some(path) => Answer::from_bytes(&std::fs::read(path)?)?,
            None => Answer::synthetic(self.body_bytes),
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port))?;
        sys::process::widen_backlog(&listener, BACKLOG)?;
        println!("listening on {}", listener.local_addr()?);
        Ok((listener, answer))
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(rest), _) => (Scheme::Http, rest),
            (_, Some(rest)) => (Scheme::Https, rest),
            _ => return Err("must start with http:// or https://".to_owned()),
        };
        let (host, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let addr = resolve(host)?;
        if !addr.ip().is_loopback() {
            return Err(format!(
                "{} is not on this machine: only loopback targets (127.0.0.1, [::1]) are driven",
                addr.ip()
            ));
        }
        Ok(Self { scheme, addr, path: path.to_owned() })
    }
}

impl FromStr for IdRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bounds = text.split_once("..=").and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        match bounds {
            Some((first, last)) if first <= last => Ok(Self(first..=last)),
            _ => Err("must be FIRST..=LAST with FIRST not above LAST, for example 1..=100".to_owned()),
        }
    }
}

/// Reads `250ms`, `5s` or `2m`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit_ms = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return Err("must end in ms, s or m, for example 5s".to_owned()),
    };
    let count: u64 = digits.parse().map_err(|_| "must be a whole number with a unit, for example 5s".to_owned())?;
    count.checked_mul(unit_ms).map(Duration::from_millis).ok_or_else(|| "is longer than time itself".to_owned())
}

fn resolve(host: &str) -> Result<SocketAddr, String> {
    if let Some(port) = host.strip_prefix("localhost:") {
        let port = port.parse().map_err(|_| format!("port {port:?} must be 0..=65535"))?;
        return Ok((IpAddr::from(Ipv4Addr::LOCALHOST), port).into());
    }
    host.parse().map_err(|_| format!("{host:?} must be an address and a port, for example 127.0.0.1:8080"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_on_loopback_are_taken() {
        let check = |text: &str, scheme: Scheme, addr: &str, path: &str| {
            let target = Target { scheme, addr: addr.parse().unwrap(), path: path.to_owned() };
            assert_eq!(text.parse(), Ok(target), "{text}");
        };
        check("http://127.0.0.1:8080/ping?x=1", Scheme::Http, "127.0.0.1:8080", "/ping?x=1");
        check("http://127.9.9.9:80", Scheme::Http, "127.9.9.9:80", "/");
        check("http://localhost:1/", Scheme::Http, "127.0.0.1:1", "/");
        check("https://[::1]:9/a", Scheme::Https, "[::1]:9", "/a");
    }

    #[test]
    fn other_targets_are_refused_with_the_reason() {
        let check = |text: &str, reason: &str| {
            let error = text.parse::<Target>().unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        };
        check("http://10.0.0.1:80/", "only loopback");
        check("http://0.0.0.0:80/", "only loopback");
        check("http://[2001:db8::1]:80/", "only loopback");
        check("http://example.com:80/", "must be an address");
        check("http://127.0.0.1/", "must be an address");
        check("http://localhost:65536/", "0..=65535");
        check("https://10.0.0.1:443/", "only loopback");
        check("ftp://127.0.0.1/", "http:// or https://");
    }

    #[test]
    fn durations_need_a_whole_number_and_a_unit() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["", "5", "s", "1.5s", "5h", "-1s", "99999999999999999999s", "18446744073709551615m"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn id_ranges_are_inclusive_and_ordered() {
        assert_eq!("7..=7".parse(), Ok(IdRange(7..=7)));
        for wrong in ["", "1", "1..5", "5..=1", "a..=b", "1..=-1"] {
            assert!(wrong.parse::<IdRange>().is_err(), "{wrong}");
        }
    }
}
