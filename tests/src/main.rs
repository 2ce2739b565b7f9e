//! The `quorate-lab` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    quorate_lab::cli::main()
}
