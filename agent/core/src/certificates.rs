//! The certificates with which this node's etcd proves what it is, and when they are made. Keys are the daemon's: here is only what a decision needs.

use std::time::Duration;

use crate::authority::AuthorityHash;
use crate::charter::Record;
use crate::ids::InstanceId;
use crate::rotation::Trust;
use crate::time::Timestamp;
use crate::transport::Transport;

/// This node's own certificates, which are made together and end together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certificates {
    /// The authority that they come from: SHA-256 of its certificate.
    pub authority: AuthorityHash,
    /// The other authority that this node's files accept, during a rotation.
    pub also: Option<AuthorityHash>,
    /// The one that the store holds for a rotation which the charter does not name yet. It is only looked for under an order.
    pub next: Option<AuthorityHash>,
    /// From when on they are valid.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
}

/// Why this node's certificates are of no use now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Another authority's than the charter names.
    OtherAuthority {
        /// Whose they are.
        own: AuthorityHash,
        /// Whose they should be.
        charter: AuthorityHash,
    },
    /// The files do not accept certificates of an authority that the charter names.
    Distrusts {
        /// The authority.
        authority: AuthorityHash,
    },
    /// They are not valid yet: this machine's clock, or that of the machine that made the authority, is wrong.
    NotYet {
        /// From when on they are.
        from: Timestamp,
    },
    /// They have ended.
    Ended {
        /// When.
        at: Timestamp,
    },
}

impl Certificates {
    /// What the files show and accept.
    #[must_use]
    pub fn trust(&self) -> Trust {
        Trust { authority: self.authority, also: self.also }
    }

    /// Whether a member can start with them now, in a cluster whose charter wants this, if it names an authority.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn fit(&self, charter: Option<Trust>, now: Timestamp) -> Result<(), Unfit> {
        if let Some(charter) = charter.filter(|charter| !charter.accepts(self.authority)) {
            return Err(Unfit::OtherAuthority { own: self.authority, charter: charter.authority });
        }
        let wanted = charter.into_iter().flat_map(|charter| [Some(charter.authority), charter.also]).flatten();
        match wanted.into_iter().find(|hash| !self.trust().accepts(*hash)) {
            Some(authority) => Err(Unfit::Distrusts { authority }),
            None if now < self.not_before => Err(Unfit::NotYet { from: self.not_before }),
            None if now >= self.not_after => Err(Unfit::Ended { at: self.not_after }),
            None => Ok(()),
        }
    }

    /// When they are to be renewed: at half of their life, and earlier by up to a tenth of it, so that the nodes of a cluster do not do it at the same moment.
    /// `spread` is a number of this node's own, of any size.
    #[must_use]
    pub fn renewed_at(&self, spread: u64) -> Timestamp {
        let life = self.not_after.since(self.not_before);
        let tenth = u64::try_from(life.as_millis() / 10).unwrap_or(u64::MAX).max(1);
        self.not_before + (life / 2).saturating_sub(Duration::from_millis(spread % tenth))
    }
}

/// What is to be done about this node's certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing before this moment; never, if there is none.
    Nothing(Option<Timestamp>),
    /// New ones are to be issued from the cluster's authority.
    Issue,
    /// The same, and the authority is to be made if the store has none: this node founds the cluster, by a claim that the store has accepted.
    MakeAuthorityAndIssue,
    /// The authority to rotate to is to be found in the store, or else made there, by an operator's order.
    MakeNext,
}

/// What is due. `record` is the highest record that the store shows, or else the remembered one; `claimed` says that the store shows it; `rotates`, that an
/// operator has ordered this node to begin a rotation.
///
/// # Guarantees
/// An authority is made only under this node's own claim of a cluster that never had one: what the charter names once is never replaced by another.
#[must_use]
pub fn due(
    (record, claimed): (Option<&Record>, bool),
    rotates: bool,
    me: &InstanceId,
    own: Option<&Certificates>,
    spread: u64,
    now: Timestamp,
) -> Due {
    let Some(record) = record.filter(|r| r.transport == Transport::Tls) else { return Due::Nothing(None) };
    let charter = record.trust();
    let as_wanted = |c: &&Certificates| c.fit(charter, now).is_ok() && charter.is_none_or(|charter| charter == c.trust());
    let own = own.filter(as_wanted);
    if rotates && claimed && record.authority.is_some() && record.rotation.is_none() && own.is_some_and(|c| c.next.is_none()) {
        return Due::MakeNext;
    }
    let renewed_at = own.map(|c| c.renewed_at(spread));
    match renewed_at.filter(|at| now < *at) {
        Some(at) => Due::Nothing(Some(at)),
        None if claimed && record.authority.is_none() && record.founder() == Some(me) => Due::MakeAuthorityAndIssue,
        None => Due::Issue,
    }
}

#[cfg(test)]
mod tests;
