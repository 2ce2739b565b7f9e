//! Tests of templates, including those in the package.

use std::net::IpAddr;

use quorate_core::role::Role;
use quorate_core::transport::Transport;

use super::*;
use crate::rendered::Peer;
use crate::telemetry::chain;

fn peer(n: u8, url: bool) -> Peer {
    let address = IpAddr::from([10, 0, 0, n]);
    Peer::new(format!("i-{n}").parse().unwrap(), address, url.then(|| format!("https://{address}:2379").parse().unwrap()))
}

fn context() -> Context {
    Context {
        cluster: "prod".into(),
        instance: "i-1".into(),
        role: "control-plane",
        generation: Some(2),
        servers: Some(vec![peer(1, false), peer(2, false)]),
        members: Some(vec![peer(1, true), peer(2, true)]),
        leader: Some(peer(2, true)),
    }
}

fn rendered(template: &str, context: &Context) -> Result<Rendering, RenderError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.html.j2");
    std::fs::write(&path, template).unwrap();
    render(&path, context)
}

fn text(template: &str) -> String {
    match rendered(template, &context()).unwrap() {
        Rendering::Text(text) => text,
        waits => panic!("{waits:?}"),
    }
}

fn refused(template: &str) -> String {
    chain(&rendered(template, &context()).unwrap_err())
}

#[test]
fn every_name_is_there_and_the_text_is_as_it_was_written() {
    let template = "{{ cluster }} {{ instance }} {{ role }} {{ generation }} <&> {{ leader.client_url }}\n\
                    {%- for server in servers %}\n{{ server.instance }}={{ server.address }}\n{%- endfor %}\n\
                    {{ members | map(attribute=\"client_url\") | join(\",\") }}\n";
    let expected =
        "prod i-1 control-plane 2 <&> https://10.0.0.2:2379\ni-1=10.0.0.1\ni-2=10.0.0.2\nhttps://10.0.0.1:2379,https://10.0.0.2:2379\n";
    assert_eq!(text(template), expected);
}

#[test]
fn an_address_of_version_6_is_in_brackets_where_a_url_needs_it() {
    let peer = Peer::new("i-6".into(), "fd00::6".parse().unwrap(), None);
    let text =
        rendered("{% for s in servers %}{{ s.address }} {{ s.host }}{% endfor %}", &Context { servers: Some(vec![peer]), ..context() });
    assert_eq!(text.unwrap(), Rendering::Text("fd00::6 [fd00::6]".to_owned()));
}

#[test]
fn the_examples_of_the_package_have_brackets_around_an_ipv6_address() {
    let address = "fd00::6".parse().unwrap();
    let peer = Peer::new("i-6".into(), address, Some(Role::ControlPlane.client_url(address, Transport::Tls)));
    let context = Context { servers: Some(vec![peer.clone()]), members: Some(vec![peer]), ..context() };
    for (template, line) in [
        (include_str!("../../../../../packaging/templates/haproxy.cfg.j2"), "\n    server i-6 [fd00::6]:6443 check\n"),
        (include_str!("../../../../../packaging/templates/etcd-servers.env.j2"), "\nETCD_SERVERS=https://[fd00::6]:2379\n"),
    ] {
        let Rendering::Text(text) = rendered(template, &context).unwrap() else { panic!("it waits") };
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn what_is_not_known_is_waited_for_by_those_alone_who_use_it() {
    let unknown = Context { servers: None, leader: None, ..context() };
    for (template, waits) in [
        ("{% for s in servers %}{{ s.address }}{% endfor %}", Some("servers")),
        ("{% if leader %}x{% endif %}", Some("leader")),
        ("{{ members | length }}{{ servers | length }}", Some("servers")),
        ("{{ members | length }}", None),
    ] {
        let rendering = rendered(template, &unknown).unwrap();
        assert_eq!(rendering, waits.map_or_else(|| Rendering::Text("2".to_owned()), Rendering::Waits), "{template}");
    }
}

#[test]
fn a_broken_template_is_told_with_its_line() {
    for (template, message) in [
        ("a\n{{ server }}", "undefined value"),
        ("a\n{{ leader.adress }}", "undefined value"),
        ("a\n{% for %}", "syntax error"),
        ("a\n{% include \"/etc/shadow\" %}", "syntax error"),
    ] {
        let told = refused(template);
        assert!(told.contains(message) && told.contains("x.html.j2:2)"), "{told}");
    }
}

#[test]
fn what_is_too_large_or_does_not_end_is_refused() {
    assert!(refused(&"x".repeat(64 * 1024 + 1)).contains("larger than 65536 bytes"));
    assert_eq!(text(&"x".repeat(64 * 1024)).len(), 64 * 1024);
    assert!(refused("{% for a in range(9999) %}{% for b in range(9999) %}{{ b }}{% endfor %}{% endfor %}").contains("fuel"));
    let long = "y".repeat(600);
    assert!(refused(&format!("{{% for a in range(2000) %}}{long}{{% endfor %}}")).contains("1200000 bytes"));
    assert!(chain(&render(Path::new("/nowhere/x.j2"), &context()).unwrap_err()).contains("/nowhere/x.j2"));
}

#[test]
fn the_examples_of_the_package_render() {
    let env = text(include_str!("../../../../../packaging/templates/etcd-servers.env.j2"));
    assert!(env.ends_with("\nETCD_SERVERS=https://10.0.0.1:2379,https://10.0.0.2:2379\n"), "{env}");
    let proxy = text(include_str!("../../../../../packaging/templates/haproxy.cfg.j2"));
    assert!(proxy.contains("\n    server i-1 10.0.0.1:6443 check\n    server i-2 10.0.0.2:6443 check\n"), "{proxy}");
    assert!(!proxy.contains("\n\n\n") && !proxy.contains('{'), "{proxy}");
}
