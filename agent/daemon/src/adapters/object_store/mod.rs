//! The object store: S3, or a directory that all members share. It holds the charter and the snapshots.

mod authority;
mod charter;
mod endpoint_directory;
mod error;
mod home;
mod place;
mod snapshots;

pub use authority::AuthorityStore;
pub use charter::{CharterStore, Creation, Probe};
pub use endpoint_directory::EndpointDirectoryStore;
pub use error::{Refusal, StoreError};
pub use snapshots::{SharedSnapshots, SnapshotStore, Upload, part_size};
