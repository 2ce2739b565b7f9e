//! The object store: S3, or a directory that all members share. It holds the charter and the snapshots.

mod charter;
mod error;
mod home;
mod place;
mod published;
mod snapshots;

pub use charter::{CharterStore, Creation, Probe};
pub use error::StoreError;
pub use published::PublishedStore;
pub use snapshots::{SharedSnapshots, SnapshotStore, Upload, part_size};
