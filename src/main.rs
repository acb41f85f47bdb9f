//! The program: nothing but the way from the command line to the library.
//! Never here: decisions; they live in the rooms.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tidegate::cli::main()
}
