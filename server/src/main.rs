//! `berth`: server and client in one program.

use std::process::ExitCode;

/// A tenth of what the edge spends on a request is spent on memory: this one takes half as long as the system's.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    server::cli::main()
}
