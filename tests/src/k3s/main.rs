//! The `k3s-stand-in` binary.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // One thread: etcd's parent-death signal is bound to the thread that started it.
    quorate_lab::k3s::main().await
}
