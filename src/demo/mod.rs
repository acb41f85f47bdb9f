//! What a first try needs on one machine without an account anywhere: a WeChat that lives in this process.
//! Never here: anything that a node in production runs.

pub mod simulator;
