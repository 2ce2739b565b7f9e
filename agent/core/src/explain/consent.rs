//! Why one instance stands in the way of a founding or a recovery: the end of a sentence whose subject is that instance.

use std::fmt::Display;

use crate::charter::Record;

pub(crate) fn is_silent() -> &'static str {
    "has not answered, and EC2 does not say that it has terminated"
}

pub(crate) fn is_silent_in_a_recovery() -> &'static str {
    "has not answered"
}

pub(crate) fn is_silent_for_long(silent: &str) -> String {
    format!("{silent}: repair it, or have its group terminate it")
}

pub(crate) fn was_not_asked_again() -> String {
    "has not been asked again yet".to_owned()
}

pub(crate) fn sees_quorum(cluster: &dyn Display) -> String {
    format!("sees a quorum of etcd cluster {cluster}")
}

pub(crate) fn remembers_what_the_store_lacks(record: &Record) -> String {
    format!("remembers {record}, which the store does not show")
}

pub(crate) fn remembers_more(record: &Record) -> String {
    format!("remembers {record}")
}

pub(crate) fn does_not_know_its_data() -> String {
    "does not know yet whether it holds data".to_owned()
}

pub(crate) fn holds_data() -> String {
    "holds data of this cluster".to_owned()
}

pub(crate) fn does_not_say_what_it_applied() -> String {
    "does not report its applied index".to_owned()
}

pub(crate) fn does_not_say_its_revision() -> String {
    "does not report the last revision of its data".to_owned()
}

pub(crate) fn has_applied_more(theirs: u64, mine: u64) -> String {
    format!("has applied up to index {theirs}, this node only up to {mine}: give the order there")
}

pub(crate) fn answers_under_another_key() -> String {
    "answers with a different key than before, so its word does not count where data could be lost: terminate the instance, or see `quorate recover`"
        .to_owned()
}

pub(crate) fn does_not_sign() -> String {
    "does not sign its answers, so its word does not count where data could be lost: upgrade its agent, or see `quorate recover`".to_owned()
}
