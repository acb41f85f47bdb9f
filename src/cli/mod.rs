//! What the command line does besides serving.
//! Never here: decisions of the server; a command asks the rooms and prints.

pub mod doctor;
