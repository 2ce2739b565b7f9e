//! What several rules ask or do, one module for each subject. None of them knows a rule.

pub(super) mod admission;
pub(super) mod any;
pub(super) mod certificates;
pub(super) mod change;
pub(super) mod charter;
pub(super) mod completion;
pub(super) mod cover;
pub(super) mod dead;
pub(super) mod departing;
pub(super) mod disk;
pub(super) mod hooks;
pub(super) mod joining;
pub(super) mod learner;
pub(super) mod loss;
pub(super) mod members;
pub(super) mod no_quorum;
pub(super) mod no_word;
pub(super) mod node;
pub(super) mod objection;
pub(super) mod orders;
pub(super) mod phase;
pub(super) mod restore;
pub(super) mod retire;
pub(super) mod targets;
pub(super) mod version;
pub(super) mod worker;
