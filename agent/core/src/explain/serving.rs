//! Having a member: keeping it running, repairing it, and the quiet state.

use crate::charter::Record;
use crate::ids::{Generation, InstanceId};
use crate::plan::AsideReason;
use crate::wait::WaitReason;

use super::{Message, Wait, list, wait};

pub(crate) fn is_warm() -> Message {
    "is in the warm pool, where it joins nothing".into()
}

pub(crate) fn data_is_unknown(why: &str) -> Wait {
    wait(WaitReason::LocalFacts, format!("does not know what its data directory holds: {why}"))
}

pub(crate) fn process_is_unknown(why: &str) -> Wait {
    wait(WaitReason::LocalFacts, format!("does not know whether its etcd runs: {why}"))
}

/// Data without Quorate's label: its age is not known, so nothing is decided about it.
pub(crate) fn data_is_not_ours() -> Wait {
    let message = "the data directory holds an etcd member that Quorate did not create: move it away, or take this node out of the group";
    wait(WaitReason::UnknownData, message)
}

pub(crate) fn is_not_permitted(data: AsideReason, record: &Record) -> Message {
    let of = match data {
        AsideReason::OlderGeneration => "an older generation",
        _ => "another etcd cluster",
    };
    format!("stops etcd: its data is from {of} than {record}").into()
}

/// `exit`: how it ended, if that is known.
pub(crate) fn never_started(exit: Option<&str>) -> Message {
    let ended = exit.map_or_else(String::new, |exit| format!(" (it ended: {exit})"));
    format!("moves its data directory to the trash: etcd never wrote its log there{ended}, so it holds no member").into()
}

pub(crate) fn stops_on_dead_data(why: AsideReason) -> Message {
    format!("stops etcd: a quorum proves its data dead ({why})").into()
}

pub(crate) fn puts_dead_data_aside(why: AsideReason) -> Message {
    format!("moves its data to the trash: a quorum proves it dead ({why})").into()
}

/// Why etcd is not started on the existing data.
pub(crate) fn does_not_start(why: &str) -> Wait {
    wait(WaitReason::Charter, format!("does not start etcd: {why}"))
}

/// Why no record permits etcd to run: the end of a sentence.
pub(crate) mod obstacle {
    use crate::charter::Record;
    use crate::ids::Generation;

    pub(crate) fn another_etcd_cluster(record: &Record) -> String {
        format!("its data belongs to another etcd cluster than {record}")
    }

    pub(crate) fn another_generation(data: Generation, record: &Record) -> String {
        format!("its data is of generation {data}, and the charter says {record}")
    }

    pub(crate) fn charter_was_not_read(why: &str) -> String {
        format!("the charter cannot be read ({why}), and the cluster may have moved on since this machine booted")
    }

    pub(crate) fn no_record_is_known() -> String {
        "it has data but remembers no record of it".to_owned()
    }

    pub(crate) fn nobody_remembers_a_record() -> &'static str {
        "no store is configured, and no peer remembers a record"
    }

    pub(crate) fn store_has_no_charter() -> &'static str {
        "the store holds none"
    }

    pub(crate) fn charter_is_absent() -> String {
        "it has data, but the store holds no charter: check `quorate:store`".to_owned()
    }

    pub(crate) fn record_vanished(record: &Record) -> String {
        format!("{record} vanished from the store")
    }
}

pub(crate) fn starts_on_its_data(generation: Generation) -> Message {
    format!("starts etcd on its data of generation {generation}").into()
}

/// `exit`: how it last exited, according to its manager.
pub(crate) fn does_not_stay_up(doing: &Message, starts: usize, exit: Option<&str>) -> Message {
    let last = exit.map_or_else(String::new, |why| format!(" ({why})"));
    format!("{doing}; etcd has not stayed up in {starts} starts{last}: see its log").into()
}

pub(crate) fn restarts_frozen() -> Message {
    "restarts its etcd, which runs but does not answer".into()
}

/// Why no quorum answers: the end of a sentence such as "no quorum answers: i-b, i-c are silent".
pub(crate) mod no_quorum {
    use crate::explain::list;
    use crate::text::Foreign;

    pub(crate) fn refused(words: &Foreign) -> String {
        format!("etcd answers, and refuses this agent: {words}")
    }

    /// It passes, so nobody is called for it at once.
    pub(crate) fn busy(words: &Foreign) -> String {
        format!("etcd answers, and refuses this agent for now: {words}")
    }

    pub(crate) fn silent_and_busy(voters: &[String], words: &Foreign) -> String {
        format!("{}; {}", silent(voters), busy(words))
    }

    pub(crate) fn no_leader() -> String {
        "its voters answer, but none knows a leader".to_owned()
    }

    pub(crate) fn no_answer_in_time() -> String {
        "its voters answer, but none gave a linearizable answer in time".to_owned()
    }

    pub(crate) fn silent(voters: &[String]) -> String {
        format!("{} {} silent", list(voters, ", "), if voters.len() == 1 { "is" } else { "are" })
    }
}

/// Other waits for a quorum end when its voters do; this one does not.
pub(crate) fn refuses_this_agent(why: &str) -> Wait {
    wait(WaitReason::Refused, format!("sees no quorum: {why}"))
}

pub(crate) fn no_quorum_for_long(why: &str) -> Wait {
    wait(WaitReason::Quorum, format!("etcd has run without quorum for a long time: {why}. `quorate status` on each node shows more"))
}

pub(crate) fn no_quorum_answers(why: &str) -> Wait {
    wait(WaitReason::Quorum, format!("etcd runs, but no quorum answers: {why}"))
}

pub(crate) fn serves(voters: usize, leader: Option<&InstanceId>) -> Message {
    let leader = leader.map_or("nobody", InstanceId::as_str);
    format!("serves as one of {voters} voters; {leader} leads").into()
}

pub(crate) fn troubled(doing: &Message, trouble: &Message) -> Message {
    format!("{doing}; {trouble}").into()
}

pub(crate) fn data_differs() -> Message {
    "etcd reports that its members' data differ (CORRUPT): nobody joins and no snapshot is deleted before the member that differs is replaced (docs/usage/troubleshooting.md)"
        .into()
}

pub(crate) fn agent_is_silent(instance: &InstanceId, etcd_serves: bool) -> Message {
    match etcd_serves {
        true => {
            format!("the agent on {instance} has long been silent, although its etcd serves: `systemctl status quorate` there says why")
        }
        false => format!("{instance} has long been silent, agent and etcd: repair it, or terminate the instance"),
    }
    .into()
}

pub(crate) fn is_out_of_space() -> Message {
    "etcd is out of space (NOSPACE) and refuses writes: compact and defragment it, then disarm the alarm (docs/usage/troubleshooting.md)"
        .into()
}

/// The others have a quorum, and its own member is silent.
pub(crate) fn own_etcd_is_silent(has_answered: bool) -> Wait {
    match has_answered {
        true => wait(WaitReason::OwnEtcd, "its etcd runs and no longer answers; the other voters serve without it"),
        false => wait(WaitReason::EtcdStart, "its etcd is starting and has not answered yet; the other voters serve without it"),
    }
}

pub(crate) fn awaits_promotion() -> Wait {
    wait(WaitReason::Promotion, "is a learner; waits for the leader's agent to promote it")
}

pub(crate) fn is_not_shown_yet() -> Wait {
    wait(WaitReason::OwnEtcd, "etcd runs; waits until the cluster lists its member")
}

pub(crate) fn remarked(doing: &Message, remarks: &[String]) -> Message {
    format!("{doing}; {}", list(remarks, "; ")).into()
}
