//! What the generator asks for: a trait for the engine, and reads with rotating users and products.
//! Never here: time and sockets.

use std::io::{Error, ErrorKind, Result};
use std::path::Path;

use clap::ValueEnum;

use super::template::{Template, Values};
use crate::args::IdRange;

/// Writes requests and hears answers. `conn` counts connections from zero.
pub trait Workload {
    /// Appends the whole next request of a connection.
    fn request(&mut self, conn: usize, out: &mut Vec<u8>);

    /// A piece of the body that is arriving.
    fn body(&mut self, _conn: usize, _bytes: &[u8]) {}

    /// The answer has ended.
    fn answered(&mut self, _conn: usize, _status: u16) {}
}

/// Which user a request belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Users {
    /// One user per connection, as behind a layer-4 balancer
    Sticky,
    /// Another user with every request, as behind a layer-7 proxy
    Mixed,
}

/// The same request again and again, but for user, product and number.
pub struct Reads {
    template: Template,
    tokens: Vec<String>,
    users: Users,
    ids: IdRange,
    asked: u64,
}

impl Reads {
    /// Fails when the template needs tokens and there are none.
    pub fn new(template: Template, tokens: Vec<String>, users: Users, ids: IdRange) -> Result<Self> {
        if template.needs_token() && tokens.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "the requests need tokens: give --tokens FILE with one a line",
            ));
        }
        Ok(Self { template, tokens, users, ids, asked: 0 })
    }
}

impl Workload for Reads {
    fn request(&mut self, conn: usize, out: &mut Vec<u8>) {
        let turn = match self.users {
            Users::Sticky => conn as u64,
            Users::Mixed => self.asked,
        };
        let token = match self.tokens.len() as u64 {
            0 => "",
            users => &self.tokens[(turn % users) as usize],
        };
        let span = (self.ids.0.end() - self.ids.0.start()).saturating_add(1);
        let id = self.ids.0.start() + self.asked % span;
        self.template.render(&Values { token, id, number: self.asked }, out);
        self.asked += 1;
    }
}

/// Tokens from a file, one a line.
pub fn tokens_from(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::new(error.kind(), format!("cannot read tokens from {}: {error}", path.display())))?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(users: Users, conns: &[usize]) -> String {
        let tokens = ["a", "b", "c"].map(str::to_owned).to_vec();
        let template = Template::parse(b"{token}{id} ").unwrap();
        let mut reads = Reads::new(template, tokens, users, IdRange(5..=6)).unwrap();
        let mut out = Vec::new();
        conns.iter().for_each(|&conn| reads.request(conn, &mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_sticky_connection_keeps_its_user_and_a_mixed_one_changes_him() {
        assert_eq!(asked(Users::Sticky, &[0, 1, 4, 0, 1, 4]), "a5 b6 b5 a6 b5 b6 ");
        assert_eq!(asked(Users::Mixed, &[0, 0, 0, 0]), "a5 b6 c5 a6 ");
    }

    #[test]
    fn a_template_with_a_token_needs_tokens() {
        let reads = |text: &[u8]| Reads::new(Template::parse(text).unwrap(), Vec::new(), Users::Sticky, IdRange(1..=1));
        assert!(reads(b"{token}").is_err());
        let mut out = Vec::new();
        reads(b"{id}").unwrap().request(0, &mut out);
        assert_eq!(out, b"1");
    }
}
