//! What happened in a run or in many: proof that the simulator is not idling.

use std::fmt;

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// Counts of what happened.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Stats {
            $($(#[$doc])* pub $name: u64),+
        }

        impl Stats {
            /// The count of this name.
            #[must_use]
            pub fn named(&self, name: &str) -> Option<u64> {
                match name {
                    $(stringify!($name) => Some(self.$name),)+
                    _ => None,
                }
            }

            /// Adds another's counts.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)+
            }
        }

        impl fmt::Display for Stats {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                $(writeln!(f, "{:>12}  {}", self.$name, stringify!($name).replace('_', " "))?;)+
                Ok(())
            }
        }
    };
}

counts! {
    /// Runs.
    runs,
    /// Times that an agent looked and decided.
    looks,
    /// Steps executed.
    steps,
    /// Generations founded empty.
    founded,
    /// Claims taken over from a founder that had ended or lost its data.
    taken_over,
    /// Members added.
    joined,
    /// Learners promoted.
    promoted,
    /// Voters or learners removed by another.
    pruned,
    /// Members that removed themselves.
    left,
    /// Survivors' data restored.
    recovered,
    /// Records written again after they had vanished.
    rewritten,
    /// Lifecycle actions completed by their own instance.
    completed,
    /// Lifecycle actions completed for a dead instance.
    completed_for_the_dead,
    /// Lifecycle actions that were completed, and that another caller tried to complete after that.
    completed_again,
    /// Those of them that an agent of another group completed.
    completed_across_groups,
    /// Groups all of whose machines died at once.
    zones_lost,
    /// Times that every instance was terminated in one call.
    terminated_as_a_whole,
    /// Lifecycle actions that timed out.
    timed_out,
    /// Instances that their group retained, and an operator ended once they had left.
    retained,
    /// Instances to which EC2 announced what it is going to do.
    notices,
    /// Of those that had nothing to excuse them, the ones that had left when EC2 took them.
    left_on_notice,
    /// Pauses that an operator ordered.
    pauses,
    /// Launches abandoned.
    abandoned,
    /// Launches completed by a spare.
    spares,
    /// Looks after which the agent's memory could not be written.
    not_written,
    /// Agents that ended for good.
    agents_gone,
    /// Times that an agent took the leadership over from one that was silent.
    stood_in,
    /// Voters that somebody added by hand and never started.
    strangers,
    /// Of those, the ones that an agent removed.
    strangers_removed,
    /// Learners that received a snapshot for long.
    slow_learners,
    /// Steps that the gate refused.
    refused_by_gate,
    /// Steps that the other side refused.
    refused_by_others,
    /// Steps whose answer was lost.
    unclear,
    /// Agents that crashed.
    agent_crashes,
    /// Machines that crashed.
    machine_crashes,
    /// Writes acknowledged to the client.
    writes,
    /// Clusters that their last voter retired to a final snapshot.
    retired,
    /// Generations restored from a snapshot after every voter's data was lost.
    restored,
    /// Acknowledged writes that a recovery lost, as it may.
    lost_in_recovery,
    /// Those of them that no remaining data held, under policy `any`.
    lost_by_any,
    /// Runs in which quorum was lost for good.
    quorum_lost,
    /// Runs in which every voter's data was lost.
    total_losses,
    /// Runs that ended waiting for an operator, for a good reason.
    halted,
    /// Those of them in which the survivors would have been enough for policy `safe`.
    halted_though_enough_survive,
    /// Runs that ended because a record and every node that remembered it were lost.
    forgotten,
    /// Runs that ended with every instance in its place.
    converged,
    /// Drains begun.
    drains,
    /// Learners that k3s promoted on its own.
    promoted_by_k3s,
    /// Members that k3s removed because their Node asked for it.
    left_by_annotation,
    /// Times that a k3s was started by something other than the agent.
    unplanned_starts,
    /// Nodes that their own agent deleted.
    own_nodes_deleted,
    /// Nodes of the dead that another agent deleted.
    dead_nodes_deleted,
    /// Snapshots taken.
    snapshots_taken,
    /// Those of them that lack a write which was acknowledged before: their member was behind its leader.
    snapshots_behind,
    /// Those that came to nothing.
    snapshots_failed,
    /// Those that died with the agent that took them.
    snapshots_broken_off,
    /// Those that were deleted.
    snapshots_deleted,
    /// Restores on trial that were begun.
    drills,
    /// Membership changes with a snapshot from just before.
    changes_with_snapshot,
    /// Those with a reason to do without one.
    changes_without_snapshot,
    /// Calls to the AWS control plane.
    aws_calls,
    /// Seconds of virtual time.
    virtual_seconds,
}
