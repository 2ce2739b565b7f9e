//! What is given to whoever may not read the cluster's authority: an instance proves by AWS which role it has, and gets what the operator granted to that role.
//!
//! The asker signs a request for STS in advance ([`Presigned`]), and the member sends it: STS then says whose keys signed it. The signature covers the cluster
//! and the hash of what is asked to be certified, so the proof is of no use for anything else. What does not have exactly that form is refused before
//! anything is sent ([`Proof::parse`]). The rest is decided here from facts that others fetched ([`decide`]).

mod decision;
mod grant;
mod proof;
mod rate;

pub use decision::{Asked, Granted, Here, Refusal, Residence, Spent, decide, entitled, fitting};
pub use grant::{Caller, Gift, Grant, NotARole, RoleArn};
pub use proof::{CLUSTER_HEADER, CSR_HEADER, Presigned, Proof, SIGNED_HEADERS, Unfit};
pub use rate::Rates;

#[cfg(test)]
mod tests;
