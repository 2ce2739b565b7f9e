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
    "forgets the order to recover: a quorum is alive".into()
}

pub(crate) fn is_void_by_witness(witness: &InstanceId, cluster: &dyn Display) -> Message {
    format!("forgets the order to recover: {witness} sees a quorum of etcd cluster {cluster}").into()
}

/// Why an order cannot be carried out now: the end of a sentence.
pub(crate) mod obstacle {
    use crate::charter::Record;
    use crate::ids::{InstanceId, MemberId};

    use crate::explain::list;

    pub(crate) fn charter_was_not_read() -> String {
        "the charter could not be read, or holds nothing".to_owned()
    }

    pub(crate) fn quorum_may_come_back(left: &[InstanceId], voters: usize) -> String {
        format!(
            "{} of {voters} voters are not gone ({}), so that quorum may come back: heal them, or terminate those whose data is to be given up, until EC2 says `terminated`",
            left.len(),
            list(left, ", ")
        )
    }

    pub(crate) fn another_has_claimed(founder: &InstanceId, record: &Record) -> String {
        format!("{founder} has claimed {record}, and EC2 does not say that it has ended")
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
        format!("its data is member {member}'s, which the charter does not list: it never voted, or was removed")
    }

    pub(crate) fn leader_is_known() -> String {
        "its etcd knows a leader".to_owned()
    }

    pub(crate) fn own_list_has_quorum() -> String {
        "by its own etcd's list of voters quorum may come back".to_owned()
    }

    pub(crate) fn voters_differ(own: &[MemberId], charter: &[MemberId]) -> String {
        format!(
            "its etcd's voters ({}) differ from the charter's ({}): say `--although-voters-differ` if its data is the one to keep all the same",
            list(own, " "),
            list(charter, " ")
        )
    }

    pub(crate) fn distribution_keeps_its_etcd() -> String {
        "a distribution of Kubernetes keeps its etcd itself".to_owned()
    }

    pub(crate) fn is_not_established(record: &Record) -> String {
        format!("it is not of what stands established, {record}")
    }

    pub(crate) fn log_was_never_written() -> String {
        "etcd never got so far as to write its log there".to_owned()
    }

    pub(crate) fn was_not_the_only_voter(owner: &InstanceId, record: &Record) -> String {
        format!("{owner} was not the only voter, by {record}: put its data away, and this instance joins afresh")
    }

    pub(crate) fn is_not_the_listed_member(member: MemberId, record: &Record) -> String {
        format!("it is the data of member {member}, and {record} lists another: put it away, and this instance joins afresh")
    }

    pub(crate) fn owner_may_come_back(alive: &InstanceId) -> String {
        format!("EC2 does not say that {alive} has ended: while it may come back, two could go on from one history")
    }

    pub(crate) fn etcd_may_run() -> String {
        "whether etcd runs here is not known, or it does".to_owned()
    }
}

pub(crate) fn does_not_restore(why: &str) -> Wait {
    wait(WaitReason::Order, format!("does not restore a snapshot, as ordered: {why}"))
}

pub(crate) fn does_not_go_on(why: &dyn Display) -> Wait {
    wait(WaitReason::Order, format!("does not go on from its own data, as ordered: {why}"))
}

/// `applied`: up to which index, where its etcd can say it.
pub(crate) fn claims_recovery(generation: Generation, applied: Option<u64>) -> Message {
    let far = match applied {
        Some(index) => format!("applied up to index {index}"),
        None => "which cannot say how far it goes".to_owned(),
    };
    format!(
        "claims the recovery as generation {generation} from its own data, {far}, as an operator ordered: what the lost voters had acknowledged without it is lost"
    )
    .into()
}

pub(crate) fn does_not_adopt(owner: &InstanceId, why: &str) -> Wait {
    wait(WaitReason::Order, format!("does not go on from the volume of {owner}, as ordered: {why}"))
}

pub(crate) fn could_not_label() -> Wait {
    wait(WaitReason::LocalFacts, "could not label the moved volume a moment ago")
}

pub(crate) fn adopts(owner: &InstanceId, member: MemberId) -> Message {
    format!("takes the data that {owner} wrote for its own, as an operator ordered: it goes on as member {member}").into()
}

pub(crate) fn store_refused_move() -> Wait {
    wait(WaitReason::StoreRefused, "the store refused the record of the moved volume a moment ago")
}

pub(crate) fn lists_member_here(member: MemberId, owner: &InstanceId, next: &Record) -> Message {
    format!("lists member {member} of {owner} here, where its volume is now, as an operator ordered: {next}").into()
}

pub(crate) fn lists_new_address(url: MemberUrl, member: &Member) -> Message {
    format!("lists its member at {url}, where its volume is now, instead of {}", member.peer_url).into()
}
