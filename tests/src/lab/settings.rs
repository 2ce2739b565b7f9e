//! The settings of the lab's agents: the keys of the agent's configuration file that a lab changes.

use std::collections::BTreeMap;
use std::fmt;

/// The ports of an agent's small servers.
#[derive(Clone, Copy, Debug)]
pub struct Listen {
    /// The other agents.
    pub peers: u16,
    /// `/readyz` and `/leader`.
    pub health: u16,
    /// `/metrics`.
    pub metrics: u16,
}

/// In the lab every agent serves all three, at its instance's address.
pub const LISTEN: Listen = Listen { peers: 2378, health: 2377, metrics: 2376 };

/// Keys and values by section; a key that is not named keeps the agent's default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentSettings(BTreeMap<String, BTreeMap<String, String>>);

impl AgentSettings {
    /// The agent's defaults.
    #[must_use]
    pub fn defaults() -> Self {
        Self::default()
    }

    /// Everything an order of magnitude quicker, for tests that are not about the defaults.
    #[must_use]
    pub fn quick() -> Self {
        [
            ("cycle_s", 0.25),
            ("stale_after_s", 1.5),
            ("join_deadline_s", 90.0),
            ("learner_patience_s", 20.0),
            ("prune_grace_s", 2.0),
            ("stand_in_after_s", 4.0),
            ("replacement_patience_s", 60.0),
            ("broken_window_s", 30.0),
            ("quorum_loss_grace_s", 4.0),
            ("rank_delay_s", 1.0),
            ("unknown_is_gone_after_s", 30.0),
            ("aws_cadence_s", 5.0),
            ("aws_hurry_s", 0.5),
            ("cloud_fresh_s", 6.0),
            ("frozen_after_s", 4.0),
            ("unhooked_leave_s", 10.0),
            ("lock_ttl_s", 6.0),
            ("call_timeout_s", 2.0),
            ("retry_ms", 200.0),
            ("leave_margin_s", 2.0),
        ]
        .into_iter()
        .fold(Self::default(), |settings, (key, value)| settings.number(&format!("timing.{key}"), value))
        .number("aws.call_timeout_s", 2.0)
    }

    /// The same with this number, under a key such as `timing.cycle_s`.
    #[must_use]
    pub fn number(self, key: &str, value: impl fmt::Display) -> Self {
        self.raw(key, value.to_string())
    }

    /// The same with this text.
    #[must_use]
    pub fn text(self, key: &str, value: impl fmt::Display) -> Self {
        // A JSON string is a TOML string.
        self.raw(key, serde_json::Value::String(value.to_string()).to_string())
    }

    /// The same with this value, as TOML has it.
    #[must_use]
    pub fn raw(mut self, key: &str, value: impl Into<String>) -> Self {
        let (section, key) = key.split_once('.').unwrap_or(("", key));
        self.0.entry(section.to_owned()).or_default().insert(key.to_owned(), value.into());
        self
    }

    /// The same with the others' keys, which win.
    #[must_use]
    pub fn overridden_by(mut self, others: &Self) -> Self {
        for (section, keys) in &others.0 {
            self.0.entry(section.clone()).or_default().extend(keys.clone());
        }
        self
    }
}

impl fmt::Display for AgentSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (section, keys) in &self.0 {
            writeln!(f, "[{section}]")?;
            keys.iter().try_for_each(|(key, value)| writeln!(f, "{key} = {value}"))?;
        }
        Ok(())
    }
}
