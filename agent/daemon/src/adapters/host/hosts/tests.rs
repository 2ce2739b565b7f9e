//! The line, the wish and the file.

use std::fs;

use proptest::prelude::*;

use super::*;

fn name(text: &str) -> HostName {
    HostName::parse(text).unwrap()
}

fn edited(hosts: &str, address: &str) -> String {
    String::from_utf8(with_alias(hosts.as_bytes(), &name("api.prod"), address.parse().unwrap()).unwrap()).unwrap()
}

#[test]
fn the_line_is_replaced_where_it_is_and_a_second_one_goes() {
    let before = "127.0.0.1 localhost\n10.0.0.1 api.prod # quorate\n# a word\n10.0.0.9\told.name\t# quorate \r\n::1 ip6-localhost\n";
    assert_eq!(edited(before, "10.0.0.2"), "127.0.0.1 localhost\n10.0.0.2 api.prod # quorate\n# a word\n::1 ip6-localhost\n");
}

#[test]
fn it_comes_last_where_there_was_none() {
    for (before, after) in [
        ("", "fd00::5 api.prod # quorate\n"),
        ("127.0.0.1 localhost", "127.0.0.1 localhost\nfd00::5 api.prod # quorate\n"),
        ("127.0.0.1 localhost\r\n", "127.0.0.1 localhost\r\nfd00::5 api.prod # quorate\n"),
    ] {
        assert_eq!(edited(before, "fd00::5"), after, "{before:?}");
    }
}

#[test]
fn only_our_mark_makes_a_line_ours() {
    for foreign in
        ["# quorate\n", "10.0.0.1 api.prod # managed by quorate\n", "10.0.0.1 api.prod # quorates\n", "10.0.0.1 a # b # quorate\n"]
    {
        assert_eq!(edited(foreign, "10.0.0.2"), format!("{foreign}10.0.0.2 api.prod # quorate\n"));
    }
}

#[test]
fn somebody_elses_line_for_the_alias_is_told_and_ours_is_read_back() {
    let hosts = b"127.0.0.1 localhost\n10.0.0.7 x API.prod y\n# 10.0.0.8 api.prod\n10.0.0.1 api.prod # quorate\napi.prod\n";
    assert_eq!(foreign(hosts, &name("api.prod")), [2]);
    assert_eq!(address_of(hosts, &name("api.prod")), Some("10.0.0.1".parse().unwrap()));
    assert_eq!(address_of(hosts, &name("other.name")), None);
}

#[test]
fn names_and_addresses_that_are_none_are_refused() {
    let long = format!("{}.x", "a".repeat(64));
    for bad in
        ["", "a b", "a\n1.2.3.4 evil", "-a", "a-", "a..b", ".a", "a.", "10.0.0.1", "a_b", "a#b", "localhost", "x.LocalHost", "ä", &long]
    {
        assert!(HostName::parse(bad).is_err(), "{bad:?}");
    }
    let longest = [61, 63, 63, 63].map(|n| "a".repeat(n)).join(".");
    assert_eq!(longest.len(), 253);
    assert!(HostName::parse(&longest).is_ok() && HostName::parse(&format!("a{longest}")).is_err());
    for bad in ["", "10.0.0.1", "10.0.0.1  api", "10.0.0.1 api\n\n", "0.0.0.0 api", "ff02::1 api", "10.0.0.1/24 api", "10.0.0.1 a\nb"] {
        assert!(Wish::parse(bad).is_err(), "{bad:?}");
    }
    assert!(Wish::parse(&format!("10.0.0.1 {}", "a".repeat(700))).unwrap_err().to_string().contains("longer"));
}

#[test]
fn a_wish_is_read_as_it_was_written_and_applied_once() {
    let dir = tempfile::tempdir().unwrap();
    let (path, hosts) = (Wish::path(dir.path()), dir.path().join("hosts"));
    let wish = Wish { address: "fd00::5".parse().unwrap(), alias: name("api.prod") };
    wish.write(&path).unwrap();
    assert_eq!(Wish::read(&path).unwrap(), wish);
    fs::write(&hosts, "10.0.0.3 api.prod\n").unwrap();
    assert_eq!(apply(&hosts, &wish).unwrap(), Applied { changed: true, foreign: vec![1] });
    assert_eq!(fs::read_to_string(&hosts).unwrap(), "10.0.0.3 api.prod\nfd00::5 api.prod # quorate\n");
    let inode = |path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
    let before = inode(&hosts);
    assert_eq!(apply(&hosts, &wish).unwrap(), Applied { changed: false, foreign: vec![1] });
    assert_eq!(inode(&hosts), before, "a correct file is left alone");
}

#[test]
fn a_machine_without_a_hosts_file_gets_one_that_all_may_read() {
    let dir = tempfile::tempdir().unwrap();
    let hosts = dir.path().join("hosts");
    let wish = Wish { address: "10.0.0.1".parse().unwrap(), alias: name("api.prod") };
    assert_eq!(apply(&hosts, &wish).unwrap(), Applied { changed: true, foreign: vec![] });
    assert_eq!(fs::read_to_string(&hosts).unwrap(), "10.0.0.1 api.prod # quorate\n");
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&fs::metadata(&hosts).unwrap()) & 0o777, 0o644);
}

#[test]
fn a_huge_file_is_refused_and_a_large_one_is_edited() {
    let alias = name("api.prod");
    let address = "10.0.0.1".parse().unwrap();
    let line = b"10.0.0.1 some-host-name-or-other\n";
    let huge = line.repeat(LARGEST / line.len() + 1);
    assert!(matches!(with_alias(&huge, &alias, address), Err(HostsError::TooLarge { .. })));
    let large = line.repeat(LARGEST / line.len());
    assert_eq!(with_alias(&large, &alias, address).unwrap().len(), large.len() + "10.0.0.1 api.prod # quorate\n".len());
}

/// Lines of all kinds, including ours, and arbitrary bytes.
fn line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[0-9.]{0,12} [a-z.]{0,9}( #[a-z ]{0,9})?".prop_map(String::into_bytes),
        "[0-9a-f:]{3,9} api\\.prod # quorate".prop_map(String::into_bytes),
        Just(b"# quorate".to_vec()),
        prop::collection::vec(any::<u8>().prop_filter("one line", |byte| *byte != b'\n'), 0..20),
    ]
}

fn file() -> impl Strategy<Value = Vec<u8>> {
    let ends = prop_oneof![Just("\n"), Just("\r\n")];
    (prop::collection::vec((line(), ends), 0..8), any::<bool>()).prop_map(|(lines, ended)| {
        let mut text: Vec<u8> = lines.into_iter().flat_map(|(line, end)| [line, end.as_bytes().to_vec()].concat()).collect();
        if !ended {
            text.pop();
        }
        text
    })
}

/// All lines that are not ours, with the line end that the last one may have been given.
fn others(hosts: &[u8]) -> Vec<u8> {
    let mut others: Vec<u8> = hosts.split_inclusive(|byte| *byte == b'\n').filter(|line| !is_ours(line)).flatten().copied().collect();
    if others.last().is_some_and(|last| *last != b'\n') {
        others.push(b'\n');
    }
    others
}

proptest! {
    #[test]
    fn whatever_is_there_one_line_is_ours_and_the_others_stay(hosts in file(), address in any::<IpAddr>(), second in any::<IpAddr>()) {
        let alias = name("api.prod");
        let once = with_alias(&hosts, &alias, address).unwrap();
        prop_assert_eq!(others(&once), others(&hosts));
        prop_assert_eq!(once.split(|byte| *byte == b'\n').filter(|line| is_ours(line)).count(), 1);
        prop_assert_eq!(address_of(&once, &alias), Some(address));
        prop_assert_eq!(&with_alias(&once, &alias, address).unwrap(), &once);
        let moved = with_alias(&once, &alias, second).unwrap();
        prop_assert_eq!(moved, with_alias(&hosts, &alias, second).unwrap());
    }
}
