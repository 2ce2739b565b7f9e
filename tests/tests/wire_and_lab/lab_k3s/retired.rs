//! Scaled to no server and back. One of one is among the disasters.

use super::loss::down_and_up;

#[tokio::test]
async fn three_servers_scaled_to_nothing_and_back_have_every_acknowledged_write() -> anyhow::Result<()> {
    down_and_up(3).await.map(drop)
}
