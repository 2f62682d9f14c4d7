//! The program: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(zdd::cli::run(&zdd::host::clock::SystemClock))
}
