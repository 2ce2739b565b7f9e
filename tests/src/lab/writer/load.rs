//! The loop that writes.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use etcd_client::{Client, Error};
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::endpoints::Endpoints;
use super::{Book, lock};
use crate::lab::etcd::Clients;

/// A hundred writes a second at the most.
const PACE: Duration = Duration::from_millis(10);
/// How long a try may take.
const TRY: Duration = Duration::from_secs(1);
/// Before the same write is tried through another endpoint beside the first: a member that is just going away may take a call and never answer it,
/// which is an outage of that member and not of the cluster. The same key and value twice is the same write.
const HEDGE: Duration = Duration::from_millis(200);

/// Writes until it is stopped; a write that cannot be finished then is given up.
pub(super) async fn write(prefix: String, endpoints: Endpoints, book: Arc<Mutex<Book>>, stopped: watch::Receiver<bool>) {
    let mut clients = Clients::default();
    for number in 0_u64.. {
        let begun = Instant::now();
        let Some(revision) = until_acknowledged(&prefix, number, &mut clients, &endpoints, &book, &stopped).await else { return };
        {
            let mut book = lock(&book);
            book.acked.insert(number, revision);
            book.gaps.acknowledged(Instant::now());
        }
        if *stopped.borrow() {
            return;
        }
        sleep_until(begun + PACE).await;
    }
}

/// Tries one endpoint after the other, while tries that have not failed continue. The first acknowledgement counts.
async fn until_acknowledged(
    prefix: &str,
    number: u64,
    clients: &mut Clients,
    endpoints: &Endpoints,
    book: &Mutex<Book>,
    stopped: &watch::Receiver<bool>,
) -> Option<i64> {
    let mut tries = FuturesUnordered::new();
    let mut asked = BTreeSet::new();
    loop {
        let next = endpoints.beginning_with_current().into_iter().find(|endpoint| !asked.contains(endpoint));
        if next.is_none() && tries.is_empty() {
            return None;
        }
        if let Some(endpoint) = next {
            lock(book).hedged += u64::from(!tries.is_empty());
            asked.insert(endpoint);
            // One client for each: a client with many endpoints would keep choosing the dead one.
            let client = clients.with(endpoint, endpoints.credentials()).await;
            let key = super::check::key(prefix, number);
            tries.push(async move { (endpoint, attempt(client, key, number).await) });
        }
        match timeout(HEDGE, tries.next()).await {
            Ok(Some((endpoint, Ok(revision)))) => {
                endpoints.prefer(endpoint);
                return Some(revision);
            }
            Ok(Some((endpoint, Err(why)))) => {
                {
                    let mut book = lock(book);
                    book.failed += 1;
                    book.last_failure = Some(format!("write {number} to {endpoint}: {why}"));
                }
                if *stopped.borrow() {
                    return None;
                }
                endpoints.failed(endpoint);
                asked.remove(&endpoint);
                sleep(PACE).await;
            }
            Ok(None) | Err(_) => {}
        }
    }
}

/// One try at one endpoint: the revision, or why there is none.
async fn attempt(client: Result<Client, Error>, key: String, number: u64) -> Result<i64, String> {
    let mut client = client.map_err(|error| error.to_string())?.kv_client();
    let answer = timeout(TRY, client.put(key, number.to_string(), None)).await;
    let answer = answer.map_err(|_| "no answer".to_owned())?.map_err(|error| error.to_string())?;
    answer.header().map(etcd_client::ResponseHeader::revision).ok_or_else(|| "an answer without a header".to_owned())
}
