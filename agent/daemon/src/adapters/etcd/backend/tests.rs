//! Tests of refusals, with hand-made databases. Real ones are in `tests/tests/wire_and_lab/wire_etcd/backend.rs`.

mod build;

use std::io;

use bytes::Bytes;
use futures::FutureExt as _;
use sha2::{Digest as _, Sha256};

use super::*;
use build::{Built, PAGE, inline, key, small, tree};

/// A file in memory, and what was read of it.
struct Memory<'a> {
    file: &'a [u8],
    reads: Vec<(u64, u64)>,
}

impl Ranges for Memory<'_> {
    async fn read(&mut self, offset: u64, len: u64) -> io::Result<Bytes> {
        self.reads.push((offset, len));
        assert!(len > 0 && len <= 1 << 20, "{len} bytes at once");
        let size = self.file.len() as u64;
        let range = offset.min(size) as usize..offset.saturating_add(len).min(size) as usize;
        Ok(Bytes::copy_from_slice(&self.file[range]))
    }
}

fn read(file: &[u8]) -> Memory<'_> {
    Memory { file, reads: Vec::new() }
}

fn summary_of(file: &[u8]) -> Result<Summary, BackendError> {
    at_once(summarised(&mut read(file), file.len() as u64, 0))
}

fn latest_of(file: &[u8]) -> Result<u64, BackendError> {
    at_once(latest_revision(&mut read(file)))
}

fn current_of(file: &[u8]) -> Result<u64, BackendError> {
    at_once(current_revision(&mut read(file)))
}

fn digest(entries: &[(Vec<u8>, Vec<u8>)]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in entries.iter().flat_map(|(key, value)| [key, value]) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[test]
fn a_tree_is_read_whole_and_its_last_key_in_few_reads() {
    let (built, entries) = tree();
    let file = built.bytes();
    let expected = Summary { revision: 9, keys: entries.len() as u64, digest: digest(&entries) };
    assert_eq!(summary_of(&file).unwrap(), expected);
    assert_eq!(current_of(&file).unwrap(), 9);
    let mut source = read(&file);
    assert_eq!(latest_revision(&mut source).now_or_never().unwrap().unwrap(), 9);
    let pages: Vec<u64> = source.reads.iter().map(|(offset, _)| offset / PAGE as u64).collect();
    // The meta pages, the root's branch and leaf, the bucket's branch and last leaf, and the key, which a large value precedes.
    assert_eq!(pages, [0, 2, 3, 4, 7, 8], "{:?}", source.reads);
}

#[test]
fn what_comes_after_a_revision_is_told_apart() {
    let (built, entries) = tree();
    let file = built.bytes();
    let after = |revision| at_once(summarised(&mut read(&file), file.len() as u64, revision)).unwrap();
    let newer: Vec<_> = entries.iter().filter(|(k, _)| *k > key(3, u64::MAX >> 1)).cloned().collect();
    assert_eq!(after(3), Summary { revision: 9, keys: newer.len() as u64, digest: digest(&newer) });
    assert_eq!(after(9), Summary { revision: 0, keys: 0, digest: digest(&[]) });
}

#[test]
fn a_small_bucket_lies_in_its_parent() {
    let entries = vec![(key(2, 0), b"two".to_vec()), ([key(3, 1), b"t".to_vec()].concat(), Vec::new())];
    let file = small(&inline(&entries), &[]).bytes();
    assert_eq!(summary_of(&file).unwrap(), Summary { revision: 3, keys: 2, digest: digest(&entries) });
    assert_eq!(latest_of(&file).unwrap(), 3);
}

#[test]
fn what_compaction_took_away_still_counts_for_the_revision() {
    let note = |name: &str, revision| (name.as_bytes().to_vec(), key(revision, 0));
    let scheduled = [note("finishedCompactRev", 5), note("scheduledCompactRev", 7)];
    for (notes, current) in [(&scheduled[..], 7), (&scheduled[..1], 5), (&[], 1)] {
        let file = small(&inline(&[]), notes).bytes();
        assert_eq!((latest_of(&file).unwrap(), current_of(&file).unwrap()), (0, current));
        assert_eq!(summary_of(&file).unwrap(), Summary { revision: 0, keys: 0, digest: digest(&[]) });
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("db"), &file).unwrap();
        assert_eq!(compaction(&dir.path().join("db")).unwrap().is_unfinished(), current == 7);
    }
}

#[test]
fn the_newer_of_the_valid_meta_pages_counts() {
    let (mut built, _) = tree();
    // The second is the newer one in `tree`, and the first an older one with an empty bucket `key`.
    let break_meta = |built: &mut Built, page: usize| built.page(page)[16 + 30] ^= 1;
    assert_eq!(latest_of(&built.bytes()).unwrap(), 9);
    break_meta(&mut built, 0);
    assert_eq!(latest_of(&built.bytes()).unwrap(), 9, "the page size is known from the second alone");
    break_meta(&mut built, 0);
    break_meta(&mut built, 1);
    assert_eq!(latest_of(&built.bytes()).unwrap(), 0);
    break_meta(&mut built, 0);
    let error = latest_of(&built.bytes()).unwrap_err().to_string();
    assert_eq!(
        error,
        "this is not an etcd database: the checksum of its meta page is wrong (page 0), and there is no valid second meta page"
    );
}

/// The errors of the summary and of the newest revision, after one change to the tree.
fn refused(change: impl FnOnce(&mut Built)) -> (String, String) {
    let (mut built, _) = tree();
    change(&mut built);
    let text = |result: Result<String, BackendError>| result.unwrap_or_else(|error| error.to_string());
    let file = built.bytes();
    (text(summary_of(&file).map(|s| format!("{s:?}"))), text(latest_of(&file).map(|revision| revision.to_string())))
}

/// Both refuse it, with the same message.
#[track_caller]
fn both(expected: &str, change: impl FnOnce(&mut Built)) {
    assert_eq!(refused(change), (expected.to_owned(), expected.to_owned()));
}

/// Only the summary refuses it: the damage is not on the way to the last key.
#[track_caller]
fn only_the_summary(expected: &str, change: impl FnOnce(&mut Built)) {
    assert_eq!(refused(change), (expected.to_owned(), "9".to_owned()));
}

#[test]
fn a_page_that_cannot_be_is_refused() {
    let to = |page: u64| move |built: &mut Built| built.set_child(4, 2, page);
    for page in [0, 1, 10, u64::MAX] {
        let words = format!("page {page} of the etcd database is damaged: something refers to it, but only pages 2 to 9 exist");
        both(&words, to(page));
    }
    both("page 7 of the etcd database is damaged: it says that it is page 6", |built| built.page(7)[0] = 6);
    both("page 7 of the etcd database is damaged: its flags are 0x0010, which is neither a branch (0x0001) nor a leaf (0x0002)", |built| {
        built.page(7)[8] = 0x10;
    });
    let outside = "page 7 of the etcd database is damaged: it claims 3 more pages, but page 9 is the last";
    both(outside, |built| built.page(7)[12] = 3);
    both("page 7 of the etcd database is damaged: it has no entries", |built| built.page(7)[10] = 0);
    both("page 4 of the etcd database is damaged: it has no entries", |built| built.page(4)[10] = 0);
}

#[test]
fn an_entry_that_cannot_be_is_refused() {
    let damaged = |page: u64, index: usize| {
        format!("page {page} of the etcd database is damaged: its entry {index} lies outside the page or over another")
    };
    both(&damaged(7, 1), |built| built.page(7)[16 + 16 + 14] = 0x10);
    both(&damaged(7, 1), |built| built.page(7)[16 + 16 + 4] = 0);
    both(&damaged(7, 0), |built| built.page(7)[16 + 8] = 0);
    only_the_summary("page 6 of the etcd database is damaged: the key of its entry 0 is not a revision", |built| {
        built.entry(6, 0)[8] = b'-'
    });
    both("page 7 of the etcd database is damaged: the key of its entry 1 is not a revision", |built| built.entry(7, 1)[17] = b'u');
    only_the_summary("page 6 of the etcd database is damaged: the key of its entry 1 is not a revision", |built| {
        built.entry(6, 1)[9] = 0x80
    });
    both("page 3 of the etcd database is damaged: its entry 1 is not a bucket", |built| built.page(3)[32] = 0);
}

#[test]
fn keys_in_the_wrong_order_are_refused() {
    let damaged = |page: u64, index: usize| {
        format!("page {page} of the etcd database is damaged: the key of its entry {index} is not greater than the one before it")
    };
    only_the_summary(&damaged(6, 1), |built| built.entry(6, 1)[7] = 0);
    both(&damaged(7, 1), |built| built.entry(7, 1)[7] = 0);
    // A leaf that two branch entries refer to, and a key that belongs to the next leaf.
    only_the_summary(&damaged(5, 0), |built| built.set_child(4, 1, 5));
    only_the_summary(&damaged(4, 1), |built| built.entry(5, 1)[7] = 8);
}

#[test]
fn a_tree_without_end_is_refused() {
    let (summary, latest) = refused(|built| built.set_child(4, 2, 4));
    assert!(summary.contains("page 4") && summary.contains("is not greater than the one before it"), "{summary}");
    assert_eq!(latest, "page 4 of the etcd database is damaged: it is more than 32 levels below its root");
    let words = "page 4 of the etcd database is damaged: with it there are references to more than the 10 pages that exist";
    only_the_summary(words, |built| built.set_child(4, 0, 4));
    // With more pages, the depth limit ends it.
    let (mut built, _) = tree();
    built.set_child(4, 0, 4);
    built.set_pages(100);
    let error = summary_of(&[built.bytes(), vec![0; 90 * PAGE]].concat()).unwrap_err().to_string();
    assert_eq!(error, "page 4 of the etcd database is damaged: it is more than 32 levels below its root");
    both("page 2 of the etcd database is damaged: it is more than 32 levels below its root", |built| built.set_child(2, 0, 2));
}

#[test]
fn pages_that_overlap_are_refused() {
    let words = "page 7 of the etcd database is damaged: with it there are references to more than the 10 pages that exist";
    only_the_summary(words, |built| {
        built.page(5)[12] = 4;
        built.page(6)[12] = 3;
        built.page(7)[12] = 2;
    });
}

#[test]
fn another_programs_database_is_refused() {
    both("the database has no bucket `key`, which every etcd database has (root page 3)", |built| built.entry(3, 1)[0] = b'q');
    let error = summary_of(&vec![b'x'; 20_000]).unwrap_err().to_string();
    assert!(error.contains("magic number"), "{error}");
    for length in [0, 1, 79, 80, 1024] {
        assert!(matches!(summary_of(&vec![0; length]), Err(BackendError::NoDatabase { .. })), "{length} zeros");
    }
    let error = summary(Path::new("/nowhere/db")).unwrap_err().to_string();
    assert_eq!(error, "cannot open the etcd database /nowhere/db");
}

#[test]
fn a_geometry_that_cannot_be_is_refused() {
    for pages in [0, 3, u64::MAX, 1 << 54] {
        let (summary, latest) = refused(|built| built.set_pages(pages));
        assert!(summary.contains(&format!("pages have 1024 bytes and it has {pages} of them")), "{summary}");
        assert_eq!(summary, latest);
    }
}

#[test]
fn a_file_that_is_cut_short_is_refused_at_every_length() {
    let (built, _) = tree();
    let file = built.bytes();
    for length in 0..file.len() {
        assert!(summary_of(&file[..length]).is_err(), "{length} bytes");
    }
    let error = summary_of(&file[..file.len() - 1]).unwrap_err().to_string();
    assert_eq!(error, format!("the etcd database is cut short: {} bytes of {}", file.len() - 1, file.len()));
    // Where only ranges are read, the missing page is named.
    let error = latest_of(&file[..7 * PAGE + 8]).unwrap_err().to_string();
    assert_eq!(error, "page 7 of the etcd database is damaged: the file ends within it");
    // Trailing bytes, such as a snapshot's checksum, do not matter.
    let longer = [file.clone(), vec![0xff; 32]].concat();
    assert_eq!(summary_of(&longer).unwrap(), summary_of(&file).unwrap());
}

#[test]
fn a_flipped_bit_of_a_key_or_value_is_never_overlooked() {
    let (mut built, entries) = tree();
    let right = summary_of(&built.bytes()).unwrap();
    let (mut flipped, mut wanted) = (0, 0);
    for (page, count) in [(5, 2), (6, 2), (7, 2)] {
        for index in 0..count {
            let bits = built.entry(page, index).len() * 8;
            wanted += bits;
            for bit in 0..bits {
                built.entry(page, index)[bit / 8] ^= 1 << (bit % 8);
                let found = summary_of(&built.bytes());
                assert!(found.is_err() || found.is_ok_and(|s| s.digest != right.digest), "page {page}, entry {index}, bit {bit}");
                built.entry(page, index)[bit / 8] ^= 1 << (bit % 8);
                flipped += 1;
            }
        }
    }
    assert_eq!((flipped, wanted), (wanted, entries.iter().map(|(k, v)| (k.len() + v.len()) * 8).sum()));
}

struct Random(u64);

impl Random {
    /// Xorshift.
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }
}

/// Every read ends, with an error or without, and none panics.
#[test]
fn damage_of_any_kind_never_panics() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let (mut right, mut refused) = (0, 0);
    for round in 0..30_000 {
        let (mut built, _) = tree();
        for _ in 0..=random.below(4) {
            // Mostly headers and tables: the rest is keys and values.
            let (page, at) = (random.below(10), if round % 3 == 0 { random.below(PAGE) } else { random.below(96) });
            built.page(page)[at] = [0, 1, 2, 0x7f, 0x80, 0xff, random.below(256) as u8][random.below(7)];
        }
        if round % 2 == 0 {
            built.sum_up();
        }
        let file = built.bytes();
        let results = (summary_of(&file).is_ok(), latest_of(&file).is_ok(), current_of(&file).is_ok());
        if results.0 { right += 1 } else { refused += 1 }
    }
    assert!(right > 1_000 && refused > 1_000, "{right} read, {refused} refused");
}
