//! D4c in the simulator: a hundred schedules in which every voter was lost, in virtual time.

use anyhow::ensure;
use quorate_lab::disasters::Row;
use quorate_lab::simulator::run_seed;

/// The number of schedules with a total loss.
const WANTED: usize = 100;
/// Among at most this number in all.
const LIMIT: u64 = 20_000;

#[test]
fn a_hundred_schedules_with_a_total_loss() -> anyhow::Result<()> {
    let (mut met, mut played, mut restored) = (0, 0, 0);
    for seed in 0..LIMIT {
        let (stats, violation) = run_seed(seed);
        ensure!(violation.is_none(), "seed {seed}: {violation:?}");
        played += 1;
        met += usize::from(stats.total_losses > 0);
        restored += stats.restored;
        if met == WANTED {
            break;
        }
    }
    ensure!(met == WANTED, "only {met} of {played} schedules had a total loss");
    ensure!(restored > 0, "nothing was ever restored");
    let came_back = format!(
        "no invariant broke in any of {played} schedules, of which {met} lost every voter's data; {restored} times a snapshot was restored"
    );
    Row::new("D4c: simulated, 100 schedules with a total loss", "all data at once, amid whatever else a schedule brings", came_back)
        .record()
}
