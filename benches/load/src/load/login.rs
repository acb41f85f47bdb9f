//! Logins of distinct users: `POST /auth/login` with the demo's codes, many in flight at the same time.
//! Never here: a code that is used twice in a run. The gateway would answer it from memory.

use std::io::{self, Write};
use std::time::Duration;

use clap::Args;

use super::engine::{self, Pace, Plan, Stop};
use super::tls::Inside;
use super::wire::Way;
use super::workload::Workload;
use crate::args::{Target, duration};

#[derive(Args)]
pub struct LoginArgs {
    /// The login route, for example http://127.0.0.1:8080/auth/login
    #[arg(long)]
    url: Target,
    /// Logins in flight
    #[arg(long, default_value_t = 2000)]
    concurrency: usize,
    /// Logins in all
    #[arg(long, default_value_t = 20_000)]
    total: u64,
    /// Number of the first user; codes that were used in the last five minutes are answered from memory
    #[arg(long, default_value_t = 1)]
    first: u64,
    #[arg(long, value_parser = duration, default_value = "30s")]
    timeout: Duration,
    /// CPU to stay on
    #[arg(long)]
    cpu: Option<usize>,
}

/// One login per request, codes `demo-uN` counted upwards.
pub struct Logins {
    path: String,
    host: String,
    next_user: u64,
}

impl Logins {
    pub fn new(target: &Target, first: u64) -> Self {
        Self { path: target.path.clone(), host: target.addr.to_string(), next_user: first }
    }
}

impl Workload for Logins {
    fn request(&mut self, _conn: usize, out: &mut Vec<u8>) {
        let body = format!(r#"{{"code":"demo-u{}"}}"#, self.next_user);
        self.next_user += 1;
        let Self { path, host, .. } = self;
        write!(
            out,
            "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("a Vec takes every write");
    }
}

/// Logs the users in and prints the report.
pub fn run(args: &LoginArgs) -> io::Result<()> {
    super::pin(args.cpu)?;
    let plan = Plan {
        way: Way::to(&args.url, Inside::Http1)?,
        connections: args.concurrency,
        stop: Stop::Requests(args.total),
        pace: Pace::Closed,
        timeout: args.timeout,
    };
    engine::run(&plan, &mut Logins::new(&args.url, args.first))?.print();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_differ_and_lengths_fit() {
        let mut logins = Logins::new(&"http://127.0.0.1:80/auth/login".parse().unwrap(), 9);
        let mut out = Vec::new();
        logins.request(0, &mut out);
        logins.request(5, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("POST /auth/login HTTP/1.1\r\nhost: 127.0.0.1:80\r\n"), "{text}");
        assert!(text.contains("content-length: 18\r\n\r\n{\"code\":\"demo-u9\"}POST"), "{text}");
        assert!(text.ends_with("content-length: 19\r\n\r\n{\"code\":\"demo-u10\"}"), "{text}");
    }
}
