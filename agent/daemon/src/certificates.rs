//! Keeps this node's certificates beside the loop: makes the authority where this node founds the cluster, or has to rotate it, issues from it, and renews.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quorate_core::authority::AuthorityHash;
use quorate_core::certificates::{Certificates, Due, due};
use quorate_core::charter::{Record, StoreView};
use quorate_core::memory::Order;
use quorate_core::observation::Me;
use quorate_core::reading::Reading;
use quorate_core::rotation::Trust;
use quorate_core::time::Timestamp;
use sha2::{Digest, Sha256};
use tracing::{Instrument, info, warn};

use crate::adapters::object_store::AuthorityStore;
use crate::adapters::pki::{Authority, AuthorityDocument, OwnFiles, PkiError, Subject};
use crate::clock::Clock;
use crate::cycle::{Cycle, LastCycle};
use crate::repeats::Repeats;
use crate::telemetry::chain;

/// Pause after an attempt that failed. The node needs its certificates to go on.
const AGAIN: Duration = Duration::from_secs(2);

const NO_AUTHORITY: &str = "the store holds no authority below pki/";
/// A store that shows more is not read further: somebody rotates in a loop.
const MOST: usize = 10_000;

/// The number of the authority that follows this many.
fn number(before: usize) -> Result<u32, String> {
    let next = u32::try_from(before + 1).ok().filter(|_| before < MOST);
    next.ok_or_else(|| format!("the store holds {before} authorities below pki/, and no more are read"))
}

/// All authorities of the cluster from its store, the oldest first.
///
/// # Errors
/// Why one of them cannot be read or used, in words.
pub async fn authorities(store: &AuthorityStore, me: &Me) -> Result<Vec<Authority>, String> {
    let mut all = Vec::new();
    while let Some(found) = read(store, me, number(all.len())?).await? {
        all.push(found);
    }
    Ok(all)
}

async fn read(store: &AuthorityStore, me: &Me, number: u32) -> Result<Option<Authority>, String> {
    let found: Option<AuthorityDocument> = store.read(number).await.map_err(|error| chain(&error))?;
    found.map(|found| found.open(me).map_err(|error| chain(&error))).transpose()
}

/// The authority that certificates come from, and the other that is accepted during a rotation.
///
/// # Errors
/// None of `all` is one that the charter names.
pub fn named(all: &[Authority], trust: Trust) -> Result<(&Authority, Option<&Authority>), String> {
    let find = |hash: AuthorityHash| {
        let missing = || chain(&PkiError::NotTheCharters { found: all.len(), named: hash });
        all.iter().find(|authority| authority.hash() == hash).ok_or_else(missing)
    };
    Ok((find(trust.authority)?, trust.also.map(find).transpose()?))
}

/// This node's certificates, as the loop sees them.
#[derive(Debug)]
pub struct OwnCertificates {
    /// Where they are.
    pub files: OwnFiles,
    subject: Subject,
    /// By the wall clock; or why there are none.
    known: Mutex<Result<Certificates, String>>,
}

impl OwnCertificates {
    /// What is on the disk for this instance. `further` are addresses and names at which it is reached besides its own.
    #[must_use]
    pub fn new(files: OwnFiles, me: &Me, further: (&[IpAddr], &[String])) -> Self {
        let loopback = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
        let mut addresses = vec![me.address];
        for address in loopback.iter().chain(further.0) {
            if !addresses.contains(address) {
                addresses.push(*address);
            }
        }
        let names = ["localhost".to_owned()].into_iter().chain(further.1.iter().cloned()).collect();
        let subject = Subject { instance: me.instance.clone(), cluster: me.cluster.clone(), addresses, names };
        let known = match files.read(&subject) {
            Ok(Some(own)) => Ok(own),
            Ok(None) => Err("none were issued yet".to_owned()),
            Err(error) => Err(chain(&error)),
        };
        Self { files, subject, known: Mutex::new(known) }
    }

    /// What is known of them, by the agent's clock, which does not follow when the wall clock is set.
    #[must_use]
    pub fn reading(&self, clock: Clock) -> Reading<Certificates> {
        let (now, wall) = (clock.now(), clock.wall());
        match &*self.known() {
            Ok(own) => Reading::Fresh(moved(own, wall, now), now),
            Err(why) => Reading::unknown(why.clone()),
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Result<Certificates, String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same moments by another clock.
fn moved(own: &Certificates, from: Timestamp, to: Timestamp) -> Certificates {
    let moved = |at: Timestamp| Timestamp((at.0 + to.0).saturating_sub(from.0));
    Certificates { not_before: moved(own.not_before), not_after: moved(own.not_after), ..*own }
}

/// See the module.
#[derive(Debug)]
pub struct CertificateKeeper {
    own: Arc<OwnCertificates>,
    store: Arc<AuthorityStore>,
    me: Me,
    life: Duration,
    clock: Clock,
    tried: Option<Timestamp>,
    troubles: Repeats,
}

impl CertificateKeeper {
    /// Keeps `own`, from the authority in this store, each with this life.
    #[must_use]
    pub fn new(own: Arc<OwnCertificates>, store: Arc<AuthorityStore>, me: Me, life: Duration, clock: Clock) -> Self {
        Self { own, store, me, life, clock, tried: None, troubles: Repeats::default() }
    }

    /// Works until the agent ends, beside the loop, which never waits for a slow store.
    pub fn start(mut self, mut cycles: LastCycle) {
        let work = async move {
            while cycles.changed().await.is_ok() {
                let cycle = cycles.borrow_and_update().clone();
                if let Some(cycle) = cycle {
                    self.keep(&cycle).await;
                }
            }
        };
        tokio::spawn(work.in_current_span());
    }

    async fn keep(&mut self, cycle: &Cycle) {
        let now = self.clock.now();
        let shown = shown(cycle);
        let record = shown.or(cycle.memory.kept.record.as_ref());
        let own = self.own.reading(self.clock);
        let rotates = cycle.memory.kept.order == Some(Order::RotateAuthority);
        let due = due((record, shown.is_some()), rotates, &self.me.instance, own.fresh(), spread(&self.me), now);
        if matches!(due, Due::Nothing(_)) || self.tried.is_some_and(|at| now.since(at) < AGAIN) {
            return;
        }
        self.tried = Some(now);
        let result = match due {
            Due::MakeNext => self.find_next(record).await,
            Due::MakeAuthorityAndIssue | Due::Issue | Due::Nothing(_) => self.renew(record, due == Due::MakeAuthorityAndIssue).await,
        };
        match result {
            Ok(()) => self.tried = None,
            Err(why) => self.failed(why, now),
        }
    }

    /// Old certificates stay in use as long as they are valid.
    fn failed(&mut self, why: String, now: Timestamp) {
        if let Some(again) = self.troubles.news("certificates", &why, now) {
            warn!("cannot have this node's certificates issued: {why}{again}");
        }
        let wall = self.clock.wall();
        let mut known = self.own.known();
        if known.as_ref().map_or(true, |own| wall >= own.not_after) {
            *known = Err(why);
        }
    }

    async fn renew(&self, record: Option<&Record>, may_make: bool) -> Result<(), String> {
        let all = self.authorities(may_make).await?;
        let (authority, also) = match record.and_then(Record::trust) {
            Some(trust) => named(&all, trust)?,
            None => (all.first().ok_or(NO_AUTHORITY)?, None),
        };
        let issued = authority.issue(also, &self.own.subject, self.clock.wall(), self.life).map_err(|error| chain(&error))?;
        drop(all);
        self.own.files.write(&issued, &self.own.subject).map_err(|error| chain(&error))?;
        let until = issued.certificates.not_after.utc();
        *self.own.known() = Ok(issued.certificates);
        info!("has new certificates, valid until {until}");
        Ok(())
    }

    /// Finds the authority to rotate to: the one after that of the charter, which an earlier order may have left, or a new one.
    async fn find_next(&self, record: Option<&Record>) -> Result<(), String> {
        let all = self.authorities(false).await?;
        let named = record.and_then(|record| record.authority);
        let after = all.iter().position(|authority| Some(authority.hash()) == named).map_or(all.len(), |at| at + 1);
        let next = match all.get(after) {
            Some(left) => left.hash(),
            None => self.make(number(all.len())?).await?.hash(),
        };
        if let Ok(own) = &mut *self.own.known() {
            own.next = Some(next);
        }
        Ok(())
    }

    /// All authorities from the store, the oldest first.
    async fn authorities(&self, may_make: bool) -> Result<Vec<Authority>, String> {
        let mut all = authorities(&self.store, &self.me).await?;
        if all.is_empty() && may_make {
            all.push(self.make(number(0)?).await?);
        }
        if all.is_empty() { Err(NO_AUTHORITY.to_owned()) } else { Ok(all) }
    }

    /// What is created is read again: another may have been quicker, and another answer than expected would show that the store is not what it should be.
    async fn make(&self, number: u32) -> Result<Authority, String> {
        let made = AuthorityDocument::make(&self.me, self.clock.wall()).map_err(|error| chain(&error))?;
        self.store.create(number, &made).await.map_err(|error| chain(&error))?;
        info!("authority {number} of the cluster is in the store now");
        read(&self.store, &self.me, number).await?.ok_or_else(|| NO_AUTHORITY.to_owned())
    }
}

/// The highest record that the store shows now.
fn shown(cycle: &Cycle) -> Option<&Record> {
    match cycle.seen.store.fresh() {
        Some(StoreView::Charter(log)) => log.highest().filter(|record| record.belongs_to(&cycle.seen.me)),
        _ => None,
    }
}

/// A number of this node's own.
fn spread(me: &Me) -> u64 {
    let digest = Sha256::digest(me.instance.as_str());
    digest.iter().take(8).fold(0, |all, byte| all << 8 | u64::from(*byte))
}
