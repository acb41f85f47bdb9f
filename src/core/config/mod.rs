//! What the operator wrote, checked as a whole before anything runs, then immutable.
//! Never here: reading files or the environment; text and variables are arguments.

pub mod checked;
