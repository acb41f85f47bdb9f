//! JSON in and out: bodies parsed in place, rows rendered once.
//! Never here: what a field means.

pub mod parse;
pub mod rows;
pub mod write;
