//! What an image and its user data bring along, where a test gives them in place of the lab's own configuration.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use super::settings::AgentSettings;

/// The instance that boots it.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The directory that is its disk: what is `/etc/hosts` on a machine is `etc/hosts` below it.
    pub root: &'a Path,
    /// Its address, and the only one at which anything of it may listen.
    pub address: IpAddr,
    /// What the tag `quorate:cluster` of its group says.
    pub cluster: &'a str,
}

/// An image with its user data.
pub trait Image: fmt::Debug + Send + Sync {
    /// Writes everything on an empty disk, as the first boot does.
    ///
    /// # Errors
    /// The boot would fail: a file is refused, a command fails, or nothing starts the agent.
    fn first_boot(&self, place: Place<'_>) -> anyhow::Result<()>;

    /// The agent's settings as they lie on the disk, with every path and address moved to where the lab has it. They come before the lab's.
    ///
    /// # Errors
    /// They cannot be read.
    fn settings(&self, place: Place<'_>) -> anyhow::Result<AgentSettings>;
}
