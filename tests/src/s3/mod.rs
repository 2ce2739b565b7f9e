//! An object store that speaks S3: real HTTP in front of a pure model of one bucket, in real time.
//!
//! It answers `object_store`'s client, path style (`/bucket/key`). What the agent does not ask is not modelled, and refused with
//! `NotImplemented`, as a fake that takes what AWS would refuse hides bugs.
//!
//! # Flow
//!
//! A request's body is taken in first, then the fault rules apply, then the model decides under its lock. What arrived is done, whether or
//! not the client still waits: so a write can take effect long after its author gave up.
//!
//! # Not here
//!
//! Signatures are not verified: the access key id only names the caller. Versions, tags, copies, folders, lists of version 1 and of unfinished uploads are
//! refused.

mod access;
mod answers;
mod ask;
mod digest;
mod disk;
mod endpoint;
mod error;
mod faults;
mod log;
mod model;
mod operation;
mod range;
mod receive;
mod server;
mod shelf;
mod spoil;
mod xml;

pub use crate::faults::RuleId;
pub use access::{Access, Denial};
pub use error::S3Error;
pub use faults::{Fault, Faults, Rule, Scope};
pub use log::{Line, Log};
pub use model::content::Blob;
pub use model::{Condition, Listing, Model, Object, Page, Part};
pub use operation::Operation;
pub use server::{S3Config, S3Server};
