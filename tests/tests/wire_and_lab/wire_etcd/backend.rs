//! etcd's backend file, as a snapshot and as etcd's own tool restores it: what the reader says, against what etcd says and was given.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use etcd_client::{Client, CompactionOptions, Txn, TxnOp, TxnOpResponse};
use quorate::adapters::etcd::{Ranges, Summary, compaction, current_revision, latest_revision, summary, summary_after};
use quorate::adapters::service_manager::ServiceManager;
use sha2::{Digest as _, Sha256};

use crate::wire_etcd::node::{Node, etcd_binary};

/// Xorshift, so a failure repeats.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % limit
    }

    /// Mostly small, as Kubernetes' are, and some that take up to 26 pages.
    fn value(&mut self) -> Vec<u8> {
        let limit = [64, 64, 64, 64, 64, 64, 64, 64, 512, 4096][self.below(10)];
        let length = if self.below(200) == 0 { self.below(100 * 1024) } else { self.below(limit) };
        (0..length).map(|_| self.below(256).to_le_bytes()[0]).collect()
    }
}

/// A message of protobuf: numbers that are 0 and bytes that are empty are left out.
fn message(fields: &[(u8, Field<'_>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, field) in fields {
        match field {
            Field::Bytes([]) | Field::Number(0) => {}
            Field::Bytes(bytes) => out.extend([vec![number << 3 | 2], varint(bytes.len() as u64), bytes.to_vec()].concat()),
            Field::Number(value) => out.extend([vec![number << 3], varint(*value)].concat()),
        }
    }
    out
}

enum Field<'a> {
    Bytes(&'a [u8]),
    Number(u64),
}

fn varint(value: u64) -> Vec<u8> {
    let bytes = (0..10).map(|n| (value >> (7 * n)) as u8 & 0x7f).collect::<Vec<u8>>();
    let last = bytes.iter().rposition(|byte| *byte != 0).unwrap_or_default();
    bytes[..=last].iter().enumerate().map(|(n, byte)| if n < last { byte | 0x80 } else { *byte }).collect()
}

/// What the bucket `key` must hold, derived from the requests and from nothing that etcd wrote.
#[derive(Default)]
struct Expected {
    revision: u64,
    keys: u64,
    digest: Sha256,
}

impl Expected {
    fn entry(&mut self, (main, sub): (u64, usize), mark: &[u8], value: &[u8]) {
        let key = [&main.to_be_bytes()[..], b"_", &(sub as u64).to_be_bytes(), mark].concat();
        for part in [&key[..], value] {
            self.digest.update((part.len() as u64).to_be_bytes());
            self.digest.update(part);
        }
        (self.revision, self.keys) = (main, self.keys + 1);
    }

    /// The first put of a key: an `mvccpb.KeyValue` of key, creation, modification, version and value.
    fn put(&mut self, at: (u64, usize), key: &[u8], value: &[u8]) {
        let (main, one) = (Field::Number(at.0), Field::Number(1));
        self.entry(at, b"", &message(&[(1, Field::Bytes(key)), (2, Field::Number(at.0)), (3, main), (4, one), (5, Field::Bytes(value))]));
    }

    fn deletion(&mut self, at: (u64, usize), key: &[u8]) {
        self.entry(at, b"t", &message(&[(1, Field::Bytes(key))]));
    }

    fn summary(&self) -> Summary {
        Summary { revision: self.revision, keys: self.keys, digest: self.digest.clone().finalize().into() }
    }
}

fn name(number: usize) -> Vec<u8> {
    format!("/registry/things/{number:06}").into_bytes()
}

/// Puts these keys, a hundred in each transaction.
async fn fill(client: &mut Client, numbers: std::ops::Range<usize>, random: &mut Random, expected: &mut Expected) {
    for batch in numbers.collect::<Vec<_>>().chunks(100) {
        let pairs: Vec<(Vec<u8>, Vec<u8>)> = batch.iter().map(|number| (name(*number), random.value())).collect();
        let puts = pairs.iter().map(|(key, value)| TxnOp::put(key.clone(), value.clone(), None)).collect::<Vec<_>>();
        let done = client.txn(Txn::new().and_then(puts)).await.unwrap();
        let revision = u64::try_from(done.header().unwrap().revision()).unwrap();
        for (sub, (key, value)) in pairs.iter().enumerate() {
            expected.put((revision, sub), key, value);
        }
    }
}

/// Deletes every third of these keys, fifty in each transaction.
async fn thin(client: &mut Client, numbers: std::ops::Range<usize>, expected: &mut Expected) {
    for batch in numbers.step_by(3).collect::<Vec<_>>().chunks(50) {
        let deletions = batch.iter().map(|number| TxnOp::delete(name(*number), None)).collect::<Vec<_>>();
        let done = client.txn(Txn::new().and_then(deletions)).await.unwrap();
        assert!(done.op_responses().iter().all(|response| matches!(response, TxnOpResponse::Delete(d) if d.deleted() == 1)));
        let revision = u64::try_from(done.header().unwrap().revision()).unwrap();
        batch.iter().enumerate().for_each(|(sub, number)| expected.deletion((revision, sub), &name(*number)));
    }
}

/// One of etcd's tools, which lie beside it: from 3.6 on `etcdctl` has neither `status` nor `restore`.
fn tool(etcd: &Path, words: &[&str], paths: &[&Path]) -> Vec<u8> {
    let online = words.contains(&"save");
    let names: &[&str] = if online { &["etcdctl"] } else { &["etcdutl", "etcdctl"] };
    let path = names.iter().map(|name| etcd.with_file_name(name)).find(|path| path.is_file()).unwrap();
    let output = Command::new(path).env("ETCDCTL_API", "3").args(words).args(paths).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A snapshot of a node, and what etcd's tool restores of it.
struct Saved {
    snapshot: PathBuf,
    restored: PathBuf,
}

fn save(etcd: &Path, node: &Node, dir: &Path, stage: &str) -> PathBuf {
    let snapshot = dir.join(format!("{stage}.snapshot"));
    tool(etcd, &["--endpoints", &node.url(), "snapshot", "save"], &[&snapshot]);
    snapshot
}

fn restore(etcd: &Path, snapshot: PathBuf) -> Saved {
    let data = snapshot.with_extension("restored");
    tool(etcd, &["snapshot", "restore", "--data-dir"], &[&data, &snapshot]);
    Saved { snapshot, restored: data.join("member/snap/db") }
}

/// A file that is read in ranges, like an object in a store.
struct Counted {
    file: File,
    reads: Vec<u64>,
}

impl Ranges for Counted {
    async fn read(&mut self, offset: u64, len: u64) -> io::Result<Bytes> {
        self.reads.push(len);
        let mut bytes = vec![0; usize::try_from(len).unwrap()];
        let read = self.file.read_at(&mut bytes, offset)?;
        bytes.truncate(read);
        Ok(bytes.into())
    }
}

/// The last key's revision and etcd's own, and that neither took more than a few small reads.
async fn revisions(path: &Path) -> (u64, u64) {
    let mut source = Counted { file: File::open(path).unwrap(), reads: Vec::new() };
    let latest = latest_revision(&mut source).await.unwrap();
    assert!(source.reads.len() <= 7 && source.reads.iter().sum::<u64>() <= 100_000, "{:?}", source.reads);
    let current = current_revision(&mut source).await.unwrap();
    (latest, current)
}

/// Compares everything that is known of one stage.
async fn agrees(etcd: &Path, node: &Node, client: &mut Client, dir: &Path, stage: &str) -> Summary {
    let saved = restore(etcd, save(etcd, node, dir, stage));
    let found = summary(&saved.snapshot).unwrap();
    assert_eq!(summary(&saved.restored).unwrap(), found, "{stage}: restored");

    let stood = u64::try_from(client.get("nothing", None).await.unwrap().header().unwrap().revision()).unwrap();
    for path in [&saved.snapshot, &saved.restored] {
        assert_eq!(revisions(path).await, (found.revision, stood), "{stage}: {}", path.display());
        assert!(!compaction(path).unwrap().is_unfinished(), "{stage}");
    }
    let status: serde_json::Value = serde_json::from_slice(&tool(etcd, &["snapshot", "status", "-w", "json"], &[&saved.snapshot])).unwrap();
    assert_eq!(status["revision"].as_u64(), Some(found.revision), "{stage}: {status}");
    found
}

#[tokio::test]
async fn a_snapshot_and_what_is_restored_of_it_are_summarised_alike() {
    let Some(etcd) = etcd_binary("a_snapshot_and_what_is_restored_of_it_are_summarised_alike") else { return };
    let (node, dir, mut random) = (Node::new(&etcd, 50, 1, &[]), tempfile::tempdir().unwrap(), Random(0x2545_f491_4f6c_dd1d));
    node.found_and_open().await;
    let (mut client, mut expected) = (Client::connect([node.url()], None).await.unwrap(), Expected::default());
    assert_eq!(agrees(&etcd, &node, &mut client, dir.path(), "empty").await, expected.summary());

    // Few enough to lie within the root page.
    let mut small = Random(1);
    fill(&mut client, 0..3, &mut small, &mut expected).await;
    assert_eq!(agrees(&etcd, &node, &mut client, dir.path(), "few").await, expected.summary());

    fill(&mut client, 3..12_000, &mut random, &mut expected).await;
    let filled = agrees(&etcd, &node, &mut client, dir.path(), "filled").await;
    assert_eq!(filled, expected.summary());
    assert!(filled.keys == 12_000, "{filled:?}");

    thin(&mut client, 0..12_000, &mut expected).await;
    let thinned = agrees(&etcd, &node, &mut client, dir.path(), "thinned").await;
    assert_eq!(thinned, expected.summary());

    let half = i64::try_from(thinned.revision - 20).unwrap();
    client.compact(half, Some(CompactionOptions::new().with_physical())).await.unwrap();
    let compacted = agrees(&etcd, &node, &mut client, dir.path(), "compacted").await;
    assert!(compacted.revision == thinned.revision && compacted.keys < thinned.keys, "{compacted:?}");
    client.defragment().await.unwrap();
    assert_eq!(agrees(&etcd, &node, &mut client, dir.path(), "defragmented").await, compacted);

    node.exec.stop(Duration::from_secs(10)).await.unwrap();
    assert_eq!(summary(&node.data.path().join("member/snap/db")).unwrap(), compacted);
}

/// From 3.4.34 and 3.5.16 on a compaction keeps the deletion at exactly the revision it compacts to, so no watcher misses it
/// (etcd-io/etcd#18475); the compaction of the revision after it takes that away too. Older ones take it away at once. `etcdctl snapshot status`
/// says the same of each.
#[tokio::test]
async fn a_deletion_that_is_compacted_away_lowers_the_last_key_and_not_the_revision() {
    let Some(etcd) = etcd_binary("a_deletion_that_is_compacted_away_lowers_the_last_key_and_not_the_revision") else { return };
    let keeps = keeps_the_last_deletion(&etcd);
    let (node, dir) = (Node::new(&etcd, 51, 1, &[]), tempfile::tempdir().unwrap());
    node.found_and_open().await;
    let mut client = Client::connect([node.url()], None).await.unwrap();
    client.put("k", "v", None).await.unwrap();
    let last = client.delete("k", None).await.unwrap().header().unwrap().revision();
    client.compact(last, Some(CompactionOptions::new().with_physical())).await.unwrap();
    let found = agrees(&etcd, &node, &mut client, dir.path(), "gone").await;
    assert_eq!((found.revision, found.keys, last), if keeps { (3, 1, 3) } else { (0, 0, 3) });
}

fn keeps_the_last_deletion(etcd: &Path) -> bool {
    let output = Command::new(etcd).arg("--version").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let version = text.lines().find_map(|line| line.strip_prefix("etcd Version: ")).unwrap();
    let numbers: Vec<u32> = version.split(['.', '-', '+']).take(3).map(|number| number.parse().unwrap()).collect();
    match numbers[..] {
        [3, 4, patch] => patch >= 34,
        [3, 5, patch] => patch >= 16,
        _ => true,
    }
}

#[tokio::test]
async fn a_compaction_that_the_restore_goes_on_with_is_told() {
    let Some(etcd) = etcd_binary("a_compaction_that_the_restore_goes_on_with_is_told") else { return };
    let (node, dir) = (Node::new(&etcd, 52, 1, &[]), tempfile::tempdir().unwrap());
    node.found_and_open().await;
    let mut client = Client::connect([node.url()], None).await.unwrap();
    fill(&mut client, 0..12_000, &mut Random(2), &mut Expected::default()).await;
    // etcd compacts a thousand entries at a time and rests 10 ms after each, so a snapshot a moment later catches it at work.
    let mut caught = None;
    for attempt in 0..5 {
        client.put("again", "old", None).await.unwrap();
        let upto = client.put("again", "new", None).await.unwrap().header().unwrap().revision();
        client.put("later", "kept", None).await.unwrap();
        client.compact(upto, None).await.unwrap();
        let snapshot = save(&etcd, &node, dir.path(), &format!("compacting-{attempt}"));
        if compaction(&snapshot).unwrap().is_unfinished() {
            caught = Some((restore(&etcd, snapshot), u64::try_from(upto).unwrap()));
            break;
        }
    }
    let (saved, upto) = caught.expect("no snapshot caught a compaction at work");
    assert_eq!(compaction(&saved.snapshot).unwrap().scheduled, upto);
    let (before, after) = (summary(&saved.snapshot).unwrap(), summary(&saved.restored).unwrap());
    // Up to 3.4 the restore finishes it; later ones leave it to the server.
    let went_on = !compaction(&saved.restored).unwrap().is_unfinished();
    assert_eq!(after.keys < before.keys, went_on, "{before:?} {after:?}");
    assert_eq!(after == before, !went_on);
    let later = summary_after(&saved.snapshot, upto).unwrap();
    assert_eq!((later.keys, later.revision), (1, upto + 1));
    assert_eq!(summary_after(&saved.restored, upto).unwrap(), later);
}

/// Every damage ends in an error or in a summary, and every truncation in an error.
#[tokio::test]
async fn a_damaged_snapshot_is_refused_or_read_and_never_a_panic() {
    let Some(etcd) = etcd_binary("a_damaged_snapshot_is_refused_or_read_and_never_a_panic") else { return };
    let (node, dir, mut random) = (Node::new(&etcd, 53, 1, &[]), tempfile::tempdir().unwrap(), Random(0x9e37_79b9_7f4a_7c15));
    node.found_and_open().await;
    let mut client = Client::connect([node.url()], None).await.unwrap();
    fill(&mut client, 0..400, &mut Random(3), &mut Expected::default()).await;
    let snapshot = save(&etcd, &node, dir.path(), "whole");
    let (whole, right) = (std::fs::read(&snapshot).unwrap(), summary(&snapshot).unwrap());
    let (mut refused, mut told, mut same) = (0, 0, 0);
    for round in 0..2_000 {
        let mut bytes = whole.clone();
        let cut = round % 4 == 0;
        if cut {
            bytes.truncate(random.below(whole.len() - 32));
        } else {
            for _ in 0..=random.below(3) {
                // A damaged header or table of a page misleads most.
                let at = random.below(whole.len() / 4096) * 4096 + random.below(if round % 4 == 1 { 4096 } else { 80 });
                bytes[at] ^= 1 << random.below(8);
            }
        }
        std::fs::write(dir.path().join("damaged"), &bytes).unwrap();
        match summary(&dir.path().join("damaged")) {
            Err(_) => refused += 1,
            Ok(found) => {
                assert!(!cut, "{} of {} bytes", bytes.len(), whole.len());
                if found == right { same += 1 } else { told += 1 }
            }
        }
    }
    assert!(refused > 500 && told > 10 && same > 10, "{refused} refused, {told} told by the digest, {same} the same");
}
