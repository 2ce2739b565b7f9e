//! Where a systemd unit may write, as far as its own settings say: `ProtectSystem=` and its exceptions (systemd.exec(5)).

use std::path::{Path, PathBuf};

use crate::systemd::{Bus, Properties};

use super::systemd::AGENT;

/// `StateDirectory=` and similar settings, each with its parent directory.
const DIRECTORIES: [(&str, &str); 5] = [
    ("RuntimeDirectory", "/run"),
    ("StateDirectory", "/var/lib"),
    ("CacheDirectory", "/var/cache"),
    ("LogsDirectory", "/var/log"),
    ("ConfigurationDirectory", "/etc"),
];

/// What a unit may write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sandbox {
    unit: String,
    /// `ProtectSystem=strict`: only what is named. If the bus does not say, no path is objected to.
    strict: bool,
    writable: Vec<PathBuf>,
}

impl Sandbox {
    /// The sandbox of the agent's own unit.
    pub(super) async fn of_agent(bus: Option<&Bus>) -> Self {
        let properties = match bus {
            Some(bus) => Properties::of(bus, AGENT).await.unwrap_or_default(),
            None => Properties::default(),
        };
        Self::of(AGENT, &properties)
    }

    /// The sandbox of this unit.
    pub(super) fn of(unit: &str, properties: &Properties) -> Self {
        let names = |name| properties.get::<Vec<String>>(name).unwrap_or_default();
        let own = DIRECTORIES.iter().flat_map(|(name, below)| names(name).into_iter().map(|name| Path::new(below).join(name)));
        // A path that may be missing has a hyphen in front, one below another root a plus.
        let named = names("ReadWritePaths").into_iter().map(|path| PathBuf::from(path.trim_start_matches(['-', '+'])));
        Self { unit: unit.to_owned(), strict: properties.text("ProtectSystem") == "strict", writable: own.chain(named).collect() }
    }

    /// Why the unit may not write below `path`, and what to do about it; none if it may.
    pub(super) fn forbids(&self, path: &Path) -> Option<(String, String)> {
        let allowed = !self.strict || self.writable.iter().any(|writable| path.starts_with(writable));
        (!allowed).then(|| {
            let Self { unit, .. } = self;
            let remedy = format!("give {unit} ReadWritePaths={} in a drop-in, then systemctl daemon-reload and restart it", path.display());
            (format!("{} is read-only for {unit}", path.display()), remedy)
        })
    }

    /// Whether the unit may create a missing directory. It may not if the parent is read-only for it, even if it may write to the directory itself.
    pub(super) fn may_make(&self, path: &Path) -> bool {
        path.parent().is_some_and(|parent| self.forbids(parent).is_none())
    }

    #[cfg(test)]
    pub(super) fn strict(writable: &[&str]) -> Self {
        Self { unit: AGENT.to_owned(), strict: true, writable: writable.iter().map(PathBuf::from).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_may_be_written_where_the_system_is_protected() {
        let sandbox = Sandbox::strict(&["/var/lib/quorate", "/etc/rancher/k3s"]);
        let forbids = |path: &str| sandbox.forbids(Path::new(path)).is_some();
        assert!(!forbids("/etc/rancher/k3s/config.yaml.d") && !forbids("/var/lib/quorate"));
        assert!(forbids("/etc/nginx/conf.d") && forbids("/etc/rancher") && forbids("/var/lib/quorate-too"));
        let (found, remedy) = sandbox.forbids(Path::new("/data/k3s")).unwrap();
        assert_eq!(found, "/data/k3s is read-only for quorate.service");
        assert!(remedy.starts_with("give quorate.service ReadWritePaths=/data/k3s in a drop-in"), "{remedy}");
        assert_eq!((sandbox.may_make(Path::new("/var/lib/quorate/x")), sandbox.may_make(Path::new("/var/lib/quorate"))), (true, false));
    }

    #[test]
    fn where_nothing_is_told_nothing_is_known_against_a_path() {
        assert_eq!(Sandbox::of("quorate.service", &Properties::default()).forbids(Path::new("/data")), None);
    }
}
