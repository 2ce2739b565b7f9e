//! etcd's command line for each way to start it. Only flags: a configuration file would make etcd ignore every flag.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use quorate_core::plan::{Start, client_url, peer_url};

use quorate_core::etcd_version::EtcdVersion;
use quorate_core::transport::Transport;

use super::MemberSpec;
use crate::adapters::service_manager::ServiceError;

/// The URLs on which a founder may serve clients, without TLS or with it, reachable only from this machine.
pub(super) fn founding_urls(address: IpAddr) -> [String; 2] {
    [Transport::Plain, Transport::Tls].map(|transport| client_url(address, transport).to_string())
}

/// The whole command line after the binary's name. `token` is the cluster token in the data's label.
///
/// # Errors
/// An etcd cannot start like this.
pub(super) fn arguments(
    spec: &MemberSpec,
    (how, transport): (&Start, Transport),
    version: EtcdVersion,
    token: Option<&str>,
) -> Result<Vec<OsString>, ServiceError> {
    let cluster = cluster(spec, how, transport, token)?;
    let mut data_dir = OsString::from("--data-dir=");
    data_dir.push(&spec.data_dir);
    let mut all = vec![data_dir];
    all.extend(urls(spec, how, transport).into_iter().chain(cluster).chain(habits(version)).map(OsString::from));
    all.extend(tls(spec, transport));
    all.extend(spec.flags.iter().map(OsString::from));
    Ok(all)
}

fn urls(spec: &MemberSpec, how: &Start, transport: Transport) -> Vec<String> {
    let (peer, client) = (peer_url(spec.address, transport), client_url(spec.address, transport));
    let loopback_only = matches!(how, Start::Found { .. } | Start::Resume { loopback_only: true, .. } | Start::Alone);
    let listen = if loopback_only { client_url(spec.founding_address, transport) } else { client };
    vec![
        format!("--name={}", spec.name),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--listen-client-urls={listen}"),
        format!("--advertise-client-urls={client}"),
    ]
}

/// The certificates. etcd reads a certificate and its key again at each handshake, from one file, which a renewal replaces as a whole; the authorities only as it
/// starts (etcd client/pkg/transport: `TLSInfo.ServerConfig`). No TLS below 1.2 is spoken, which is etcd's own floor. A server's certificate is also shown by
/// etcd's own gateway as a client, so both are from the authority for clients.
fn tls(spec: &MemberSpec, transport: Transport) -> Vec<OsString> {
    if transport == Transport::Plain {
        return Vec::new();
    }
    let files = &spec.certificates;
    let own = [("cert-file", &files.server), ("key-file", &files.server), ("peer-cert-file", &files.peer), ("peer-key-file", &files.peer)];
    let authorities = [("trusted-ca-file", &files.clients_ca), ("peer-trusted-ca-file", &files.peers_ca)];
    let of = |(flag, path): (&str, &PathBuf)| {
        let mut flag = OsString::from(format!("--{flag}="));
        flag.push(path);
        flag
    };
    let needed = ["--client-cert-auth=true", "--peer-client-cert-auth=true"].map(OsString::from);
    own.into_iter().chain(authorities).map(of).chain(needed).collect()
}

/// The flags that etcd ignores once its write-ahead log exists.
///
/// A resumed founder that died before it wrote one therefore founds the same cluster again: the ids depend only on token and URL. Any other resumed member gets
/// `existing`: without a log it then fails, and never founds a cluster of its own.
fn cluster(spec: &MemberSpec, how: &Start, transport: Transport, token: Option<&str>) -> Result<Vec<String>, ServiceError> {
    let alone = || format!("{}={}", spec.name, peer_url(spec.address, transport));
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
    use std::path::Path;

    use quorate_core::ids::Generation;

    use crate::adapters::pki::EtcdFiles;

    use super::*;

    const V34: EtcdVersion = EtcdVersion { major: 3, minor: 4 };

    fn spec() -> MemberSpec {
        MemberSpec {
            name: "i-1".into(),
            address: "10.0.0.5".parse().unwrap(),
            data_dir: "/var/lib/etcd/data".into(),
            founding_address: "127.0.0.1".parse().unwrap(),
            certificates: EtcdFiles::in_dir(Path::new("/var/lib/quorate/tls/etcd")),
            flags: vec!["--quota-backend-bytes=1".to_owned()],
            environment: std::collections::BTreeMap::new(),
        }
    }

    fn line(how: &Start, version: EtcdVersion, token: Option<&str>) -> Vec<String> {
        arguments(&spec(), (how, Transport::Plain), version, token).unwrap().into_iter().map(|a| a.into_string().unwrap()).collect()
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
            assert!(
                matches!(arguments(&spec(), (&how, Transport::Plain), V34, None), Err(ServiceError::Unfit { program: "etcd", .. })),
                "{how:?}"
            );
        }
    }

    #[test]
    fn with_tls_every_url_is_https_and_both_sides_show_certificates() {
        let how = Start::Found { generation: Generation(1), token: "t1".into() };
        let all = arguments(&spec(), (&how, Transport::Tls), V34, None).unwrap();
        let line: Vec<String> = all.into_iter().map(|a| a.into_string().unwrap()).collect();
        let dir = "/var/lib/quorate/tls/etcd";
        for flag in [
            "--listen-peer-urls=https://10.0.0.5:2380",
            "--listen-client-urls=https://127.0.0.1:2379",
            "--initial-cluster=i-1=https://10.0.0.5:2380",
            "--client-cert-auth=true",
            "--peer-client-cert-auth=true",
            &format!("--peer-trusted-ca-file={dir}/peers-ca.pem"),
            &format!("--trusted-ca-file={dir}/clients-ca.pem"),
            &format!("--peer-cert-file={dir}/peer.pem"),
            &format!("--key-file={dir}/server.pem"),
        ] {
            assert!(has(&line, flag), "{flag} is not in {line:?}");
        }
        assert!(!line.iter().any(|flag| flag.contains("http://")), "{line:?}");
    }

    #[test]
    fn the_corruption_check_has_the_versions_name() {
        let start = Start::Resume { loopback_only: false, server: None };
        assert!(has(&line(&start, EtcdVersion { major: 3, minor: 5 }, None), "--experimental-initial-corrupt-check=true"));
        assert!(has(&line(&start, EtcdVersion { major: 3, minor: 6 }, None), "--feature-gates=InitialCorruptCheck=true"));
    }

    #[test]
    fn brackets_go_around_ipv6() {
        assert_eq!(founding_urls("::1".parse().unwrap()), ["http://[::1]:2379", "https://[::1]:2379"]);
    }
}
