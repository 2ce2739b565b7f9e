//! The text of `quorate recover`.

use std::fmt;

use crate::ids::MemberId;
use crate::observation::DataClaim;

use super::{Holder, KeptSnapshot, Life, Recovery, Way};

/// The number of snapshots shown; the newest is what matters.
const SHOWN: usize = 10;

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quorum = match (self.quorum_lives, self.quorum_is_lost) {
            (true, _) => "a quorum is alive: there is nothing to recover",
            (false, true) => "lost for good",
            (false, false) => "none answers; it may come back",
        };
        writeln!(f, "cluster   {}, as {} sees it", self.cluster, self.instance)?;
        writeln!(f, "charter   {}", self.record.as_deref().unwrap_or("no record is known"))?;
        writeln!(f, "quorum    {quorum}")?;
        writeln!(f, "now       {}", self.message)?;
        if let Some(ordered) = &self.ordered {
            writeln!(f, "ordered   quorate {ordered}")?;
        }
        if let Some((own, charter)) = &self.voters_differ {
            writeln!(f, "voters    DIFFER: etcd's list here has {}, the charter's {}", ids(own), ids(charter))?;
        }
        writeln!(f, "who holds what:")?;
        self.holders.iter().try_for_each(|holder| writeln!(f, "  {holder}"))?;
        self.write_snapshots(f)?;
        writeln!(f, "what could be done here:")?;
        self.ways.iter().try_for_each(|way| write!(f, "{way}"))
    }
}

impl Recovery {
    fn write_snapshots(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = &self.snapshots_unknown {
            writeln!(f, "snapshots of this history: not known now: {why}")?;
        } else if self.snapshots.is_empty() {
            writeln!(f, "snapshots of this history: none")?;
        }
        if !self.snapshots.is_empty() {
            writeln!(f, "snapshots of this history, newest first:")?;
        }
        self.snapshots.iter().take(SHOWN).try_for_each(|kept| writeln!(f, "  {kept}"))?;
        match self.snapshots.len().checked_sub(SHOWN) {
            Some(more) if more > 0 => writeln!(f, "  and {more} older ones: `quorate snapshot list`"),
            _ => Ok(()),
        }
    }
}

fn ids(members: &[MemberId]) -> String {
    members.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = self.listed.map_or_else(|| "not in the charter".to_owned(), |member| format!("voter {member}"));
        let life = match self.life {
            Life::Here => "this node",
            Life::Answers => "answers",
            Life::Gone => "gone for good",
            Life::Silent => "SILENT, and EC2 does not say that it has ended: nothing is recovered until it answers or is terminated",
        };
        write!(f, "{}  {listed}, {life}", self.instance)?;
        if matches!(self.life, Life::Gone | Life::Silent) {
            return Ok(());
        }
        write!(f, "; {}", data(&self.data))?;
        if self.sees_quorum { f.write_str("; SEES A QUORUM") } else { Ok(()) }
    }
}

fn data(data: &DataClaim) -> String {
    let known = |n: Option<u64>| n.map_or_else(|| "not known".to_owned(), |n| n.to_string());
    match data {
        DataClaim::Unknown => "does not know yet whether it holds data".to_owned(),
        DataClaim::None => "holds no data".to_owned(),
        DataClaim::Holds { member, generation, voter, applied, revision, .. } => {
            let generation = generation.map_or_else(|| "unknown generation".to_owned(), |g| format!("generation {g}"));
            let kind = if *voter == Some(false) { " (a copy that never voted)" } else { "" };
            format!("data of {generation}, member {member}{kind}, revision {}, applied index {}", known(*revision), known(*applied))
        }
    }
}

impl fmt::Display for KeptSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  revision {}, {} old", self.key, self.revision, age(self.age_s))?;
        self.refused.iter().try_for_each(|why| write!(f, "; REFUSED: {why}"))
    }
}

fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {}", self.command)?;
        writeln!(f, "    keeps  {}", self.keeps)?;
        writeln!(f, "    loses  {}", self.loses)?;
        writeln!(f, "    {}  {}", if self.possible { "would" } else { "waits" }, self.then)
    }
}
