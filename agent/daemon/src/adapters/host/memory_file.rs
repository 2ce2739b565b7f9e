//! The one small file that survives a restart of the agent: the core's [`PersistentState`].

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use quorate_core::ids::InstanceId;
use quorate_core::memory::PersistentState;
use serde::Deserialize;

use super::{HostError, atomic};

const REMEDY: &str = "install the version of quorate that wrote it, or put a backup of it back";

/// The number of damaged files that are kept.
const MOST_ASIDE: u32 = 9;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// This instance's memory.
    Kept(Box<PersistentState>),
    /// No file: a first boot.
    New,
    /// It is damaged, and has a second name. The caller stores [`PersistentState::forgotten`] in its place.
    Damaged {
        /// That name.
        aside: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Another instance's memory, from a baked image or a warm pool: reported once, and then overwritten.
    AnotherInstances(InstanceId),
}

/// Read before the rest: a newer format must not be mistaken for a malformed file.
#[derive(Deserialize)]
struct Head {
    version: u32,
    instance: InstanceId,
}

/// Loads the memory of `me`. A file that does not parse is kept under another name too and reported as damaged, never taken for an empty memory: it held the highest charter record
/// that was read, and what an operator ordered.
///
/// # Errors
/// It cannot be read, or set aside; or another version of quorate wrote it.
pub fn load(path: &Path, me: &InstanceId) -> Result<Loaded, HostError> {
    let bytes = match fs::read(path) {
        Err(source) if source.kind() == ErrorKind::NotFound => return Ok(Loaded::New),
        other => other.map_err(HostError::io("read", path))?,
    };
    let head: Head = match serde_json::from_slice(&bytes) {
        Ok(head) => head,
        Err(source) => return set_aside(path, &source),
    };
    if head.instance != *me {
        return Ok(Loaded::AnotherInstances(head.instance));
    }
    if head.version != PersistentState::VERSION {
        return Err(HostError::Version { path: path.to_owned(), found: head.version, known: PersistentState::VERSION, remedy: REMEDY });
    }
    match serde_json::from_slice(&bytes) {
        Ok(kept) => Ok(Loaded::Kept(Box::new(kept))),
        Err(source) => set_aside(path, &source),
    }
}

/// Gives a damaged file a second name. It keeps its own until the memory that replaces it is on the disk: an agent that dies in between finds damage again, and
/// never a first boot. One that was set aside before is kept: it may be the one that an operator wants back.
fn set_aside(path: &Path, why: &serde_json::Error) -> Result<Loaded, HostError> {
    let name = |number: u32| path.with_extension(format!("json.damaged-{number}"));
    let aside = (1..=MOST_ASIDE).map(name).find(|aside| !aside.exists()).unwrap_or_else(|| name(MOST_ASIDE));
    atomic::remove_if_there(&aside)?;
    fs::hard_link(path, &aside).map_err(HostError::io("set aside", path))?;
    Ok(Loaded::Damaged { aside, why: why.to_string() })
}

/// Stores the memory; it is on the disk when this returns.
///
/// # Errors
/// Names the path; the old memory is then still there.
pub fn store(path: &Path, kept: &PersistentState) -> Result<(), HostError> {
    atomic::create_private_dir(atomic::parent(path))?;
    let bytes = serde_json::to_vec(kept).map_err(|source| HostError::Json { path: path.to_owned(), remedy: REMEDY, source })?;
    atomic::write(path, &bytes)
}

#[cfg(test)]
mod tests {
    use quorate_core::memory::Order;
    use quorate_core::pausing::Pause;
    use quorate_core::time::Timestamp;

    use super::*;

    #[test]
    fn what_was_stored_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/memory.json");
        let me = InstanceId::new("i-1");
        assert_eq!(load(&path, &me).unwrap(), Loaded::New);
        let mut kept = PersistentState::new(me.clone());
        kept.order = Some(Order::Leave);
        store(&path, &kept).unwrap();
        assert_eq!(load(&path, &me).unwrap(), Loaded::Kept(Box::new(kept)));
    }

    /// A file written by an agent from before there were pauses.
    #[test]
    fn a_memory_without_pauses_is_read_and_one_that_is_not_paused_is_written_as_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("memory.json");
        let before = r#"{"version":1,"instance":"i-1","record":null,"order":"leave","seen":{}}"#;
        fs::write(&path, before).unwrap();
        let Loaded::Kept(mut kept) = load(&path, &"i-1".into()).unwrap() else { panic!("it is not read") };
        assert!(kept.order == Some(Order::Leave) && kept.pausing.is_empty());
        store(&path, &kept).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().trim(), before);
        kept.pausing.pause(Pause { since: Timestamp(5), by: "alice".into(), on: "i-1".into() }, false);
        store(&path, &kept).unwrap();
        assert_eq!(load(&path, &"i-1".into()).unwrap(), Loaded::Kept(kept));
        fs::write(&path, before.replace("}}", "},\"pausing\":{\"whose\":1}}")).unwrap();
        let Loaded::Damaged { why, .. } = load(&path, &"i-1".into()).unwrap() else { panic!("an unknown field is dropped silently") };
        assert!(why.contains("whose"), "{why}");
    }

    #[test]
    fn orders_to_recover_are_kept_and_those_of_before_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("memory.json");
        let orders = [
            (Order::RecoverFresh, r#""recover_fresh""#),
            (Order::RecoverReattachedVolume, r#""recover_reattached_volume""#),
            (Order::RecoverSnapshot { key: None }, r#"{"recover_snapshot":{"key":null}}"#),
            (Order::RecoverSnapshot { key: Some("snapshots/1/a".into()) }, r#"{"recover_snapshot":{"key":"snapshots/1/a"}}"#),
            (Order::RecoverSurvivor { although_voters_differ: true }, r#"{"recover_survivor":{"although_voters_differ":true}}"#),
        ];
        for (order, written) in orders {
            let kept = PersistentState { order: Some(order), ..PersistentState::new("i-1".into()) };
            store(&path, &kept).unwrap();
            assert!(fs::read_to_string(&path).unwrap().contains(&format!("\"order\":{written},")));
            assert_eq!(load(&path, &"i-1".into()).unwrap(), Loaded::Kept(Box::new(kept)));
        }
    }

    #[test]
    fn another_instances_memory_is_not_ours_whatever_its_format() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("memory.json");
        store(&path, &PersistentState::new("i-2".into())).unwrap();
        assert_eq!(load(&path, &"i-1".into()).unwrap(), Loaded::AnotherInstances("i-2".into()));
        fs::write(&path, r#"{"version":9,"instance":"i-2","new":true}"#).unwrap();
        assert_eq!(load(&path, &"i-1".into()).unwrap(), Loaded::AnotherInstances("i-2".into()));
    }

    #[test]
    fn a_damaged_file_is_set_aside_whole_and_never_an_empty_memory() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("memory.json");
        let mut kept = PersistentState::new("i-1".into());
        kept.order = Some(Order::Bootstrap);
        store(&path, &kept).unwrap();
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let Loaded::Damaged { aside, .. } = load(&path, &"i-1".into()).unwrap() else {
                panic!("{length} bytes are taken for a memory")
            };
            assert_eq!(fs::read(&aside).unwrap(), &whole[..length]);
            assert!(aside.to_string_lossy().contains("memory.json.damaged-"), "{aside:?}");
            // An agent that dies here finds the damage again.
            assert!(matches!(load(&path, &"i-1".into()).unwrap(), Loaded::Damaged { .. }));
            let forgotten = PersistentState::forgotten("i-1".into());
            store(&path, &forgotten).unwrap();
            assert_eq!(load(&path, &"i-1".into()).unwrap(), Loaded::Kept(Box::new(forgotten)));
            assert_eq!(fs::read(&aside).unwrap(), &whole[..length]);
        }
        fs::write(&path, r#"{"version":9,"instance":"i-1"}"#).unwrap();
        assert!(load(&path, &"i-1".into()).unwrap_err().to_string().contains("format 9"));
    }
}
