//! What the agent asks of S3 beyond the charter's contract, and what the tests of the policies rest on.

mod access;
mod encryption;
mod scene;
