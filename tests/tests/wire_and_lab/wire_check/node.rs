//! The roles of Kubernetes: what is checked on a server and a worker of k3s, and what is not on a worker.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use quorate::check::{Report, Verdict};
use quorate_core::role::Role;
use quorate_lab::lab::binaries;
use quorate_lab::region::{ApplicationCheck, Call, GroupSpec, Tag, Transition};
use tempfile::TempDir;

use crate::fixtures::allowed;
use crate::wire_check::scene::{Scene, finding, hook, problems};

/// Servers, and workers beside them; the second group has the one instance that is asked as a peer.
fn groups(dir: &TempDir, role: Role) -> Vec<GroupSpec> {
    let group = |name: &str, role: Role, size| {
        let group = GroupSpec::new(name, size).tag("quorate:cluster", "prod").tag("quorate:role", role.as_str());
        let group =
            group.hook(hook("quorate-launch", Transition::Launching, 300)).hook(hook("quorate-terminate", Transition::Terminating, 300));
        match role {
            Role::Worker => group,
            _ => group.tag("quorate:store", &format!("file://{}", dir.path().join("store").display())),
        }
    };
    match role {
        Role::Worker => vec![group("workers", role, 2), group("servers", Role::ControlPlane, 1)],
        role => vec![group("servers", role, 2), group("workers", Role::Worker, 1)],
    }
}

fn settings(dir: &TempDir) -> String {
    let path = |name: &str| dir.path().join(name);
    format!(
        "[kubernetes]\nbinary = {:?}\nconfig_dir = {:?}\ndata_dir = {:?}\ntoken_file = {:?}\n",
        binaries::k3s().unwrap(),
        path("config"),
        path("k3s"),
        path("token")
    )
}

/// An instance that has all that its role needs.
async fn good(role: Role) -> Scene {
    with(role, |_| String::new()).await
}

/// The same with further settings of `[kubernetes]`, and further sections.
async fn with(role: Role, further: impl FnOnce(&TempDir) -> String) -> Scene {
    let scene = Scene::among(|dir| settings(dir) + &further(dir), |dir| groups(dir, role)).await;
    fs::create_dir(scene.dir.path().join("config")).unwrap();
    fs::write(scene.dir.path().join("config/config.yaml"), "write-kubeconfig-mode: \"0600\"\n").unwrap();
    write_token(&scene, "secret\n", 0o600);
    scene
}

fn token(scene: &Scene) -> PathBuf {
    scene.dir.path().join("token")
}

fn write_token(scene: &Scene, text: &str, mode: u32) {
    fs::write(token(scene), text).unwrap();
    fs::set_permissions(token(scene), fs::Permissions::from_mode(mode)).unwrap();
}

const ROLES: [Role; 2] = [Role::ControlPlane, Role::Worker];

fn names(report: &Report) -> Vec<&str> {
    report.findings.iter().map(|finding| finding.name.as_str()).collect()
}

#[tokio::test]
async fn where_all_is_well_nothing_is_a_problem_and_nothing_of_etcds_own_is_asked_for() {
    for role in ROLES {
        let scene = good(role).await;
        let before = scene.state();
        let report = scene.check().await;
        assert_eq!((problems(&report), report.passes(false)), (vec![], true), "{report}");
        assert_eq!(scene.state(), before);
        for name in ["role", "tag quorate:role", "k3s binary", "token", "k3s configuration", "configuration directory", "data directory"] {
            assert_eq!(finding(&report, name).verdict, Verdict::Ok, "{name} in\n{report}");
        }
        assert!(finding(&report, "k3s binary").found.contains("is k3s v1.33.5"), "{report}");
        for name in ["etcd binary", "etcd release", "etcd's flags", "etcd's unit", "restore tool"] {
            assert!(!names(&report).contains(&name), "{name} in\n{report}");
        }
        let mut left: Vec<_> = fs::read_dir(scene.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["config", "store", "token"], "the check made something");
    }
}

#[tokio::test]
async fn a_server_is_asked_for_its_ports_its_store_and_its_disk() {
    let report = good(Role::ControlPlane).await.check().await;
    for name in ["port 2378", "port 6443", "port 2379", "port 2380", "store", "tag propagation", "tag on this instance"] {
        assert_eq!(finding(&report, name).verdict, Verdict::Ok, "{name} in\n{report}");
    }
    for port in [2378, 6443, 2379, 2380] {
        assert_eq!(finding(&report, &format!("peers on port {port}")).verdict, Verdict::Ok, "{report}");
    }
    let release = finding(&report, "k3s release");
    assert!(release.verdict == Verdict::Warning && release.remedy.as_deref().unwrap().contains("1.33.8"), "{report}");
    assert!(names(&report).contains(&"disk space") && names(&report).contains(&"disk latency"), "{report}");
    assert_eq!(finding(&report, "permission autoscaling:SetInstanceHealth").verdict, Verdict::Ok, "{report}");
}

#[tokio::test]
async fn a_group_that_believes_its_load_balancer_is_warned_of() {
    let believes = |dir: &TempDir| {
        let mut groups = groups(dir, Role::ControlPlane);
        groups.iter_mut().for_each(|group| group.health_checks = "EC2,ELB".into());
        groups
    };
    let scene = Scene::among(settings, believes).await;
    let report = scene.check().await;
    let checks = finding(&report, "health checks of the group");
    assert!(checks.verdict == Verdict::Warning && checks.remedy.as_deref().unwrap().contains("/livez"), "{report}");
    let well = good(Role::ControlPlane).await.check().await;
    assert_eq!(finding(&well, "health checks of the group").verdict, Verdict::Ok, "{well}");
}

/// EC2's own probes, tied to instances by tag, replace them without any setting of the group's.
#[tokio::test]
async fn an_application_status_check_of_readiness_is_warned_of() {
    let check =
        |id, path, included, value: &str| ApplicationCheck { id, path, port: 2377, included, tag: Tag::new("quorate:cluster", value) };
    let scene = good(Role::ControlPlane).await;
    let judged = |report: &Report| finding(report, "application status checks").clone();
    let report = scene.check().await;
    assert_eq!(judged(&report).found, "none counts for this instance", "{report}");
    scene.lab.server.region().with(|region, _| {
        for check in [
            check("asc-live", "/livez", true, "prod"),
            check("asc-excluded", "/readyz", false, "prod"),
            check("asc-other", "/readyz", true, "stage"),
        ] {
            region.add_application_check(check);
        }
    });
    scene.lab.server.begin_with_an_empty_page();
    let report = scene.check().await;
    assert_eq!(judged(&report).verdict, Verdict::Ok, "{report}");
    scene.lab.server.region().with(|region, _| region.add_application_check(check("asc-leader", "/leader", true, "prod")));
    let report = scene.check().await;
    let found = judged(&report);
    assert!(found.verdict == Verdict::Warning && found.found.contains("/leader on port 2377 (asc-leader)"), "{report}");
    let denial = quorate_lab::region::ApiError::new("UnauthorizedOperation", "no identity-based policy allows the action");
    scene.lab.api_fault("DescribeApplicationStatus", quorate_lab::wire::Fault::Refuse(denial));
    let report = scene.check().await;
    assert!(judged(&report).verdict == Verdict::Skipped && judged(&report).found.contains("ec2:DescribeApplicationStatus"), "{report}");
    assert_eq!(problems(&report), Vec::<&str>::new(), "{report}");
}

#[tokio::test]
async fn capacity_that_its_owner_can_take_back_is_warned_of() {
    let scene = good(Role::ControlPlane).await;
    assert_eq!(finding(&scene.check().await, "capacity").verdict, Verdict::Ok);
    scene
        .lab
        .server
        .region()
        .with(|region, _| region.instance_mut(&scene.lab.me).unwrap().capacity = Some("interruptible-capacity-reservation"));
    let report = scene.check().await;
    assert_eq!(finding(&report, "capacity").verdict, Verdict::Warning, "{report}");
    let worker = good(Role::Worker).await;
    let report = worker.check().await;
    assert!(!names(&report).contains(&"capacity") && !names(&report).contains(&"application status checks"), "{report}");
}

/// What `packaging/aws/iam/worker.json` does not grant is not tried.
#[tokio::test]
async fn a_worker_is_not_asked_for_the_store_nor_for_what_it_may_not() {
    let scene = good(Role::Worker).await;
    let report = scene.check().await;
    let (of_worker, all) = (allowed("worker.json"), allowed("member.json"));
    let tried: Vec<_> = names(&report).into_iter().filter_map(|name| name.strip_prefix("permission ")).collect();
    // The one key of the store that a worker may read is not written yet, and so not asked for.
    let granted: Vec<_> = all.intersection(&of_worker).filter(|action| *action != "s3:GetObject").collect();
    assert!(tried.iter().all(|action| of_worker.iter().any(|of| of == action)), "{tried:?}, but granted is {of_worker:?}");
    assert!(granted.len() == 7 && granted.iter().all(|action| tried.contains(&action.as_str())), "{tried:?}, but granted is {of_worker:?}");
    assert_eq!(scene.lab.calls(Call::SetInstanceHealth), 0);
    for name in "store, tag quorate:store, tag propagation, tag on this instance, port 6443, port 2379, port 2380, k3s release, disk space"
        .split(", ")
    {
        assert!(!names(&report).contains(&name), "{name} in\n{report}");
    }
    for name in ["port 2378", "peers on port 2378", "peers on port 6443"] {
        assert_eq!(finding(&report, name).verdict, Verdict::Ok, "{name} in\n{report}");
    }
}

#[tokio::test]
async fn a_denied_worker_is_shown_its_own_policy() {
    let scene = good(Role::Worker).await;
    let denial = quorate_lab::region::ApiError::new("AccessDenied", "no identity-based policy allows the action");
    scene.lab.api_fault("CompleteLifecycleAction", quorate_lab::wire::Fault::Refuse(denial));
    let report = scene.check().await;
    assert_eq!(problems(&report), ["permission autoscaling:CompleteLifecycleAction"], "{report}");
    let remedy = finding(&report, "permission autoscaling:CompleteLifecycleAction").remedy.as_deref().unwrap();
    assert!(remedy.contains("worker.json") && remedy.contains("quorate:role = worker"), "{remedy}");
}

#[tokio::test]
async fn a_token_that_is_missing_empty_or_open_to_others_is_named() {
    for role in ROLES {
        let scene = good(role).await;
        for (text, mode, message) in [("secret\n", 0o644, "mode 0644"), ("secret\n", 0o640, "mode 0640"), ("\n", 0o600, "is empty")] {
            write_token(&scene, text, mode);
            let report = scene.check().await;
            assert_eq!(problems(&report), ["token"], "{report}");
            assert!(finding(&report, "token").found.contains(message), "{report}");
        }
        fs::remove_file(token(&scene)).unwrap();
        let report = scene.check().await;
        assert!(problems(&report) == ["token"] && finding(&report, "token").found.contains("is not there"), "{report}");
    }
}

#[tokio::test]
async fn a_configuration_that_decides_which_cluster_it_is_in_is_named_with_its_key() {
    for role in ROLES {
        let scene = good(role).await;
        let file = scene.dir.path().join("config/config.yaml");
        fs::write(&file, "server: https://10.0.0.9:6443\n").unwrap();
        let report = scene.check().await;
        assert_eq!(problems(&report), ["k3s configuration"], "{report}");
        assert_eq!(finding(&report, "k3s configuration").found, format!("{} sets server", file.display()));
    }
}

#[tokio::test]
async fn a_binary_that_is_missing_or_says_nothing_is_named() {
    for role in ROLES {
        let mut scene = good(role).await;
        let binary = scene.dir.path().join("k3s-binary");
        scene.settings.kubernetes.binary = binary.clone();
        let report = scene.check().await;
        assert!(problems(&report) == ["k3s binary"] && finding(&report, "k3s binary").found.contains("is not there"), "{report}");
        scene.settings.kubernetes.binary = "/bin/true".into();
        let report = scene.check().await;
        assert!(problems(&report) == ["k3s binary"] && finding(&report, "k3s binary").found.contains("does not say"), "{report}");
    }
}

#[tokio::test]
async fn a_port_of_the_api_that_somebody_else_has_is_a_servers_trouble_and_no_workers() {
    for (role, expected) in [(Role::ControlPlane, vec!["port 6443"]), (Role::Worker, vec![])] {
        let scene = good(role).await;
        let _listener = tokio::net::TcpListener::bind((scene.subnet.instances().first, 6443)).await.unwrap();
        assert_eq!(problems(&scene.check().await), expected);
    }
}

#[tokio::test]
async fn a_rendered_file_and_the_alias_are_looked_at() {
    let further = |dir: &TempDir| {
        let path = |name: &str| dir.path().join(name);
        format!(
            "alias = \"api.internal\"\nhosts_file = {:?}\n[[render]]\ntemplate = {:?}\npath = {:?}\n",
            path("hosts"),
            path("servers.j2"),
            path("servers")
        )
    };
    let scene = with(Role::Worker, further).await;
    let rendered = format!("rendered {}", scene.dir.path().join("servers").display());
    let report = scene.check().await;
    assert_eq!(problems(&report), [rendered.as_str()], "{report}");
    assert_eq!(finding(&report, "alias").verdict, Verdict::Ok, "{report}");
    fs::write(scene.dir.path().join("servers.j2"), "{{ servers | length }}\n").unwrap();
    fs::write(scene.dir.path().join("hosts"), "10.0.0.9 api.internal\n").unwrap();
    let report = scene.check().await;
    assert_eq!((problems(&report), finding(&report, "alias").verdict), (vec![], Verdict::Warning), "{report}");
    assert!(!scene.dir.path().join("servers").exists());
}

#[tokio::test]
async fn a_role_that_nobody_tells_is_not_guessed() {
    let scene = good(Role::ControlPlane).await;
    let report = scene.check_without_imds().await;
    assert_eq!(problems(&report), ["instance metadata"], "{report}");
    for name in ["role", "program"] {
        assert_eq!(finding(&report, name).verdict, Verdict::Skipped, "{name} in\n{report}");
    }
    let scene = with(Role::Worker, |_| "[cluster]\nrole = \"worker\"\n".to_owned()).await;
    let report = scene.check_without_imds().await;
    assert_eq!(finding(&report, "token").verdict, Verdict::Ok, "the configuration has it\n{report}");
}
