//! Booted machines: the package on a stock Debian under systemd, in a region of its own for each scene. `make test-machine` runs them in a
//! world that `scripts/machine-world` makes; elsewhere each reports that it is skipped.
//!
//! The journals of a scene that failed are kept in `target/machine/RELEASE/SCENE`.

#[path = "machine/agent.rs"]
mod agent;
#[path = "machine/boot.rs"]
mod boot;
#[path = "machine/evidence.rs"]
mod evidence;
#[path = "machine/extension.rs"]
mod extension;
#[path = "machine/k3s_unit.rs"]
mod k3s_unit;
#[path = "machine/kubernetes.rs"]
mod kubernetes;
#[path = "machine/last_words.rs"]
mod last_words;
#[path = "machine/leave.rs"]
mod leave;
#[path = "machine/partition.rs"]
mod partition;
#[path = "machine/port.rs"]
mod port;
#[path = "machine/reboot.rs"]
mod reboot;
#[path = "machine/refresh.rs"]
mod refresh;
#[path = "machine/scene.rs"]
mod scene;
#[path = "machine/tls.rs"]
mod tls;
