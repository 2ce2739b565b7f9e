//! The object store: S3, or a directory that all members share.

mod charter;
mod error;
mod place;

pub use charter::{CharterStore, Creation, Probe};
pub use error::StoreError;
