//! Snapshots at work: taking one from a member into the store, beside the loop, and proving one that is there.

mod checksum;
mod command;
mod error;
mod save;
mod task;
mod verify;

pub use checksum::{Checksum, Sum};
pub use command::run;
pub use error::SnapshotError;
pub use save::{Progress, Saved, save};
pub use task::Snapshots;
pub use verify::{Verified, verify};
