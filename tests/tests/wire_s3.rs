//! The lab's S3 through `object_store`'s real client, and by hand where that client asks less than S3 can be asked.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

#[path = "wire_s3/access.rs"]
mod access;
#[path = "wire_s3/directory.rs"]
mod directory;
#[path = "wire_s3/encryption.rs"]
mod encryption;
#[path = "wire_s3/faults.rs"]
mod faults;
#[path = "wire_s3/lists.rs"]
mod lists;
#[path = "wire_s3/multipart.rs"]
mod multipart;
#[path = "wire_s3/objects.rs"]
mod objects;
#[path = "wire_s3/scene.rs"]
mod scene;
