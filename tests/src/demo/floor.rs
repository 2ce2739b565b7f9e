//! The floor: the same sequence by direct etcd calls in one process, with no agent, no polling and no AWS. Nothing can be quicker.
//!
//! The bootstrap meets etcd's own rule that no member is added before all voters have been connected for five seconds, as the demo does. The replacement is
//! measured once that is over, as it is in a cluster that has run for a while.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use crate::lab::bare::Bare;

/// How quick etcd itself can be.
#[derive(Clone, Copy, Debug)]
pub struct Floor {
    /// From the start of the first etcd until all vote.
    pub bootstrap: Duration,
    /// From adding a further member to a settled cluster until an old one, which led, is removed.
    pub replace: Duration,
}

/// Forms a cluster of this size and replaces its leader.
///
/// # Errors
/// etcd cannot be run or does not behave as expected.
pub async fn measure(etcd: Option<&Path>, size: u8) -> anyhow::Result<Floor> {
    let mut cluster = Bare::new(etcd)?;
    let begin = Instant::now();
    cluster.seed().await?;
    for _ in 1..size {
        cluster.join().await?;
    }
    let bootstrap = begin.elapsed();
    cluster.settled().await?;
    let begin = Instant::now();
    cluster.join().await?;
    cluster.remove_first().await?;
    Ok(Floor { bootstrap, replace: begin.elapsed() })
}
