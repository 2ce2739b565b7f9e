//! The charter's store: whether it is reachable, readable, and keeps the one promise that everything relies on.

use std::path::Path;

use crate::adapters::object_store::{CharterStore, Creation, Probe, StoreError};
use crate::telemetry::chain;

use super::finding::Finding;
use super::node::Parts;
use super::permissions::denied;

const NAME: &str = "store";

/// A problem if the directory of a store of files is missing.
pub(super) fn missing_directory(url: &str) -> Option<Finding> {
    let directory = Path::new(url.strip_prefix("file://")?);
    let remedy = "mount the file system that all members share; for a new store, create the directory in it once. Until then nothing is founded or joined";
    (!directory.is_dir()).then(|| Finding::problem(NAME, format!("there is no directory {}", directory.display()), remedy))
}

/// Tries everything that the agent does with the store.
pub(super) async fn check(parts: &Parts, url: &str, store: &CharterStore) -> Vec<Finding> {
    match store.probe().await {
        None => Vec::new(),
        Some(probe) if url.starts_with("file://") => vec![directory(url, &probe)],
        Some(probe) => bucket(parts, url, &probe),
    }
}

fn directory(url: &str, probe: &Probe) -> Finding {
    let path = Path::new(url.trim_start_matches("file://"));
    match &probe.list {
        Err(error) => Finding::problem(NAME, chain(error), "make the directory readable for the user that runs quorate"),
        Ok(_) if rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_err() => {
            Finding::problem(NAME, format!("{} cannot be written", path.display()), "make it writable to the user that runs quorate")
        }
        Ok((records, foreign)) => listed(url, *records, foreign.as_deref()),
    }
}

/// Judges the list. A cluster's folder that holds only other objects does not count as an absent charter: the agent halts.
fn listed(url: &str, records: usize, foreign: Option<&str>) -> Finding {
    match (records, foreign) {
        (0, Some(example)) => {
            let remedy =
                "move what is there away, or give quorate:store another prefix: quorate founds nothing beside what it does not know";
            Finding::problem(NAME, format!("{url} holds {example}, which is not a charter record"), remedy)
        }
        (0, None) => Finding::ok(NAME, format!("{url} is empty: nothing has been founded yet")),
        (records, _) => Finding::ok(NAME, format!("{url} holds a charter, {records} records long")),
    }
}

fn bucket(parts: &Parts, url: &str, probe: &Probe) -> Vec<Finding> {
    let list = match &probe.list {
        Ok((records, foreign)) => vec![listed(url, *records, foreign.as_deref()), permitted("s3:ListBucket")],
        Err(error) => vec![failed(parts, "s3:ListBucket", error)],
    };
    let read = match (&probe.read, &probe.list) {
        (Ok(()), _) => permitted("s3:GetObject"),
        // For a missing object S3 says 403 to a caller that may not list, whatever else it may do.
        (Err(error), Err(_)) if is_denied(error) => Finding::skipped(name("s3:GetObject"), "not known while s3:ListBucket fails"),
        (Err(error), _) => failed(parts, "s3:GetObject", error),
    };
    list.into_iter().chain([read, created(parts, &probe.create)]).collect()
}

fn name(action: &str) -> String {
    format!("permission {action}")
}

fn permitted(action: &str) -> Finding {
    Finding::ok(name(action), "permitted")
}

fn created(parts: &Parts, creation: &Creation) -> Finding {
    let action = "s3:PutObject";
    match creation {
        Creation::Exists => Finding::ok(name(action), "permitted, and a record that exists is not replaced"),
        Creation::NotTried(why) => Finding::skipped(name(action), format!("not tried: {why}")),
        Creation::Failed(error) => failed(parts, action, error),
        Creation::Overwritten => {
            let remedy = "use a store that honours If-None-Match, as S3 does: with this one two nodes can both found a cluster";
            Finding::problem(name(action), "the store ignores If-None-Match: it replaced a record, with the same bytes", remedy)
        }
    }
}

/// object_store 0.14 sorts the errors of reads and writes, but passes that of a list on unchanged: "non-2xx status code: 403 Forbidden".
fn is_denied(error: &StoreError) -> bool {
    let StoreError::Call { source, .. } = error else { return false };
    let sorted = matches!(**source, object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. });
    sorted || ["status code: 403", "status code: 401"].iter().any(|words| chain(&**source).contains(words))
}

fn failed(parts: &Parts, action: &str, error: &StoreError) -> Finding {
    let text = chain(error);
    let StoreError::Call { source, .. } = error else {
        return Finding::problem(name(action), text, "make sure that this instance can reach the bucket's endpoint");
    };
    let remedy = match &**source {
        _ if error.refusal().is_some() => error.refusal().map_or_else(String::new, |refusal| refusal.remedy().to_owned()),
        _ if is_denied(error) => denied(parts, action, &text),
        object_store::Error::NotFound { .. } => "create the bucket, or correct quorate:store".to_owned(),
        _ => "make sure that the bucket exists, in this region or the one set by store.options, and can be reached".to_owned(),
    };
    Finding::problem(name(action), text, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Verdict::{Ok as Fine, Problem, Skipped};
    use quorate_core::role::Role;

    #[test]
    fn a_directory_that_is_not_there_is_told_and_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let url = |name: &str| format!("file://{}", dir.path().join(name).display());
        assert_eq!(missing_directory(&url("absent")).unwrap().verdict, Problem);
        assert!(!dir.path().join("absent").exists());
        assert_eq!(missing_directory(&url("")), None);
        assert_eq!(missing_directory("s3://bucket"), None);
    }

    #[test]
    fn what_is_no_record_is_not_an_empty_store() {
        assert_eq!(
            (listed("u", 0, None).verdict, listed("u", 3, Some("x")).verdict, listed("u", 0, Some("x")).verdict),
            (Fine, Fine, Problem)
        );
    }

    #[test]
    fn a_store_that_replaces_records_is_a_problem() {
        let created = |creation| created(Parts::of(Role::Etcd), &creation);
        assert_eq!((created(Creation::Exists).verdict, created(Creation::NotTried("x")).verdict), (Fine, Skipped));
        let finding = created(Creation::Overwritten);
        assert!(finding.verdict == Problem && finding.found.contains("If-None-Match"));
    }
}
