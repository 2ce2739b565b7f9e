//! What an operator has ordered, and why it is not carried out.

use std::fmt::Display;

use crate::charter::Record;
use crate::ids::{Generation, InstanceId, MemberId};
use crate::member_url::MemberUrl;
use crate::observation::Member;
use crate::wait::WaitReason;

use super::{Message, Wait, wait};

pub(crate) fn is_carried_out() -> Message {
    "the operator's order is carried out".into()
}

pub(crate) fn is_void_beside_a_quorum() -> Message {
    "drops the order to recover: a quorum is alive".into()
}

pub(crate) fn is_void_by_witness(witness: &InstanceId, cluster: &dyn Display) -> Message {
    format!("drops the order to recover: {witness} sees a quorum of etcd cluster {cluster}").into()
}

/// Why an order cannot be carried out now: the end of a sentence.
pub(crate) mod obstacle {
    use crate::charter::Record;
    use crate::ids::{InstanceId, MemberId};

    use crate::explain::list;

    pub(crate) fn charter_was_not_read() -> String {
        "the charter could not be read, or is empty".to_owned()
    }

    pub(crate) fn quorum_may_come_back(left: &[InstanceId], voters: usize) -> String {
        format!(
            "{} of {voters} voters are not gone ({}), so quorum may come back: repair them, or terminate those whose data may be given up, until EC2 says `terminated`",
            left.len(),
            list(left, ", ")
        )
    }

    pub(crate) fn another_has_claimed(founder: &InstanceId, record: &Record) -> String {
        format!("{founder} has claimed {record}, and EC2 does not say that it has terminated")
    }

    pub(crate) fn nothing_was_lost(record: &Record) -> String {
        format!("nothing was lost of {record}")
    }

    pub(crate) fn claim_stands(founder: Option<&InstanceId>, record: &Record) -> String {
        let founder = founder.map_or_else(String::new, |founder| format!("{founder} has claimed "));
        format!("{founder}{record}")
    }

    pub(crate) fn holds_no_such_data() -> String {
        "this node holds no data of the generation that was established last".to_owned()
    }

    pub(crate) fn never_voted(member: MemberId) -> String {
        format!("its data belongs to member {member}, which the charter does not list: it never voted, or was removed")
    }

    pub(crate) fn leader_is_known() -> String {
        "its etcd knows a leader".to_owned()
    }

    pub(crate) fn own_list_has_quorum() -> String {
        "by its own etcd's list of voters, quorum may come back".to_owned()
    }

    pub(crate) fn voters_differ(own: &[MemberId], charter: &[MemberId]) -> String {
        format!(
            "its etcd's voters ({}) differ from the charter's ({}): add `--although-voters-differ` if its data is the one to keep",
            list(own, " "),
            list(charter, " ")
        )
    }

    pub(crate) fn distribution_keeps_its_etcd() -> String {
        "a Kubernetes distribution manages its own etcd".to_owned()
    }

    pub(crate) fn is_not_established(record: &Record) -> String {
        format!("it does not belong to what is established, {record}")
    }

    pub(crate) fn log_was_never_written() -> String {
        "etcd never wrote its log there".to_owned()
    }

    pub(crate) fn was_not_the_only_voter(owner: &InstanceId, record: &Record) -> String {
        format!("{owner} was not the only voter of {record}: move its data away, and this instance joins with empty data")
    }

    pub(crate) fn is_not_the_listed_member(member: MemberId, record: &Record) -> String {
        format!("it is the data of member {member}, but {record} lists another: move it away, and this instance joins with empty data")
    }

    pub(crate) fn owner_may_come_back(alive: &InstanceId) -> String {
        format!("EC2 does not say that {alive} has terminated: if it came back, two members would continue one history")
    }

    pub(crate) fn etcd_may_run() -> String {
        "etcd runs here, or it is not known whether it does".to_owned()
    }
}

pub(crate) fn does_not_restore(why: &str) -> Wait {
    wait(WaitReason::Order, format!("cannot carry out the order to restore a snapshot: {why}"))
}

pub(crate) fn does_not_go_on(why: &dyn Display) -> Wait {
    wait(WaitReason::Order, format!("cannot carry out the order to continue from its own data: {why}"))
}

/// `applied`: the applied index, if its etcd can report it.
pub(crate) fn claims_recovery(generation: Generation, applied: Option<u64>) -> Message {
    let far = match applied {
        Some(index) => format!("applied up to index {index}"),
        None => "whose end is unknown".to_owned(),
    };
    format!(
        "claims the recovery as generation {generation} from its own data, {far}, as an operator ordered: writes that only the lost voters had acknowledged are lost"
    )
    .into()
}

pub(crate) fn does_not_adopt(owner: &InstanceId, why: &str) -> Wait {
    wait(WaitReason::Order, format!("cannot carry out the order to continue from the volume of {owner}: {why}"))
}

pub(crate) fn could_not_label() -> Wait {
    wait(WaitReason::LocalFacts, "could not label the reattached volume a moment ago")
}

pub(crate) fn adopts(owner: &InstanceId, member: MemberId) -> Message {
    format!("takes over the data that {owner} wrote, as an operator ordered: it continues as member {member}").into()
}

pub(crate) fn store_refused_move() -> Wait {
    wait(WaitReason::StoreRefused, "the store refused the record of the reattached volume a moment ago")
}

pub(crate) fn lists_member_here(member: MemberId, owner: &InstanceId, next: &Record) -> Message {
    format!("lists member {member} of {owner} at this instance, which has its volume now, as an operator ordered: {next}").into()
}

pub(crate) fn lists_new_address(url: MemberUrl, member: &Member) -> Message {
    format!("lists its member at {url}, where its volume is now, instead of {}", member.peer_url).into()
}
