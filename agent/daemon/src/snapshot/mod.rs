//! Takes snapshots from a member into the store, beside the loop, and verifies those in the store.

mod checksum;
mod copy;
mod drill;
mod error;
mod fetch;
mod save;
mod task;
mod trial;
mod verify;

pub use checksum::{Checksum, Sum};
pub use copy::Copy;
pub use drill::DrillPlace;
pub use error::SnapshotError;
pub use save::{Progress, Saved, save};
pub use task::{Places, Snapshots};
pub use trial::{Trial, restore_on_trial};
pub use verify::{Verified, verify};
