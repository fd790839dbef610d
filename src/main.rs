//! The binary: arguments in, a call into the library, an exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    freshsignal::cli::run()
}
