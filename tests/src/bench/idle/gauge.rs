//! A genuine caller, which also reads what the agent says of itself.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use reqwest::Client;

use crate::lab::LISTEN;
use crate::lab::url::http;

/// The time that an agent waits for another.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many looks the agent has taken, and how long they took together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Looks {
    pub(super) count: f64,
    pub(super) seconds: f64,
}

impl Looks {
    pub(super) fn since(self, before: Self) -> Self {
        Self { count: self.count - before.count, seconds: self.seconds - before.seconds }
    }
}

/// It opens a connection for each question.
#[derive(Debug)]
pub(super) struct Gauge {
    tcp: Client,
    socket: Client,
    questions: [String; 3],
}

impl Gauge {
    pub(super) fn new(address: IpAddr, socket: &Path) -> anyhow::Result<Self> {
        let builder = || Client::builder().no_proxy().timeout(PATIENCE).pool_max_idle_per_host(0);
        let url = |port: u16, path: &str| format!("{}{path}", http(address, port));
        Ok(Self {
            tcp: builder().build()?,
            socket: builder().unix_socket(socket).build()?,
            questions: [url(LISTEN.peers, "/v1/peer"), url(LISTEN.health, "/readyz"), url(LISTEN.metrics, "/metrics")],
        })
    }

    /// Whether each listener answers, with 200.
    pub(super) async fn ask(&self) -> Vec<bool> {
        let mut answered = Vec::new();
        for question in &self.questions {
            answered.push(self.tcp.get(question).send().await.is_ok_and(|answer| answer.status() == 200));
        }
        answered.push(self.socket.get("http://agent/v1/status").send().await.is_ok_and(|answer| answer.status() == 200));
        answered
    }

    /// By the socket, or by the port; none if neither answers.
    pub(super) async fn looks(&self) -> Option<Looks> {
        for (client, url) in [(&self.socket, "http://agent/metrics"), (&self.tcp, &*self.questions[2])] {
            if let Ok(answer) = client.get(url).send().await
                && let Ok(text) = answer.text().await
                && let Some(looks) = looks(&text)
            {
                return Some(looks);
            }
        }
        None
    }
}

fn looks(metrics: &str) -> Option<Looks> {
    let value = |name: &str| metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    Some(Looks { count: value("quorate_look_seconds_count ")?, seconds: value("quorate_look_seconds_sum ")? })
}
