//! What can go wrong with certificates.

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PkiError {
    /// It could not be made or signed.
    #[error("cannot make {what}")]
    Make {
        /// What.
        what: &'static str,
        /// Why.
        #[source]
        source: rcgen::Error,
    },
    /// A certificate signing request cannot be used.
    #[error("the certificate signing request cannot be used")]
    Request {
        /// Why.
        #[source]
        source: rcgen::Error,
    },
    /// The authority in the store is not what this version writes.
    #[error("the authority in the store cannot be used ({why}): it is never replaced, so put back the object as it was")]
    Unusable {
        /// What is wrong with it.
        why: String,
    },
    /// The authority in the store is another cluster's.
    #[error(
        "the authority in the store is of cluster {cluster} of account {account} in {region}: correct quorate:store or quorate:cluster"
    )]
    OfAnotherCluster {
        /// Its cluster.
        cluster: String,
        /// Its account.
        account: String,
        /// Its region.
        region: String,
    },
    /// The authority in the store is not the one that the charter names.
    #[error("the charter names authority {named}, and none of the {found} in the store below pki/ is that: put back the object as it was")]
    NotTheCharters {
        /// How many the store has.
        found: usize,
        /// The charter's.
        named: quorate_core::authority::AuthorityHash,
    },
    /// The wall clock gives no date that a certificate can have.
    #[error("this machine's clock gives no date that a certificate can have")]
    Clock,
}

pub(super) fn making(what: &'static str) -> impl FnOnce(rcgen::Error) -> PkiError {
    move |source| PkiError::Make { what, source }
}
