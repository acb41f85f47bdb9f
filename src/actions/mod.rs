//! What a route does: one file per action, a request in, a reply out. A new action is a file here and a line in `Registry::standard`.
//! Never here: sockets, guards, a future that does anything before it is first polled.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use crate::core::config::checked::Config;
use crate::core::fault::{Backend, Fault};
use crate::proto::reply::Reply;

pub mod admit;
pub mod call;
pub mod desk;
pub mod exchange;
pub mod invalidate;
pub mod key;
pub mod load;
pub mod login;
pub mod logout;
pub mod params;
pub mod query;
pub mod refresh;
pub mod respond;
pub mod revoke;
pub mod service;
pub mod token_pair;
pub mod transaction;

use call::Call;
use desk::Desk;

/// What a route does. One object serves all shards; what changes lives on the shard's [`Desk`].
pub trait Action: Send + Sync {
    /// Answers from what is here, or says what has to be waited for. Runs in the turn in which the request arrived.
    ///
    /// # Errors
    /// What the client is told.
    fn call(&self, desk: &Rc<Desk>, call: Call<'_>) -> Result<Outcome, Fault>;

    /// Where the action runs.
    fn home(&self) -> Home {
        Home::Anywhere
    }
}

/// Where an action runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// On the shard of the connection.
    Anywhere,
    /// On the shard that owns the user: the action reads or changes what lives only there.
    Owner,
}

/// What an action has to say at once.
pub enum Outcome {
    Now(Reply),
    /// The backend that is waited for, and the rest of the work. Nothing has happened yet: an unpolled future costs nothing.
    Later(Backend, Pending),
}

pub type Pending = Pin<Box<dyn Future<Output = Result<Reply, Fault>>>>;

/// Makes an action from the value that the route gives it, or says what the value must be.
pub type Build = Arc<dyn Fn(&toml::Value, &Config) -> Result<Box<dyn Action>, String> + Send + Sync>;

/// The actions that a configuration can name.
#[derive(Clone)]
pub struct Registry {
    builders: Vec<(&'static str, Build)>,
}

impl Registry {
    /// The actions that come with Tidegate.
    #[must_use]
    pub fn standard() -> Self {
        Self { builders: Vec::new() }
            .with("login", login::build)
            .with("refresh", refresh::build)
            .with("logout", logout::build)
            .with("query", query::build)
            .with("transaction", transaction::build)
            .with("respond", respond::build)
    }

    /// Adds an action, or replaces the one of that name.
    #[must_use]
    pub fn with(
        mut self,
        name: &'static str,
        build: impl Fn(&toml::Value, &Config) -> Result<Box<dyn Action>, String> + Send + Sync + 'static,
    ) -> Self {
        self.builders.retain(|(known, _)| *known != name);
        self.builders.push((name, Arc::new(build)));
        self
    }

    fn find(&self, name: &str) -> Option<&Build> {
        self.builders.iter().find(|(known, _)| *known == name).map(|(_, build)| build)
    }

    fn names(&self) -> String {
        self.builders.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }
}

/// An outcome that has to be waited for.
fn later<F>(backend: Backend, work: F) -> Outcome
where
    F: Future<Output = Result<Reply, Fault>> + 'static,
{
    Outcome::Later(backend, Box::pin(work))
}

/// For actions that take no options: `{}`.
fn no_options(value: &toml::Value) -> Result<(), String> {
    match value.as_table() {
        Some(options) if options.is_empty() => Ok(()),
        _ => Err("takes no options: write {}".into()),
    }
}
