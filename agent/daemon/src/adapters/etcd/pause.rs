//! The cluster's pause: the key `/quorate/pause`, beside the lock's and without a lease.

use etcd_client::{Compare, CompareOp, KeyValue, Txn, TxnOp};
use quorate_core::ids::InstanceId;
use quorate_core::pausing::Pause;
use quorate_core::plan::Outcome;
use quorate_core::text::printable;
use quorate_core::time::Timestamp;

use super::lock::SHOWN;
use super::{Etcd, outcome};

pub(super) const KEY: &str = "/quorate/pause";

/// What the key says. A value that no agent wrote pauses too: somebody put it there for a reason.
pub(super) fn read(entry: &KeyValue) -> Pause {
    parse(entry.value())
}

fn parse(value: &[u8]) -> Pause {
    serde_json::from_slice(value).unwrap_or_else(|_| Pause {
        since: Timestamp(0),
        by: format!("somebody who wrote into {KEY}: {}", printable(&String::from_utf8_lossy(value), SHOWN)).into(),
        on: InstanceId::new("i-unknown"),
    })
}

impl Etcd {
    /// Writes the cluster's pause, unless there is one already: that one stays, and is as good.
    pub async fn set_pause(&self, url: &str, pause: &Pause) -> Outcome {
        let value = serde_json::json!(pause).to_string();
        let put = TxnOp::put(KEY, value, None);
        let txn = Txn::new().when([Compare::create_revision(KEY, CompareOp::Equal, 0)]).and_then([put]);
        outcome::of(self.endpoints.call(url, "Txn", self.call_timeout, async |c| c.kv_client().txn(txn).await).await, &[], &[])
    }

    /// Deletes it.
    pub async fn clear_pause(&self, url: &str) -> Outcome {
        outcome::of(
            self.endpoints.call(url, "DeleteRange", self.call_timeout, async |c| c.kv_client().delete(KEY, None).await).await,
            &[],
            &[],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_anybody_wrote_there_pauses_and_steers_no_terminal() {
        let pause = parse(br#"{"since":1,"by":"alice\u001b[2J\nPAUSED: nothing","on":"i-a"}"#);
        assert_eq!(pause.by.as_str(), r"alice\u{1b}[2J PAUSED: nothing");
        let long = format!(r#"{{"since":1,"by":"{}","on":"i-a"}}"#, "x".repeat(100_000));
        assert!(parse(long.as_bytes()).by.as_str().len() < 500);
        for odd in ["\u{1b}]0;x\u{7}", r#"{"since":1,"by":"x","on":"i-a\u001b[2J"}"#, &"y".repeat(100_000)] {
            let message = parse(odd.as_bytes()).to_string();
            assert!(message.contains("somebody who wrote into /quorate/pause") && message.len() < 300, "{message}");
            assert!(!message.chars().any(char::is_control), "{message}");
        }
    }

    /// It is kept in the memory file.
    #[test]
    fn a_pause_that_no_agent_wrote_is_read_again_after_a_restart() {
        let pause = parse(b"stop!");
        assert_eq!(parse(serde_json::json!(pause).to_string().as_bytes()), pause);
    }
}
