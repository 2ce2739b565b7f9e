//! Whether something is given.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::grant::{Caller, Gift, Grant, RoleArn};
use super::proof::{Proof, Unfit};
use crate::ids::{AccountId, ClusterName, InstanceId, RegionName};
use crate::observation::Ec2State;
use crate::time::Timestamp;

/// How old a proof may be: as long as an asker tries one member after the other. STS itself believes a signature for a quarter of an hour.
const OLDEST: Duration = Duration::from_secs(300);

/// By how much an asker's clock may be ahead of the member's.
const AHEAD: Duration = Duration::from_secs(60);

/// More proofs than a member has sent to STS, by its own limit, while one of them is fresh.
const MOST: usize = 1024;

/// Why nothing is given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request is not of the form that is sent.
    #[error("the proof cannot be used: {0}")]
    Unfit(#[from] Unfit),
    /// It was signed for another cluster.
    #[error("the proof is for cluster {theirs}, and this is {ours}")]
    OtherCluster {
        /// The proof's.
        theirs: ClusterName,
        /// This one.
        ours: ClusterName,
    },
    /// It was signed for another certificate signing request.
    #[error("the proof is for another certificate signing request than the one that came with it")]
    OtherCsr,
    /// It was signed for another region.
    #[error("the proof is for STS in {theirs}, and this member asks it in {ours}")]
    OtherRegion {
        /// The proof's.
        theirs: RegionName,
        /// This one.
        ours: RegionName,
    },
    /// It is too old.
    #[error("the proof is {} s old, and at most {} s are accepted: sign another one, and compare the clocks of the two machines", age.as_secs(), OLDEST.as_secs())]
    TooOld {
        /// Its age.
        age: Duration,
    },
    /// It is from the future.
    #[error("the proof is from {} s ahead of this member's clock: compare the clocks of the two machines", by.as_secs())]
    FromTheFuture {
        /// By how much.
        by: Duration,
    },
    /// It was used before.
    #[error("the proof was used before: sign another one")]
    Replayed,
    /// So much was given lately that this member would have to forget which proofs were used.
    #[error("too many proofs are fresh at this member: try again in a few minutes")]
    Crowded,
    /// STS does not confirm it.
    #[error("STS does not confirm the proof: {words}")]
    NotProved {
        /// Its words.
        words: String,
    },
    /// The keys are not of an instance's role.
    #[error("the proof is by {arn}, which is not an instance with its role")]
    NotAnInstance {
        /// Who it is.
        arn: String,
    },
    /// The role is of another account, whose instances this member cannot look up.
    #[error("the role {role} is of another account than this cluster's, {ours}")]
    OtherAccount {
        /// The role.
        role: RoleArn,
        /// This cluster's account.
        ours: AccountId,
    },
    /// The role is granted nothing of the kind.
    #[error("the role {role} has no grant of {gift}: add it to [[grant]] in the configuration of the members")]
    NoGrant {
        /// The role.
        role: RoleArn,
        /// What was asked for.
        gift: Gift,
    },
    /// EC2 does not know the instance.
    #[error("EC2 does not know {instance}")]
    UnknownInstance {
        /// The instance.
        instance: InstanceId,
    },
    /// The instance does not run.
    #[error("EC2 says that {instance} is {state:?}, and not that it runs")]
    NotRunning {
        /// The instance.
        instance: InstanceId,
        /// Its state.
        state: Ec2State,
    },
    /// The question came from another address than the instance's.
    #[error("the proof is by {instance}, which does not have the address {from} at EC2")]
    AnotherAddress {
        /// The instance.
        instance: InstanceId,
        /// Where the question came from.
        from: IpAddr,
    },
}

impl Refusal {
    /// Its name, for programs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unfit(Unfit::UnsignedHeader(_)) => "unsigned-header",
            Self::Unfit(_) => "unfit-proof",
            Self::OtherCluster { .. } => "other-cluster",
            Self::OtherCsr => "other-csr",
            Self::OtherRegion { .. } => "other-region",
            Self::TooOld { .. } => "too-old",
            Self::FromTheFuture { .. } => "from-the-future",
            Self::Replayed => "replayed",
            Self::Crowded => "crowded",
            Self::NotProved { .. } => "not-proved",
            Self::NotAnInstance { .. } => "not-an-instance",
            Self::OtherAccount { .. } => "other-account",
            Self::NoGrant { .. } => "no-grant",
            Self::UnknownInstance { .. } => "unknown-instance",
            Self::NotRunning { .. } => "not-running",
            Self::AnotherAddress { .. } => "another-address",
        }
    }
}

/// The member that is asked.
#[derive(Clone, Copy, Debug)]
pub struct Here<'a> {
    /// Its account.
    pub account: &'a AccountId,
    /// Its region.
    pub region: &'a RegionName,
    /// Its cluster.
    pub cluster: &'a ClusterName,
    /// What the operator grants.
    pub grants: &'a [Grant],
}

/// An instance as EC2 knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Residence {
    /// Its state.
    pub state: Ec2State,
    /// All of its addresses in the VPC.
    pub addresses: BTreeSet<IpAddr>,
}

/// Everything that is known of a question.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The proof, which STS has confirmed.
    pub proof: &'a Proof,
    /// SHA-256 of the certificate signing request that came with it.
    pub csr: [u8; 32],
    /// Who it is by, as STS says.
    pub caller: &'a Caller,
    /// What is asked for.
    pub gift: Gift,
    /// Where the question came from.
    pub from: IpAddr,
    /// What EC2 says of the instance; none if it knows no such instance.
    pub residence: Option<&'a Residence>,
}

/// What is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// To whom.
    pub instance: InstanceId,
    /// With which role.
    pub role: RoleArn,
    /// What.
    pub gift: Gift,
    /// The instance's addresses.
    pub addresses: BTreeSet<IpAddr>,
}

/// The proofs that were used and could be used again by their age. It is kept in this process's memory: another member's, or one before a restart, are unknown
/// here, and then the key in the request and the asker's address still bind a proof to the instance that made it.
#[derive(Debug, Default)]
pub struct Spent(BTreeMap<[u8; 32], Timestamp>);

impl Spent {
    fn has(&self, proof: &Proof) -> bool {
        self.0.contains_key(&proof.nonce())
    }

    fn spend(&mut self, proof: &Proof, now: Timestamp) -> Result<(), Refusal> {
        self.0.retain(|_, at| now.since(*at) <= OLDEST);
        if self.0.len() >= MOST {
            return Err(Refusal::Crowded);
        }
        match self.0.insert(proof.nonce(), proof.at) {
            None => Ok(()),
            Some(_) => Err(Refusal::Replayed),
        }
    }
}

/// Whether a proof is worth asking STS about. `now` is the wall clock's time, which the asker's clock is compared with.
///
/// # Errors
/// Why it is not.
pub fn fitting(proof: &Proof, csr: [u8; 32], here: Here<'_>, spent: &Spent, now: Timestamp) -> Result<(), Refusal> {
    let (age, by) = (now.since(proof.at), proof.at.since(now));
    match () {
        () if proof.cluster != *here.cluster => Err(Refusal::OtherCluster { theirs: proof.cluster.clone(), ours: here.cluster.clone() }),
        () if proof.csr != csr => Err(Refusal::OtherCsr),
        () if proof.region != *here.region => Err(Refusal::OtherRegion { theirs: proof.region.clone(), ours: here.region.clone() }),
        () if age > OLDEST => Err(Refusal::TooOld { age }),
        () if by > AHEAD => Err(Refusal::FromTheFuture { by }),
        () if spent.has(proof) => Err(Refusal::Replayed),
        () => Ok(()),
    }
}

/// Whether a caller's role may have this, and so whether EC2 is worth asking about it.
///
/// # Errors
/// Why it may not.
pub fn entitled(caller: &Caller, gift: Gift, here: Here<'_>) -> Result<(), Refusal> {
    if caller.role.account() != here.account {
        return Err(Refusal::OtherAccount { role: caller.role.clone(), ours: here.account.clone() });
    }
    let granted = here.grants.iter().any(|grant| grant.role == caller.role && grant.gives.contains(&gift));
    if granted { Ok(()) } else { Err(Refusal::NoGrant { role: caller.role.clone(), gift }) }
}

/// Decides, from everything that is known. A proof that is accepted is spent with it.
///
/// # Errors
/// Why nothing is given.
pub fn decide(asked: Asked<'_>, here: Here<'_>, spent: &mut Spent, now: Timestamp) -> Result<Granted, Refusal> {
    let Asked { proof, csr, caller, gift, from, residence } = asked;
    fitting(proof, csr, here, spent, now)?;
    entitled(caller, gift, here)?;
    let instance = caller.instance.clone();
    let residence = residence.ok_or_else(|| Refusal::UnknownInstance { instance: instance.clone() })?;
    // EC2 calls an instance pending for a moment longer than its system needs to boot.
    if !matches!(residence.state, Ec2State::Pending | Ec2State::Running) {
        return Err(Refusal::NotRunning { instance, state: residence.state });
    }
    if !residence.addresses.contains(&from.to_canonical()) {
        return Err(Refusal::AnotherAddress { instance, from });
    }
    spent.spend(proof, now)?;
    Ok(Granted { instance, role: caller.role.clone(), gift, addresses: residence.addresses.clone() })
}
