//! The order of what happened on a machine, by its own journal.

use anyhow::{Context, bail, ensure};
use quorate_lab::machine::Machine;
use quorate_lab::machine::journal::Entry;

/// Something in the journal.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mark {
    /// The agent announced what has this message id.
    Event(&'static str),
    /// The agent took this step.
    Step(&'static str),
    /// systemd said this of a unit.
    Unit(&'static str, &'static str),
    /// The agent's own entries say this.
    Agent(&'static str),
    /// Another program said this.
    Says(&'static str),
}

impl Mark {
    fn is(self, entry: &Entry) -> bool {
        match self {
            Self::Event(id) => entry.field("MESSAGE_ID") == id,
            Self::Step(step) => entry.field("QUORATE_STEP") == step && !entry.message().contains("was not accepted"),
            Self::Unit(unit, message) => entry.field("UNIT") == unit && entry.message().contains(message),
            Self::Agent(message) => entry.field("SYSLOG_IDENTIFIER") == "quorate" && entry.message().contains(message),
            Self::Says(message) => entry.message().contains(message),
        }
    }
}

/// Each of these is in the journal, each after the one before.
pub(crate) fn in_order(machine: &Machine, marks: &[Mark]) -> anyhow::Result<()> {
    let entries = machine.journal(&[])?;
    let mut rest = entries.iter();
    for (number, mark) in marks.iter().enumerate() {
        if !rest.any(|entry| mark.is(entry)) {
            bail!("the journal of {} has no {mark:?} after {:?}", machine.name(), &marks[..number]);
        }
    }
    Ok(())
}

/// The first of the one is in the journal, and before the first of the other.
pub(crate) fn precedes(machine: &Machine, one: Mark, other: Mark) -> anyhow::Result<()> {
    let entries = machine.journal(&[])?;
    let first = |mark: Mark| entries.iter().position(|entry| mark.is(entry)).with_context(|| format!("{} has no {mark:?}", machine.name()));
    ensure!(first(one)? < first(other)?, "on {} {other:?} came before {one:?}", machine.name());
    Ok(())
}

/// What an operator would read of the agent, without dates.
pub(crate) fn tell(machine: &Machine) -> anyhow::Result<()> {
    let entries = machine.journal(&["--unit=quorate.service"])?;
    let begun = entries.first().context("the journal is empty")?.at();
    println!("the life of {}, in seconds from its start:", machine.name());
    for entry in &entries {
        println!("{:8.2} {}: {}", entry.at().saturating_sub(begun) as f64 / 1e6, entry.field("SYSLOG_IDENTIFIER"), entry.message());
    }
    Ok(())
}
