//! The `k3s-stand-in` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    quorate_lab::k3s::main()
}
