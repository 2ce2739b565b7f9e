//! The write load and its judge, against etcd alone: a lost write must be found, and none may be invented.

use std::time::Duration;

use quorate_lab::lab::bare::Bare;
use quorate_lab::lab::etcd;
use quorate_lab::lab::writer::{Label, Writer};
use tokio::time::sleep;

#[tokio::test]
async fn the_load_outlives_a_member_and_a_lost_write_is_found() -> anyhow::Result<()> {
    let mut cluster = Bare::new(None)?;
    cluster.seed().await?;
    cluster.join().await?;
    cluster.join().await?;
    let addresses = cluster.addresses();
    let writer = Writer::start(addresses.clone(), "/load/");
    sleep(Duration::from_secs(1)).await;
    let before = writer.acked();
    assert!(before > 20, "{before} writes in a second: {:?}", writer.last_failure());
    writer.label(Label::Kill);
    cluster.kill(0);
    sleep(Duration::from_secs(4)).await;
    writer.label(Label::Graceful);
    sleep(Duration::from_millis(500)).await;
    let written = writer.stop().await;
    assert!(written.acked() > before + 20, "{} writes were acknowledged", written.acked());
    assert!(written.failed() > 0);
    let longest = |label| written.longest(label).map(|gap| gap.length).unwrap_or_default();
    assert!(longest(Label::Kill) > longest(Label::Graceful), "the kill went unnoticed");
    assert_eq!(written.lost(&addresses).await?, Vec::<u64>::new());

    let mut client = etcd::client(addresses[1], Duration::from_secs(5)).await?;
    client.delete("/load/000000000007", None).await?;
    client.put("/load/000000000009", "another value", None).await?;
    assert_eq!(written.lost(&addresses).await?, vec![7, 9]);
    Ok(())
}
