//! What the operator wrote, checked as a whole before anything runs, then immutable.
//! Never here: reading files or the environment; text and variables are arguments.

pub mod checked;
pub mod http2;
pub mod overload;
pub mod proxy;
pub mod tls;

mod check;
mod error;
mod expand;
mod overrides;
mod param;
mod section;
mod sql;
mod template;
mod units;

pub use check::{DEFAULTS, load, load_with};
pub use error::ConfigError;
pub use expand::Outside;
