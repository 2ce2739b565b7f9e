//! How long a node waits before it calls an operator.

use std::time::Duration;

use super::Policy;
use crate::wait::WaitReason;

impl Policy {
    /// How long a node may wait for this before it calls an operator. It calls at once for a wait that only an operator can end.
    #[must_use]
    pub fn patience(&self, reason: WaitReason) -> Duration {
        match reason {
            WaitReason::BlockedClaim
            | WaitReason::SignedAnswers
            | WaitReason::NoStore
            | WaitReason::ForeignStore
            | WaitReason::BrokenCharter
            | WaitReason::UnknownData
            | WaitReason::EtcdVersion
            | WaitReason::EtcdFlags
            | WaitReason::EtcdPort
            | WaitReason::QuorumLost
            | WaitReason::TotalLoss
            | WaitReason::NotInGroup
            | WaitReason::Order
            | WaitReason::Stranger
            | WaitReason::Refused
            | WaitReason::Corrupt
            | WaitReason::LastVoter
            | WaitReason::Retained
            | WaitReason::Authority => Duration::ZERO,
            WaitReason::LocalFacts
            | WaitReason::StateDirectory
            | WaitReason::DamagedMemory
            | WaitReason::Store
            | WaitReason::StoreRefused
            | WaitReason::Group
            | WaitReason::Ec2
            | WaitReason::Tag
            | WaitReason::Heartbeat
            | WaitReason::OlderInstances
            | WaitReason::Founder
            | WaitReason::Consent
            | WaitReason::VanishedRecord
            | WaitReason::Charter
            | WaitReason::VersionFacts
            | WaitReason::Certificates
            | WaitReason::EtcdStart
            | WaitReason::OwnEtcd
            | WaitReason::Quorum
            | WaitReason::Fetch
            | WaitReason::Restore
            | WaitReason::HealthyVoters
            | WaitReason::SilentVoter
            | WaitReason::DepartedVoter
            | WaitReason::MovedVoter
            | WaitReason::EtcdRefused
            | WaitReason::Lock
            | WaitReason::Admission
            | WaitReason::AdmittedServer
            | WaitReason::LeaderAgent
            | WaitReason::Promotion
            | WaitReason::LearnerReady
            | WaitReason::OwnRemoval
            | WaitReason::FinalSnapshot
            | WaitReason::HookCompletion
            | WaitReason::Server
            | WaitReason::Node => self.wait_patience,
            WaitReason::QuorumLossGrace => self.wait_patience + self.quorum_loss_grace,
            WaitReason::OtherLearner => self.wait_patience + self.learner_patience,
            WaitReason::Replacement => self.wait_patience + self.replacement_patience,
            WaitReason::Drain => self.wait_patience + self.drain.budget,
            WaitReason::Snapshot => self.wait_patience + self.snapshots.change_patience,
            // AWS takes its time, and nothing else depends on it.
            WaitReason::OwnReplacement | WaitReason::HookTimeout => self.wait_patience * 4,
            // An operator wanted it, and may have forgotten it.
            WaitReason::Paused => self.wait_patience * 96,
        }
    }
}
