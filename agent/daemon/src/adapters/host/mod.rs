//! This machine's disk: the member's data directory, the trash, and the small files that must survive a crash.
//!
//! Nothing here deletes data: what is in the way is renamed into the [`Trash`], and only [`Trash::expire`] removes it, once it has been kept for long enough.

pub mod atomic;
mod crc32c;
mod data_dir;
mod error;
pub mod hosts;
mod label;
pub(crate) mod listening;
pub mod memory_file;
mod restore;
mod restore_marker;
mod restore_tool;
mod survivor;
mod trash;
mod wal;

pub use data_dir::DataDir;
pub use error::HostError;
pub use label::Label;
pub use restore::RestoreOrder;
pub use restore_tool::{Restore, RestoreTool};
pub use trash::{Expired, Trash};
pub use wal::WalIdentity;
