//! A node, a record and an answer, for tests that are about something else; and the IAM policies that are shipped.

use std::collections::BTreeSet;

use quorate_core::charter::{Origin, Record, State};
use quorate_core::ids::{Generation, InstanceId};
use quorate_core::observation::{ControlPlane, DataClaim, Me, PeerAnswer};
use quorate_core::report::Phase;
use quorate_core::role::Role;
use quorate_core::time::Timestamp;
use quorate_core::transport::Transport;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const POLICIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/aws/iam");

/// Instance `i-1` of the cluster `prod`.
pub(crate) fn me() -> Me {
    Me {
        instance: "i-1".into(),
        address: [10, 0, 0, 1].into(),
        group: "g".into(),
        account: "1".into(),
        region: "eu-central-1".into(),
        cluster: "prod".into(),
        role: Role::Etcd,
        launched: Timestamp(0),
    }
}

/// The first record of its charter.
pub(crate) fn record(state: State) -> Record {
    Record {
        number: 1,
        previous: None,
        account: me().account,
        region: me().region,
        cluster: me().cluster,
        generation: Generation(1),
        origin: Origin::Empty,
        state,
        ever_established: None,
        etcd_cluster: None,
        voters: Vec::new(),
        ancestors: Vec::new(),
        transport: Transport::Plain,
        authority: None,
        rotation: None,
    }
}

/// An answer with nothing in it.
pub(crate) fn answer(instance: InstanceId, phase: Phase) -> PeerAnswer {
    PeerAnswer {
        instance,
        phase,
        record: None,
        data: DataClaim::None,
        quorum: None,
        control_plane: ControlPlane::default(),
        etcd: None,
        refused: None,
        received: None,
        leaving: false,
        leave_within_ms: None,
        signed_by: None,
        certificates: None,
        certified: false,
    }
}

/// The statements of a shipped policy with this effect.
pub(crate) fn statements(file: &str, effect: &str) -> Vec<Value> {
    let policy: Value = serde_json::from_str(&std::fs::read_to_string(format!("{POLICIES}/{file}")).unwrap()).unwrap();
    policy["Statement"].as_array().unwrap().iter().filter(|statement| statement["Effect"] == effect).cloned().collect()
}

/// The actions that a shipped policy allows.
pub(crate) fn allowed(file: &str) -> BTreeSet<String> {
    let actions = statements(file, "Allow").into_iter().flat_map(|statement| match &statement["Action"] {
        Value::Array(several) => several.clone(),
        one => vec![one.clone()],
    });
    actions.map(|action| action.as_str().unwrap().to_owned()).collect()
}

/// Answers each connection's first request with these bytes, then closes it.
pub(crate) fn answer_with(listener: TcpListener, bytes: Vec<u8>) {
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(&bytes).await;
        }
    });
}
