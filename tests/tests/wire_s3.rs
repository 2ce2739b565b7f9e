//! What the agent asks of S3 beyond the charter's contract, and what the tests of the policies rest on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

#[path = "wire_s3/access.rs"]
mod access;
#[path = "wire_s3/encryption.rs"]
mod encryption;
#[path = "wire_s3/scene.rs"]
mod scene;
