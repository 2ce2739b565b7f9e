//! The label beside etcd's data: which generation the data belongs to. It is written before etcd first starts on the data, and changed afterwards only if an
//! operator says that a volume was moved from one instance to another.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use quorate_core::ids::{Generation, InstanceId};
use serde::{Deserialize, Serialize};

use super::{HostError, atomic};

/// The file's name in the data directory. etcd uses only `member/` and leaves other names alone.
///
/// A distribution's etcd has it in its data directory too, where k3s keeps files of its own (`name`, `config`). k3s renames the whole directory when it puts
/// data aside (`etcd-backup-<time>`, `etcd-old-<time>`): the label moves with the data that it describes. Beside the directory it would stay, and pass for the
/// label of whatever k3s made next.
const NAME: &str = "quorate.json";

const REMEDY: &str = "do not guess its content: move the whole data directory away, and the node joins again";

/// What the label says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The file's format.
    pub version: u32,
    /// The instance that made the data; a baked image contains another one's.
    pub instance: InstanceId,
    /// The generation.
    pub generation: Generation,
    /// The cluster token, if this node founded the generation.
    pub token: Option<String>,
}

impl Label {
    /// The format that this code reads and writes.
    pub const VERSION: u32 = 1;

    /// A label in the current format.
    #[must_use]
    pub fn new(instance: InstanceId, generation: Generation, token: Option<String>) -> Self {
        Self { version: Self::VERSION, instance, generation, token }
    }

    /// Writes it into `data_dir`, which is created if necessary.
    pub(super) fn write(&self, data_dir: &Path) -> Result<(), HostError> {
        atomic::create_private_dir(data_dir)?;
        let path = data_dir.join(NAME);
        let bytes = serde_json::to_vec_pretty(self).map_err(|source| HostError::Json { path: path.clone(), remedy: REMEDY, source })?;
        atomic::write(&path, &bytes)
    }

    /// Reads it; `None` if there is none.
    pub(super) fn read(data_dir: &Path) -> Result<Option<Self>, HostError> {
        let path = data_dir.join(NAME);
        let bytes = match fs::read(&path) {
            Err(source) if matches!(source.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
            other => other.map_err(HostError::io("read", &path))?,
        };
        let label: Self =
            serde_json::from_slice(&bytes).map_err(|source| HostError::Json { path: path.clone(), remedy: REMEDY, source })?;
        if label.version == Self::VERSION {
            Ok(Some(label))
        } else {
            Err(HostError::Version { path, found: label.version, known: Self::VERSION, remedy: REMEDY })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("deep").join("etcd");
        assert_eq!(Label::read(&data).unwrap(), None);
        let label = Label::new("i-1".into(), Generation(3), Some("t".into()));
        label.write(&data).unwrap();
        assert_eq!(Label::read(&data).unwrap(), Some(label));
    }

    #[test]
    fn malformed_is_an_error_that_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["", "{}", r#"{"version":1,"instance":"i-1","generation":1,"token":null,"more":1}"#, r#"{"version":1,"#] {
            fs::write(dir.path().join(NAME), text).unwrap();
            let error = Label::read(dir.path()).unwrap_err().to_string();
            assert!(error.contains("quorate.json"), "{error}");
        }
        fs::write(dir.path().join(NAME), r#"{"version":2,"instance":"i-1","generation":1,"token":null}"#).unwrap();
        assert!(Label::read(dir.path()).unwrap_err().to_string().contains("format 2"));
    }
}
