//! The program: nothing but the way from the command line to the library.
//! Never here: decisions; they live in the rooms.

fn main() {}
