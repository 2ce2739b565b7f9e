//! A database of a given size, quickly.

use anyhow::Context;
use etcd_client::{Client, Txn, TxnOp};
use futures::{StreamExt, TryStreamExt, stream};

/// etcd takes 1.5 MiB in one request (`--max-request-bytes`) and 128 operations in one transaction (`--max-txn-ops`).
const VALUE: usize = 8 << 10;
const VALUES: u64 = 128;
/// Requests under way: etcd puts their entries into its log together.
const AT_ONCE: usize = 8;

/// Writes this number of MiB of incompressible values, and returns the size of the database.
///
/// # Errors
/// etcd refuses them, or there is no randomness.
pub(super) async fn fill(endpoint: &str, mib: u64) -> anyhow::Result<u64> {
    let client = Client::connect([endpoint], None).await?;
    let writes = stream::iter(0..mib).map(|batch| write(client.clone(), batch));
    writes.buffer_unordered(AT_ONCE).try_collect::<()>().await.context("cannot fill the database")?;
    let status = client.maintenance_client().status().await?;
    u64::try_from(status.db_size()).context("etcd says a negative size")
}

async fn write(client: Client, batch: u64) -> anyhow::Result<()> {
    let put = |index| Ok(TxnOp::put(format!("/bench/{batch:08}/{index:03}"), random()?, None));
    let puts = (0..VALUES).map(put).collect::<anyhow::Result<Vec<_>>>()?;
    client.kv_client().txn(Txn::new().and_then(puts)).await?;
    Ok(())
}

fn random() -> anyhow::Result<Vec<u8>> {
    let mut value = vec![0; VALUE];
    getrandom::fill(&mut value).context("there is no randomness")?;
    Ok(value)
}
