//! etcd's command line for each way to start it. Only flags: a configuration file would make etcd ignore every flag.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};

use quorate_core::plan::{Start, client_url, peer_url};

use quorate_core::etcd_version::EtcdVersion;

use super::MemberSpec;
use crate::adapters::service_manager::ServiceError;

/// The URL on which a founder serves clients, reachable only from this machine.
pub(super) fn founding_url(address: IpAddr) -> String {
    format!("http://{}", SocketAddr::new(address, 2379))
}

/// The whole command line after the binary's name. `token` is the cluster token in the data's label.
///
/// # Errors
/// An etcd cannot start like this.
pub(super) fn arguments(spec: &MemberSpec, how: &Start, version: EtcdVersion, token: Option<&str>) -> Result<Vec<OsString>, ServiceError> {
    let cluster = cluster(spec, how, token)?;
    let mut data_dir = OsString::from("--data-dir=");
    data_dir.push(&spec.data_dir);
    let mut all = vec![data_dir];
    all.extend(urls(spec, how).into_iter().chain(cluster).chain(habits(version)).map(OsString::from));
    all.extend(spec.flags.iter().map(OsString::from));
    Ok(all)
}

fn urls(spec: &MemberSpec, how: &Start) -> Vec<String> {
    let (peer, client) = (peer_url(spec.address), client_url(spec.address));
    let loopback_only = matches!(how, Start::Found { .. } | Start::Resume { loopback_only: true, .. } | Start::Alone);
    let listen = if loopback_only { founding_url(spec.founding_address) } else { client.to_string() };
    vec![
        format!("--name={}", spec.name),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--listen-client-urls={listen}"),
        format!("--advertise-client-urls={client}"),
    ]
}

/// The flags that etcd ignores once its write-ahead log exists.
///
/// A resumed founder that died before it wrote one therefore founds the same cluster again: the ids depend only on token and URL. Any other resumed member gets
/// `existing`: without a log it then fails, and never founds a cluster of its own.
fn cluster(spec: &MemberSpec, how: &Start, token: Option<&str>) -> Result<Vec<String>, ServiceError> {
    let alone = || format!("{}={}", spec.name, peer_url(spec.address));
    let (state, members, token) = match how {
        Start::Found { token, .. } => ("new", alone(), Some(token.as_str())),
        Start::Resume { loopback_only: true, .. } if token.is_some() => ("new", alone(), token),
        Start::Resume { .. } | Start::Alone => ("existing", alone(), None),
        Start::Join { initial_cluster, .. } => {
            let entries: Vec<String> = initial_cluster.iter().map(|(name, url)| format!("{name}={url}")).collect();
            ("existing", entries.join(","), None)
        }
        Start::JoinServer { .. } | Start::Worker { .. } => return Err(ServiceError::Unfit { program: "etcd", how: format!("{how:?}") }),
    };
    let mut all = vec![format!("--initial-cluster={members}"), format!("--initial-cluster-state={state}")];
    all.extend(token.map(|t| format!("--initial-cluster-token={t}")));
    Ok(all)
}

/// The flags that the agent gives at each start, whatever the member.
pub(super) fn habits(version: EtcdVersion) -> Vec<String> {
    let mut all = vec!["--strict-reconfig-check=true", "--logger=zap", "--log-level=warn", "--log-outputs=stderr"];
    // Refuses to start on data that differs from the peers'. 3.6 made it a feature gate, and 3.7 dropped the old name.
    all.push(if version < (EtcdVersion { major: 3, minor: 6 }) {
        "--experimental-initial-corrupt-check=true"
    } else {
        "--feature-gates=InitialCorruptCheck=true"
    });
    all.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use quorate_core::ids::Generation;

    use super::*;

    const V34: EtcdVersion = EtcdVersion { major: 3, minor: 4 };

    fn spec() -> MemberSpec {
        MemberSpec {
            name: "i-1".into(),
            address: "10.0.0.5".parse().unwrap(),
            data_dir: "/var/lib/etcd/data".into(),
            founding_address: "127.0.0.1".parse().unwrap(),
            flags: vec!["--quota-backend-bytes=1".to_owned()],
            environment: std::collections::BTreeMap::new(),
        }
    }

    fn line(how: &Start, version: EtcdVersion, token: Option<&str>) -> Vec<String> {
        arguments(&spec(), how, version, token).unwrap().into_iter().map(|a| a.into_string().unwrap()).collect()
    }

    fn has(line: &[String], flag: &str) -> bool {
        line.iter().any(|a| a == flag)
    }

    #[test]
    fn a_founder_listens_for_clients_on_loopback_only() {
        let line = line(&Start::Found { generation: Generation(1), token: "t1".into() }, V34, None);
        for flag in [
            "--data-dir=/var/lib/etcd/data",
            "--listen-client-urls=http://127.0.0.1:2379",
            "--advertise-client-urls=http://10.0.0.5:2379",
            "--initial-cluster=i-1=http://10.0.0.5:2380",
            "--initial-cluster-state=new",
            "--initial-cluster-token=t1",
            "--experimental-initial-corrupt-check=true",
        ] {
            assert!(has(&line, flag), "{flag} is not in {line:?}");
        }
        assert_eq!(line.last().unwrap(), "--quota-backend-bytes=1");
    }

    #[test]
    fn a_joiner_starts_with_the_list_that_it_was_given() {
        let initial_cluster =
            vec![("i-0".to_owned(), "http://10.0.0.4:2380".parse().unwrap()), ("i-1".to_owned(), "http://10.0.0.5:2380".parse().unwrap())];
        let line = line(&Start::Join { generation: Generation(1), initial_cluster }, V34, None);
        assert!(has(&line, "--initial-cluster=i-0=http://10.0.0.4:2380,i-1=http://10.0.0.5:2380"), "{line:?}");
        assert!(has(&line, "--initial-cluster-state=existing"));
        assert!(has(&line, "--listen-client-urls=http://10.0.0.5:2379"));
    }

    #[test]
    fn a_resumed_member_never_founds_unless_it_is_the_founder_with_its_token() {
        let resumed = line(&Start::Resume { loopback_only: false, server: None }, V34, Some("t1"));
        assert!(has(&resumed, "--initial-cluster-state=existing") && !has(&resumed, "--initial-cluster-token=t1"));
        let alone = line(&Start::Alone, V34, Some("t1"));
        assert!(has(&alone, "--initial-cluster-state=existing") && has(&alone, "--listen-client-urls=http://127.0.0.1:2379"), "{alone:?}");
        let founder = line(&Start::Resume { loopback_only: true, server: None }, V34, Some("t1"));
        assert!(has(&founder, "--initial-cluster-state=new") && has(&founder, "--initial-cluster-token=t1"));
        let unlabelled = line(&Start::Resume { loopback_only: true, server: None }, V34, None);
        assert!(has(&unlabelled, "--initial-cluster-state=existing"));
    }

    #[test]
    fn a_distributions_start_is_none_of_etcds() {
        let (generation, server) = (Generation(1), "10.0.0.4".parse().unwrap());
        for how in [Start::JoinServer { generation, server }, Start::Worker { server, authority: None }] {
            assert!(matches!(arguments(&spec(), &how, V34, None), Err(ServiceError::Unfit { program: "etcd", .. })), "{how:?}");
        }
    }

    #[test]
    fn the_corruption_check_has_the_versions_name() {
        let start = Start::Resume { loopback_only: false, server: None };
        assert!(has(&line(&start, EtcdVersion { major: 3, minor: 5 }, None), "--experimental-initial-corrupt-check=true"));
        assert!(has(&line(&start, EtcdVersion { major: 3, minor: 6 }, None), "--feature-gates=InitialCorruptCheck=true"));
    }

    #[test]
    fn brackets_go_around_ipv6() {
        assert_eq!(founding_url("::1".parse().unwrap()), "http://[::1]:2379");
    }
}
