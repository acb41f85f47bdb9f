//! The few system calls that std does not offer, each behind a safe function.
//! Never here: what the calls are used for.

pub mod epoll;
pub mod process;
pub mod procfs;
