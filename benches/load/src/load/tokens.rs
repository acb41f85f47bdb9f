//! Tokens of many users for later runs: log in, take the token out of the answer, write a line.
//! Never here: fewer tokens than were asked for. A user without one would skew every later run.

use std::io::{self, Error, ErrorKind};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;

use super::engine::{self, Pace, Plan, Stop};
use super::login::Logins;
use super::tls::Inside;
use super::wire::Way;
use super::workload::Workload;
use crate::args::Target;

/// Logins in flight: enough to hide 50 ms of WeChat, few enough not to be a test of logins.
const CONNECTIONS: usize = 64;
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Args)]
pub struct TokensArgs {
    /// The login route, for example http://127.0.0.1:8080/auth/login
    #[arg(long)]
    pub url: Target,
    /// Users to log in: demo-u1 to demo-uN
    #[arg(long, default_value_t = 1000)]
    pub users: u64,
    /// File for the tokens, one a line
    #[arg(long)]
    pub out: PathBuf,
}

/// Answer of the login route, as far as it matters here.
#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    token: String,
}

struct TokenLogins {
    logins: Logins,
    /// Body so far, by connection.
    bodies: Vec<Vec<u8>>,
    tokens: Vec<String>,
    refused: Option<String>,
}

impl Workload for TokenLogins {
    fn request(&mut self, conn: usize, out: &mut Vec<u8>) {
        self.bodies[conn].clear();
        self.logins.request(conn, out);
    }

    fn body(&mut self, conn: usize, bytes: &[u8]) {
        self.bodies[conn].extend_from_slice(bytes);
    }

    fn answered(&mut self, conn: usize, status: u16) {
        match serde_json::from_slice::<Answer>(&self.bodies[conn]) {
            Ok(answer) => self.tokens.push(answer.data.token),
            Err(_) => {
                let body = String::from_utf8_lossy(&self.bodies[conn]);
                self.refused.get_or_insert_with(|| format!("a login was answered {status} {body}"));
            }
        }
    }
}

/// Writes the file. Fails, and writes nothing, unless every user has a token.
pub fn run(args: &TokensArgs) -> io::Result<()> {
    let connections = CONNECTIONS.min(usize::try_from(args.users).unwrap_or(CONNECTIONS));
    let mut workload = TokenLogins {
        logins: Logins::new(&args.url, 1),
        bodies: vec![Vec::new(); connections],
        tokens: Vec::new(),
        refused: None,
    };
    let plan = Plan {
        way: Way::to(&args.url, Inside::Http1)?,
        connections,
        stop: Stop::Requests(args.users),
        pace: Pace::Closed,
        timeout: TIMEOUT,
    };
    let report = engine::run(&plan, &mut workload)?;
    if workload.tokens.len() as u64 != args.users {
        let reason = workload.refused.unwrap_or_else(|| format!("{:?}", report.errors));
        return Err(Error::new(
            ErrorKind::InvalidData,
            format!("{} of {} users logged in: {reason}", workload.tokens.len(), args.users),
        ));
    }
    std::fs::write(&args.out, workload.tokens.join("\n") + "\n")?;
    report.print();
    Ok(())
}
