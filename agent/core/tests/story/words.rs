//! Reading a line of a story.

use std::net::IpAddr;
use std::time::Duration;

use quorate_core::authority::AuthorityHash;
use quorate_core::ids::{EtcdClusterId, Generation, InstanceId, MemberId};
use quorate_core::observation::{Member, PeerUrl};
use quorate_core::role::Role;
use quorate_core::transport::Transport;

/// The authority whose hash repeats this hexadecimal digit.
pub(crate) fn authority(digit: &str) -> AuthorityHash {
    digit.repeat(64).parse().unwrap()
}

/// One line, word by word.
#[derive(Clone, Debug)]
pub(crate) struct Words<'a> {
    line: &'a str,
    place: &'a str,
}

impl<'a> Words<'a> {
    pub(crate) fn new(line: &'a str, place: &'a str) -> Self {
        Self { line: line.trim(), place }
    }

    pub(crate) fn first(&self) -> &'a str {
        self.line.split_whitespace().next().unwrap_or("")
    }

    /// The rest of the line after the first word.
    pub(crate) fn rest(&self) -> &'a str {
        self.line.split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim())
    }

    pub(crate) fn all(&self) -> Vec<&'a str> {
        self.rest().split_whitespace().collect()
    }

    /// The word at `index` after the first.
    pub(crate) fn nth(&self, index: usize) -> &'a str {
        self.rest().split_whitespace().nth(index).unwrap_or_else(|| self.fail("a word is missing"))
    }

    /// The word after `key`, if the line has it.
    pub(crate) fn after(&self, key: &str) -> Option<&'a str> {
        let words = self.all();
        let at = words.iter().position(|w| *w == key)?;
        Some(words.get(at + 1).copied().unwrap_or_else(|| self.fail("a word is missing at the end")))
    }

    pub(crate) fn has(&self, word: &str) -> bool {
        self.all().contains(&word)
    }

    /// Comma-separated items.
    pub(crate) fn items(text: &'a str) -> impl Iterator<Item = &'a str> {
        text.split(',').map(str::trim).filter(|item| !item.is_empty())
    }

    pub(crate) fn number(&self, word: &str) -> u64 {
        word.parse().unwrap_or_else(|_| self.fail("a number is expected"))
    }

    pub(crate) fn duration(&self, word: &str) -> Duration {
        let word = word.trim_start_matches('+');
        let (number, unit) = word.split_at(word.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(word.len()));
        let number = self.number(number);
        match unit {
            "ms" => Duration::from_millis(number),
            "s" | "" => Duration::from_secs(number),
            "min" => Duration::from_secs(number * 60),
            "h" => Duration::from_secs(number * 3600),
            _ => self.fail("a time is expected, such as 10s, 5min or 1h"),
        }
    }

    fn hex(&self, word: &str) -> u64 {
        u64::from_str_radix(word, 16).unwrap_or_else(|_| self.fail("a hexadecimal id is expected"))
    }

    pub(crate) fn member_id(&self, word: &str) -> MemberId {
        MemberId(self.hex(word))
    }

    pub(crate) fn cluster_id(&self, word: &str) -> EtcdClusterId {
        EtcdClusterId(self.hex(word))
    }

    pub(crate) fn generation(&self) -> Option<Generation> {
        self.after("generation").map(|word| Generation(self.number(word)))
    }

    /// `i-a:a1`, `i-d:d4 learner`, `stranger:f6`, or `unnamed:d4@i-d learner` for one that never started.
    pub(crate) fn member(&self, item: &str, role: Role) -> Member {
        let transport = if item.ends_with(" tls") { Transport::Tls } else { Transport::Plain };
        let item = item.trim_end_matches(" tls");
        let learner = item.ends_with(" learner");
        if let Some(id) = item.trim_end_matches(" learner").strip_prefix("stranger:") {
            return Member::stranger(self.member_id(id), learner, "db's http://db.example:2380;$HOME");
        }
        let (name, rest) = item.trim_end_matches(" learner").split_once(':').unwrap_or_else(|| self.fail("INSTANCE:MEMBER is expected"));
        let (id, at) = rest.split_once('@').unwrap_or((rest, name));
        let address = address_of(&named(at));
        let has_name = name != "unnamed";
        Member {
            id: self.member_id(id.trim()),
            name: has_name.then(|| named(name)),
            peer_url: PeerUrl::At(role.peer_url(address, transport)),
            client_url: has_name.then(|| role.client_url(address, transport)),
            learner,
        }
    }

    pub(crate) fn fail(&self, why: &str) -> ! {
        panic!("{}: {why}: {}", self.place, self.line)
    }
}

/// In stories i-a is at 10.0.0.1, i-b at 10.0.0.2 and so on.
pub(crate) fn address_of(instance: &InstanceId) -> IpAddr {
    IpAddr::from([10, 0, 0, letter(instance)])
}

/// 1 for i-a, 2 for i-b and so on.
pub(crate) fn letter(instance: &InstanceId) -> u8 {
    let last = instance.as_str().bytes().last().unwrap_or(b'a');
    last.saturating_sub(b'a') + 1
}

/// A name as it is written in a story.
pub(crate) fn named<T: std::str::FromStr<Err = quorate_core::ids::BadName>>(text: &str) -> T {
    text.parse().unwrap()
}
