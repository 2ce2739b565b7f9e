use std::fs;

use quorate_core::ids::Generation;

use super::*;
use crate::config::Settings;

const HEAD: &str = "# Written by quorate before each start of k3s. What is yours belongs into config.yaml.\n";

fn k3s(file: &str, worker: bool) -> K3s {
    let node = NodeSpec {
        name: "i-0a1".into(),
        address: "10.0.0.5".parse().unwrap(),
        worker,
        zone: "eu-central-1a".into(),
        founding_address: "127.0.0.1".parse().unwrap(),
    };
    K3s::new(Settings::parse(&format!("[kubernetes]\ntoken_file = \"/etc/quorate/token\"\n{file}")).unwrap().kubernetes, node)
}

fn server() -> IpAddr {
    "10.0.0.4".parse().unwrap()
}

fn resume(loopback_only: bool, server: Option<IpAddr>) -> Start {
    Start::Resume { loopback_only, server }
}

/// The first lines of the file, which say which cluster the server belongs to.
fn membership(how: &Start) -> String {
    let text = k3s("", false).configuration(how).unwrap();
    let (membership, _) = text.strip_prefix(HEAD).unwrap().split_once("node-name").unwrap();
    membership.to_owned()
}

#[test]
fn a_founder_serves_its_own_machine_alone_and_names_no_server() {
    let text = k3s("", false).configuration(&Start::Found { generation: Generation(1), token: "t".into() }).unwrap();
    let expected = "cluster-init: true\n\
        bind-address: \"127.0.0.1\"\n\
        node-name: \"i-0a1\"\n\
        node-ip: \"10.0.0.5\"\n\
        advertise-address: \"10.0.0.5\"\n\
        token-file: \"/etc/quorate/token\"\n\
        tls-san+: [\"10.0.0.5\"]\n\
        node-label+: [\"topology.kubernetes.io/zone=eu-central-1a\"]\n";
    assert_eq!(text, format!("{HEAD}{expected}"));
}

#[test]
fn everything_that_is_set_is_told() {
    let file = "agent_token_file = \"/etc/quorate/agent-token\"\nalias = \"api.internal\"\nendpoint = \"https://[2001:db8::1]:6443\"\n\
        tls_sans = [\"10.0.0.5\", \"api.example.com\"]\nlabels = { pool = \"a\" }\ntaints = [\"dedicated=db:NoSchedule\"]\ndata_dir = \"/data/k3s\"\n";
    let text = k3s(file, false).configuration(&Start::JoinServer { generation: Generation(1), server: server() }).unwrap();
    let expected = "server: \"https://10.0.0.4:6443\"\n\
        node-name: \"i-0a1\"\n\
        node-ip: \"10.0.0.5\"\n\
        advertise-address: \"10.0.0.5\"\n\
        token-file: \"/etc/quorate/token\"\n\
        agent-token-file: \"/etc/quorate/agent-token\"\n\
        tls-san+: [\"api.internal\",\"2001:db8::1\",\"10.0.0.5\",\"api.example.com\"]\n\
        node-label+: [\"pool=a\",\"topology.kubernetes.io/zone=eu-central-1a\"]\n\
        node-taint+: [\"dedicated=db:NoSchedule\"]\n\
        data-dir: \"/data/k3s\"\n";
    assert_eq!(text, format!("{HEAD}{expected}"));
}

#[test]
fn a_worker_is_told_nothing_of_servers_but_one_to_join_through() {
    let text = k3s("agent_token_file = \"/a\"\nalias = \"api.internal\"\n", true)
        .configuration(&Start::Worker { server: server(), authority: None })
        .unwrap();
    let expected = "server: \"https://10.0.0.4:6443\"\n\
        node-name: \"i-0a1\"\n\
        node-ip: \"10.0.0.5\"\n\
        token-file: \"/etc/quorate/token\"\n\
        node-label+: [\"topology.kubernetes.io/zone=eu-central-1a\"]\n";
    assert_eq!(text, format!("{HEAD}{expected}"));
}

#[test]
fn a_server_is_named_whenever_there_is_one() {
    let joins = "server: \"https://10.0.0.4:6443\"\n";
    assert_eq!(membership(&resume(false, Some(server()))), joins);
    assert_eq!(membership(&resume(false, None)), "cluster-init: true\n");
    assert_eq!(membership(&resume(true, None)), "cluster-init: true\nbind-address: \"127.0.0.1\"\n");
    assert_eq!(membership(&resume(true, Some(server()))), format!("{joins}bind-address: \"127.0.0.1\"\n"));
    let v6 = Start::JoinServer { generation: Generation(1), server: "2001:db8::4".parse().unwrap() };
    assert_eq!(membership(&v6), "server: \"https://[2001:db8::4]:6443\"\n");
}

#[test]
fn at_its_clusters_end_nothing_runs_but_etcd_for_this_machine_alone() {
    let expected = "cluster-init: true\n\
        bind-address: \"127.0.0.1\"\n\
        disable-apiserver: true\n\
        disable-controller-manager: true\n\
        disable-scheduler: true\n\
        disable-agent: true\n\
        etcd-arg+: [\"listen-client-urls=https://127.0.0.1:2379\"]\n";
    assert_eq!(membership(&Start::Alone), expected);
}

#[test]
fn each_role_has_its_own_starts() {
    let (worker, found) =
        (Start::Worker { server: server(), authority: None }, Start::Found { generation: Generation(1), token: "t".into() });
    let join = Start::Join { generation: Generation(1), initial_cluster: vec![] };
    for (k3s, how) in [
        (k3s("", false), &worker),
        (k3s("", false), &join),
        (k3s("", true), &found),
        (k3s("", true), &Start::Alone),
        (k3s("", true), &resume(false, None)),
    ] {
        assert!(matches!(k3s.configuration(how), Err(ServiceError::Unfit { .. })), "{how:?}");
    }
}

#[test]
fn what_was_written_is_read_back() {
    let k3s = k3s("", false);
    for (how, server, loopback_only) in [
        (resume(false, Some(server())), Some(server()), false),
        (resume(false, Some("2001:db8::4".parse().unwrap())), Some("2001:db8::4".parse().unwrap()), false),
        (resume(true, None), None, true),
        (Start::Alone, None, true),
        (resume(false, None), None, false),
    ] {
        assert_eq!(k3s.read(&k3s.configuration(&how).unwrap()), Configured { server, loopback_only }, "{how:?}");
    }
    assert_eq!(k3s.read("server: nonsense\nbind-address: 0.0.0.0\n"), Configured::default());
}

#[test]
fn another_server_is_named_and_the_rest_stays() {
    let dir = tempfile::tempdir().unwrap();
    let k3s = |worker| k3s(&format!("config_dir = {:?}\n", dir.path()), worker);
    let other = "10.0.0.9".parse().unwrap();
    assert_eq!(k3s(false).configured().unwrap(), Configured::default());
    for loopback_only in [true, false] {
        k3s(false).write(&resume(loopback_only, None)).unwrap();
        k3s(false).point_at(other).unwrap();
        assert_eq!(k3s(false).configured().unwrap(), Configured { server: Some(other), loopback_only });
    }
    k3s(true).point_at(server()).unwrap();
    assert_eq!(k3s(true).configured().unwrap().server, Some(server()));
}

#[test]
fn its_process_is_known_with_and_without_its_arguments() {
    let is = |k3s: &K3s, words: &[&str]| k3s.is_command_line(&words.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>());
    let (server, worker) = (k3s("", false), k3s("", true));
    assert!(is(&server, &["/usr/local/bin/k3s", "server", "--config", "/etc/rancher/k3s/config.yaml", ""]));
    assert!(is(&server, &["/usr/local/bin/k3s server", ""]) && is(&server, &["k3s", "server", ""]));
    assert!(is(&worker, &["/usr/local/bin/k3s agent", ""]));
    assert!(!is(&server, &["/usr/local/bin/k3s agent", ""]) && !is(&worker, &["/usr/local/bin/k3s server", ""]));
    assert!(!is(&server, &["/usr/local/bin/k3s", "server", "--config", "/other/config.yaml"]));
    assert!(!is(&server, &["/usr/bin/etcd", "server"]) && !is(&server, &["k3s"]) && !is(&server, &[]));
}

#[test]
fn a_stray_word_on_the_cluster_in_the_operators_files_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let k3s = k3s(&format!("config_dir = {:?}\n", dir.path()), false);
    k3s.check_others().unwrap();
    let own = k3s.configuration_file();
    fs::create_dir(own.parent().unwrap()).unwrap();
    fs::write(&own, k3s.configuration(&resume(false, Some(server()))).unwrap()).unwrap();
    fs::write(dir.path().join("config.yaml"), "write-kubeconfig-mode: \"0600\"\n# server: x\netcd-arg:\n  - server: y\n").unwrap();
    fs::write(own.with_file_name("notes.txt"), "server: x\n").unwrap();
    k3s.check_others().unwrap();
    for (name, text, key) in
        [("config.yaml.d/99-x.yaml", "server: https://x\n", "server"), ("config.yaml", "\"cluster-init\": true\n", "cluster-init")]
    {
        fs::write(dir.path().join(name), text).unwrap();
        let error = k3s.check_others().unwrap_err();
        assert!(matches!(&error, ServiceError::Conflict { key: found, path } if found == key && path.ends_with(name)), "{error}");
        fs::write(dir.path().join(name), "").unwrap();
    }
}

#[test]
fn a_stray_word_on_the_cluster_in_the_units_arguments_is_refused_by_name() {
    let refused = |line: &str| {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        k3s("", false).check_arguments("k3s.service", &arguments).err().map(|error| error.to_string())
    };
    for line in ["", "--write-kubeconfig-mode 0600 --disable=traefik", "--config /etc/rancher/k3s/config.yaml", "--etcd-arg server=x"] {
        assert_eq!(refused(line), None, "{line}");
    }
    for (line, key) in [
        ("--cluster-init", "--cluster-init"),
        ("--disable x --server=https://x:6443", "--server"),
        ("-s https://x:6443", "--server"),
        ("-t secret", "--token"),
        ("--config=/etc/other.yaml", "--config"),
        ("-c /etc/other.yaml", "--config"),
    ] {
        assert_eq!(refused(line).unwrap(), format!("k3s.service sets {key}, which quorate sets itself: remove it"), "{line}");
    }
}

#[test]
fn a_role_has_its_files() {
    let (server, worker) = (k3s("", false), k3s("", true));
    assert_eq!((server.unit(), worker.unit()), ("k3s.service", "k3s-agent.service"));
    assert_eq!(server.kubeconfig(), Path::new("/etc/rancher/k3s/k3s.yaml"));
    assert_eq!(worker.kubeconfig(), Path::new("/var/lib/rancher/k3s/agent/kubelet.kubeconfig"));
    assert_eq!(server.etcd_credentials().key, Path::new("/var/lib/rancher/k3s/server/tls/etcd/client.key"));
    assert!(server.data().beside.iter().all(|path| path.starts_with("/var/lib/rancher/k3s/server")));
}

#[test]
fn a_restore_is_a_founders_start_with_the_token_itself() {
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    fs::write(&token, "secret\n").unwrap();
    let node = k3s("", false).node;
    let server = K3s::new(Settings::parse(&format!("[kubernetes]\ntoken_file = {token:?}\n")).unwrap().kubernetes, node);
    let text = server.restore_configuration().unwrap();
    let membership = "cluster-init: true\nbind-address: \"127.0.0.1\"\n";
    assert!(text.contains(membership) && !text.contains("token-file") && text.ends_with("token: \"secret\"\n"), "{text}");
    let arguments = server.restore_arguments(Path::new("/var/lib/snapshot.db"));
    let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
    let config = ["server", "--config", "/etc/rancher/k3s/config.yaml"];
    let reset = ["--cluster-reset", "--cluster-reset-restore-path=/var/lib/snapshot.db", "--etcd-s3=false"];
    assert_eq!(words, [config, reset].concat());
}

#[test]
fn a_worker_names_the_authority_that_the_store_names() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    fs::write(&file, "secret\n").unwrap();
    let settings = format!("[kubernetes]\ntoken_file = {file:?}\ndata_dir = {:?}\n", dir.path());
    let worker = K3s::new(Settings::parse(&settings).unwrap().kubernetes, k3s("", true).node);
    let hash: AuthorityHash = "ab".repeat(32).parse().unwrap();
    let told = |authority| worker.configuration(&Start::Worker { server: server(), authority }).unwrap();
    let pinned = told(Some(hash));
    assert!(pinned.contains(&format!("token: \"K10{hash}::node:secret\"\n")) && !pinned.contains("token-file"), "{pinned}");
    assert!(told(None).contains("token-file:") && !told(None).contains("secret"));
    assert_eq!((worker.pinned(), worker.authority().unwrap()), (None, None));
    fs::write(&file, format!("K10{hash}::node:secret\n")).unwrap();
    assert_eq!(worker.pinned(), Some(hash));
    fs::create_dir(dir.path().join("server")).unwrap();
    fs::write(dir.path().join("server/token"), format!("K10{hash}::server:secret\n")).unwrap();
    assert_eq!(worker.authority().unwrap(), Some(hash), "as k3s writes it on its servers");
}
