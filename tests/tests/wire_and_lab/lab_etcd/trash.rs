//! What was put aside is kept for a set time, and then removed.

use std::time::Duration;

use rustix::process::Signal;

use super::group::{Group, LIMIT};

/// What the name of a directory begins with that was put aside then.
fn stamp(group: &Group, hours_ago: u32) -> String {
    let then = group.lab.now() - HOUR * hours_ago;
    let digits: String = then.utc().chars().filter(char::is_ascii_digit).collect();
    format!("{}T{}Z", &digits[..8], &digits[8..])
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn what_was_put_aside_goes_after_its_time_and_the_data_of_now_stays() -> anyhow::Result<()> {
    let group = Group::of(1).await?;
    let alone = group.live()[0].clone();
    let trash = group.lab.disk(&alone).join("data/etcd.trash");
    let put = |hours: u32, why: &str| {
        let path = trash.join(format!("{}-{why}", stamp(&group, hours)));
        std::fs::create_dir_all(path.join("member/snap"))?;
        std::fs::write(path.join("member/snap/db"), "data")?;
        anyhow::Ok(path)
    };
    let (old, young, part) = (put(49, "left")?, put(47, "left")?, put(49, "left.part")?);
    let writer = group.write()?;
    group.lab.change_settings(|settings| settings.number("paths.trash_keep_hours", 48));
    group.lab.restart_agent(&alone, Signal::TERM, None).await?;
    let gone = || async { if old.exists() { Err(group.lab.log(&alone)) } else { Ok(()) } };
    group.lab.until(LIMIT, "what is old to go", gone).await?;
    let line = format!("{} is removed: it was put aside more than 48 hours ago", old.display());
    let told = || async { if group.lab.log(&alone).contains(&line) { Ok(()) } else { Err(group.lab.log(&alone)) } };
    group.lab.until(LIMIT, "the journal to say so", told).await?;
    assert!(young.exists() && part.exists(), "only old data is removed, and only once it is whole");
    group.until_written(&writer, 20).await?;
    let written = writer.stop().await;
    group.settled(1, Some(&written)).await
}
