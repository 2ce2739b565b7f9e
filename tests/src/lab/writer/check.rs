//! Whether everything that was acknowledged is there.

use std::collections::BTreeMap;
use std::net::IpAddr;

use anyhow::Context;
use etcd_client::{Client, GetOptions};

use super::Written;
use crate::lab::etcd::{self, Credentials};

const PAGE: i64 = 1000;

/// Numbers of one width sort as they count.
pub(super) fn key(prefix: &str, number: u64) -> String {
    format!("{prefix}{number:012}")
}

impl Written {
    /// The numbers of the acknowledged writes that a read through a quorum does not find, or finds changed.
    ///
    /// # Errors
    /// No member at these addresses answers.
    pub async fn lost(&self, addresses: &[IpAddr]) -> anyhow::Result<Vec<u64>> {
        let mut refused = anyhow::anyhow!("there is no address to read from");
        for address in addresses {
            match self.read(*address).await {
                Ok(found) => return Ok(self.missing(&found)),
                Err(error) => refused = error,
            }
        }
        Err(refused).context("cannot read what was written")
    }

    fn missing(&self, found: &BTreeMap<String, String>) -> Vec<u64> {
        let there = |number: &u64| found.get(&key(&self.prefix, *number)) == Some(&number.to_string());
        self.book.acked.keys().copied().filter(|number| !there(number)).collect()
    }

    async fn read(&self, address: IpAddr) -> anyhow::Result<BTreeMap<String, String>> {
        let mut client =
            etcd::client_as(address, std::time::Duration::from_secs(5), self.credentials.as_ref().map(Credentials::renewed).as_ref())
                .await?;
        let mut found = BTreeMap::new();
        let mut from = self.prefix.clone();
        loop {
            let page = page(&mut client, from, &self.prefix).await?;
            let Some((last, _)) = page.last() else { return Ok(found) };
            from = format!("{last}\0");
            found.extend(page);
        }
    }
}

/// The next keys and values, of those that begin with the prefix.
async fn page(client: &mut Client, from: String, prefix: &str) -> anyhow::Result<Vec<(String, String)>> {
    // The prefix ends in a plain character, so the end of its range is the next one.
    let mut end = prefix.as_bytes().to_vec();
    end.last_mut().into_iter().for_each(|byte| *byte += 1);
    let answer = client.get(from, Some(GetOptions::new().with_range(end).with_limit(PAGE))).await?;
    answer.kvs().iter().map(|kv| Ok((kv.key_str()?.to_owned(), kv.value_str()?.to_owned()))).collect()
}
