//! Where drills are made, and where their results are remembered.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use quorate_core::ids::{InstanceId, SnapshotKey};
use quorate_core::observation::Drills;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, watch};
use tracing::warn;

use crate::adapters::host::{HostError, RestoreTool, atomic};
use crate::adapters::object_store::SnapshotStore;
use crate::snapshot::{Progress, SnapshotError, Trial, fetch, restore_on_trial};
use crate::telemetry::chain;

/// In units of the snapshot's size: its copy, what is restored from it, and as much again for etcd's own data, which lies on the same disk and grows meanwhile.
const ROOM: u64 = 3;
const ROOM_BESIDE: u64 = 64 << 20;

/// See the module.
#[derive(Debug)]
pub struct DrillPlace {
    scratch: PathBuf,
    memory: PathBuf,
    me: InstanceId,
    /// Held while the scratch directory is made, used or removed.
    busy: Mutex<()>,
}

/// The file's content: a baked image may contain another instance's.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    instance: InstanceId,
    drills: Drills,
}

const REMEDY: &str = "remove it: then the next trial is made at once";

/// The result of a drill: the snapshot's revision, and the trial's result.
pub(super) type Passed = (u64, Trial);

impl DrillPlace {
    /// Drills of `me` in the directory `scratch`, remembered in the file `memory`.
    #[must_use]
    pub fn new(scratch: PathBuf, memory: PathBuf, me: InstanceId) -> Self {
        Self { scratch, memory, me, busy: Mutex::default() }
    }

    /// Makes a restore drill with the snapshot.
    ///
    /// # Errors
    /// The store, the disk or the tool failed, there is too little room, or it is not what its manifest says.
    pub(super) async fn drill(&self, store: &SnapshotStore, key: &SnapshotKey, tool: &RestoreTool) -> Result<Passed, SnapshotError> {
        let failed = |source| SnapshotError::Trial { key: key.clone(), source };
        let _busy = self.busy.lock().await;
        clear(&self.scratch).await.map_err(failed)?;
        let _scratch = Scratch(&self.scratch);
        let result = self.restore(store, key, tool).await;
        let cleared = clear(&self.scratch).await.map_err(failed);
        let passed = result?;
        cleared.map(|()| passed)
    }

    async fn restore(&self, store: &SnapshotStore, key: &SnapshotKey, tool: &RestoreTool) -> Result<Passed, SnapshotError> {
        let failed = |source| SnapshotError::Trial { key: key.clone(), source };
        let listing = store.list().await?;
        let stored = listing.get(key).ok_or_else(|| SnapshotError::Gone { key: key.clone() })?;
        atomic::create_private_dir(&self.scratch).map_err(failed)?;
        fetch::room(&self.scratch, key, stored.manifest.size.saturating_mul(ROOM).saturating_add(ROOM_BESIDE))?;
        let (tell, _told) = watch::channel(Progress::default());
        let trial = restore_on_trial(store, stored, tool, &self.scratch, &tell).await?;
        Ok((stored.manifest.revision, trial))
    }

    /// Removes what an agent that was killed during a drill left behind, unless one is under way.
    ///
    /// # Errors
    /// Names the path that cannot be removed.
    pub async fn clear_leftovers(&self) -> Result<(), HostError> {
        match self.busy.try_lock() {
            Ok(_busy) => clear(&self.scratch).await,
            Err(_) => Ok(()),
        }
    }

    /// What is remembered; nothing if it cannot be read, so a drill is rather made once too often than not at all.
    pub(in crate::snapshot) fn recall(&self) -> Drills {
        let told = |why: String| {
            warn!("what is known of earlier trials cannot be read from {}: {why}", self.memory.display());
            Drills::default()
        };
        let bytes = match std::fs::read(&self.memory) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Drills::default(),
            Err(error) => return told(error.to_string()),
        };
        match serde_json::from_slice::<Remembered>(&bytes) {
            Ok(remembered) if remembered.instance == self.me => remembered.drills.after_restart(),
            Ok(_) => Drills::default(),
            Err(error) => told(error.to_string()),
        }
    }

    /// Stores what is known, to survive a restart.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn remember(&self, drills: &Drills) -> Result<(), HostError> {
        let malformed = |source| HostError::Json { path: self.memory.clone(), remedy: REMEDY, source };
        let remembered = Remembered { instance: self.me.clone(), drills: drills.clone() };
        let bytes = serde_json::to_vec(&remembered).map_err(malformed)?;
        atomic::create_private_dir(atomic::parent(&self.memory))?;
        atomic::write(&self.memory, &bytes)
    }
}

/// The scratch directory of a drill. It is removed even if the drill is abandoned in the middle because its agent stops.
struct Scratch<'a>(&'a Path);

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        if let Err(error) = remove(self.0) {
            warn!("{} is left over from a trial: {}", self.0.display(), chain(&error));
        }
    }
}

/// Removes the scratch directory, but not on the loop's thread: freeing gigabytes takes a disk seconds.
async fn clear(scratch: &Path) -> Result<(), HostError> {
    let (path, what) = (scratch.to_owned(), scratch.to_owned());
    let done = tokio::task::spawn_blocking(move || remove(&path)).await;
    done.unwrap_or_else(|error| Err(HostError::io("remove", &what)(std::io::Error::other(error))))
}

fn remove(scratch: &Path) -> Result<(), HostError> {
    match std::fs::remove_dir_all(scratch) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(HostError::io("remove", scratch)(source)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::observation::Drilled;
    use quorate_core::time::Timestamp;

    use super::*;

    fn place(dir: &Path, me: &'static str) -> DrillPlace {
        DrillPlace::new(dir.join("etcd.drill"), dir.join("drills.json"), me.into())
    }

    fn drilled(at: u64, failed: Option<&str>) -> Drilled {
        Drilled { key: "k".into(), revision: 7, at: Timestamp(at), failed: failed.map(str::to_owned) }
    }

    #[test]
    fn what_came_of_a_drill_outlives_the_agent() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(dir.path(), "i-1");
        let mut drills = place.recall();
        assert_eq!(drills, Drills::default());
        drills.end(drilled(1, None));
        drills.end(drilled(2, Some("no room")));
        place.remember(&drills).unwrap();
        let known = place.recall();
        assert_eq!((known.last.as_ref(), known.proved.as_ref()), (Some(&drilled(2, Some("no room"))), Some(&drilled(1, None))));
        assert_eq!((drills.failures, known.failures), (1, 0), "a counter begins with its process");
        assert_eq!(self::place(dir.path(), "i-2").recall(), Drills::default(), "a baked image's is another instance's");
        std::fs::write(&place.memory, "{").unwrap();
        assert_eq!(place.recall(), Drills::default());
    }

    #[test]
    fn one_that_took_its_agent_with_it_has_failed() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(dir.path(), "i-1");
        place.remember(&Drills { running: Some(("k".into(), Timestamp(5))), ..Drills::default() }).unwrap();
        let known = place.recall();
        assert_eq!(known.running, None);
        let last = known.last.unwrap();
        assert!(last.at == Timestamp(5) && last.failed.as_ref().unwrap().contains("the agent ended"), "{last:?}");
    }

    #[tokio::test]
    async fn leftovers_go_unless_a_drill_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(dir.path(), "i-1");
        place.clear_leftovers().await.unwrap();
        std::fs::create_dir_all(place.scratch.join("trial-1-k/data")).unwrap();
        let busy = place.busy.lock().await;
        place.clear_leftovers().await.unwrap();
        assert!(place.scratch.exists());
        drop(busy);
        place.clear_leftovers().await.unwrap();
        assert!(!place.scratch.exists());
        std::fs::write(&place.scratch, "").unwrap();
        assert!(place.clear_leftovers().await.unwrap_err().to_string().contains("etcd.drill"), "what is not a directory is not ours");
    }
}
