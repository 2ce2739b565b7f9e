//! etcd without a distribution, configured only by flags. A configuration file would make etcd ignore flags and environment alike (etcd
//! `embed.ConfigFromFile`).

mod arguments;
mod environment;
mod ports;
mod process;
mod version;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use quorate_core::ids::InstanceId;
use quorate_core::plan::Start;
use std::sync::{Mutex, PoisonError};

use quorate_core::etcd_version::EtcdVersion;
use quorate_core::observation::TakenPort;
use quorate_core::time::Timestamp;
use quorate_core::transport::Transport;

use super::{Given, Preflight, Program, ServiceError, read};
use crate::adapters::host::{DataDir, atomic};
use crate::adapters::pki::EtcdFiles;
pub use process::{CommandLine, started};

/// What stays the same about a member from start to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberSpec {
    /// Its name: the instance id.
    pub name: InstanceId,
    /// This instance's private address, on which peers and clients reach it.
    pub address: IpAddr,
    /// Its data directory.
    pub data_dir: PathBuf,
    /// The loopback address on which a founder serves clients until the charter says `established`.
    pub founding_address: IpAddr,
    /// Where its certificates are kept, in a cluster with TLS.
    pub certificates: EtcdFiles,
    /// The operator's own etcd flags, such as `--quota-backend-bytes=8589934592`. They come last, and in etcd the last one wins.
    pub flags: Vec<String>,
    /// Further environment of the operator's. Of the agent's own, only a few harmless names reach etcd.
    pub environment: BTreeMap<String, String>,
}

/// etcd, of any version from 3.4.
#[derive(Debug)]
pub struct EtcdServer {
    binary: PathBuf,
    /// `EnvironmentFile=` of its unit.
    environment_file: PathBuf,
    spec: MemberSpec,
    /// What the binary last said.
    asked: Mutex<Option<version::Asked>>,
}

impl EtcdServer {
    /// `binary` as a member like this. For a unit, its flags are written to `etcd.env` in `run_dir`.
    #[must_use]
    pub fn new(binary: PathBuf, run_dir: &Path, spec: MemberSpec) -> Self {
        Self { binary, environment_file: run_dir.join("etcd.env"), spec, asked: Mutex::default() }
    }

    /// The flags for a start, tried just before it: the binary may have been replaced since it was last asked.
    async fn flags(&self, how: (&Start, Transport), given: Given) -> Result<Vec<OsString>, ServiceError> {
        let version = version::ask(&self.binary).await?;
        atomic::create_private_dir(&self.spec.data_dir)?;
        let token = DataDir::new(&self.spec.data_dir).label()?.and_then(|label| label.token);
        let flags = arguments::arguments(&self.spec, how, version, token.as_deref())?;
        match refusal(&self.binary, &flags, &self.spec.environment, given).await? {
            Some(message) => Err(ServiceError::FlagRefused { binary: self.binary.clone(), message }),
            None => Ok(flags),
        }
    }

    async fn ask(&self, given: Given) -> Result<Preflight, ServiceError> {
        let version = version::ask(&self.binary).await?;
        let flags = arguments::arguments(&self.spec, (&ANY_START, Transport::Tls), version, None)?;
        let flag_refused = refusal(&self.binary, &flags, &self.spec.environment, given).await?;
        Ok(Preflight { version, flag_refused })
    }
}

/// Every start gives the same flags, with other values.
const ANY_START: Start = Start::Resume { loopback_only: false, server: None };

/// Why etcd would not start with these flags.
async fn refusal(
    binary: &Path,
    flags: &[OsString],
    environment: &BTreeMap<String, String>,
    given: Given,
) -> Result<Option<String>, ServiceError> {
    Ok(match version::try_flags(binary, flags).await? {
        version::Tried::Invalid(message) => Some(message),
        version::Tried::Unknown(message) => Some(message).filter(|_| given == Given::AsArguments),
        version::Tried::Takes(_) if given == Given::AsArguments => environment::shadowed(flags, environment),
        version::Tried::Takes(_) => None,
    })
}

/// Tries the operator's own flags and environment, as `quorate check` does: the version of `binary`, and what it refuses.
///
/// # Errors
/// The binary does not exist, or is not etcd.
pub async fn try_settings(
    binary: &Path,
    flags: &[String],
    environment: &BTreeMap<String, String>,
) -> Result<(EtcdVersion, Option<String>), ServiceError> {
    let version = version::ask(binary).await?;
    let all: Vec<OsString> = arguments::habits(version).iter().chain(flags).map(OsString::from).collect();
    Ok((version, refusal(binary, &all, environment, Given::AsArguments).await?))
}

#[async_trait]
impl Program for EtcdServer {
    fn name(&self) -> &'static str {
        "etcd"
    }

    fn is_etcd_alone(&self) -> bool {
        true
    }

    fn binary(&self) -> &Path {
        &self.binary
    }

    fn data_dir(&self) -> &Path {
        &self.spec.data_dir
    }

    fn environment(&self) -> &BTreeMap<String, String> {
        &self.spec.environment
    }

    async fn preflight(&self, given: Given, now: Timestamp) -> Option<Result<Preflight, ServiceError>> {
        let stamp = version::stamp(&self.binary);
        let known = || self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let good = known().as_ref().filter(|asked| asked.is_good(stamp, now)).map(|asked| asked.answer.clone());
        if let Some(answer) = good {
            return Some(Ok(answer));
        }
        let answer = self.ask(given).await;
        *known() = answer.as_ref().ok().map(|answer| version::Asked::of(stamp, now, answer.clone()));
        Some(answer)
    }

    fn taken_ports(&self) -> Vec<TakenPort> {
        ports::taken(&self.spec)
    }

    async fn for_child(&self, how: &Start, transport: Transport) -> Result<Vec<OsString>, ServiceError> {
        self.flags((how, transport), Given::AsArguments).await
    }

    async fn for_unit(&self, how: &Start, transport: Transport) -> Result<(), ServiceError> {
        let text = environment::render(
            &self.flags((how, transport), Given::AsEnvironment).await?,
            &self.spec.environment,
            super::UNSUPPORTED_ARCH,
        );
        Ok(atomic::write(&self.environment_file, text.as_bytes())?)
    }

    /// etcd's own tools restore, not etcd.
    async fn for_restore(&self, snapshot: &Path) -> Result<Vec<OsString>, ServiceError> {
        Err(ServiceError::Unfit { program: "etcd", how: format!("to restore {}", snapshot.display()) })
    }

    /// Nothing to do: its unit has no `[Install]`, so it cannot be enabled.
    fn forbid_unit(&self) -> Result<(), ServiceError> {
        Ok(())
    }

    fn is_process(&self, pid: i32) -> bool {
        process::is_server(pid, &self.binary) && process::runs_on(pid, &self.spec.data_dir)
    }

    fn child_is_on_loopback(&self, pid: i32) -> Result<bool, ServiceError> {
        let mut urls = arguments::founding_urls(self.spec.founding_address).into_iter();
        Ok(urls.any(|url| process::serves_only(pid, &url)))
    }

    fn unit_is_on_loopback(&self) -> Result<bool, ServiceError> {
        let urls = arguments::founding_urls(self.spec.founding_address);
        let text = read(&self.environment_file)?;
        Ok(text.is_some_and(|text| urls.iter().any(|url| environment::listens_for_clients_on(&text, url))))
    }
}
