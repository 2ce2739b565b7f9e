//! bbolt databases made by hand, with pages of 1 KiB.

use super::super::meta::fnv1a;

pub(super) const PAGE: usize = 1024;

type Entry = (Vec<u8>, Vec<u8>);

/// A key of the bucket `key`.
pub(super) fn key(main: u64, sub: u64) -> Vec<u8> {
    [&main.to_be_bytes()[..], b"_", &sub.to_be_bytes()].concat()
}

fn header(number: u64, flags: u16, count: usize, overflow: u32) -> Vec<u8> {
    let count = u16::try_from(count).unwrap();
    [&number.to_le_bytes()[..], &flags.to_le_bytes(), &count.to_le_bytes(), &overflow.to_le_bytes()].concat()
}

/// A leaf with these entries, each of them a bucket if `flag` is 1.
fn leaf(number: u64, entries: &[Entry], flag: u32) -> Vec<u8> {
    let (mut table, mut data) = (Vec::new(), Vec::new());
    for (index, (key, value)) in entries.iter().enumerate() {
        let position = (entries.len() - index) * 16 + data.len();
        let numbers = [flag, position as u32, key.len() as u32, value.len() as u32];
        table.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        data.extend([&key[..], value].concat());
    }
    let size = 16 + table.len() + data.len();
    let overflow = size.div_ceil(PAGE) as u32 - 1;
    [header(number, 2, entries.len(), overflow), table, data].concat()
}

fn branch(number: u64, entries: &[(Vec<u8>, u64)]) -> Vec<u8> {
    let (mut table, mut data) = (Vec::new(), Vec::new());
    for (index, (key, child)) in entries.iter().enumerate() {
        let position = (entries.len() - index) * 16 + data.len();
        table.extend([&(position as u32).to_le_bytes()[..], &(key.len() as u32).to_le_bytes(), &child.to_le_bytes()].concat());
        data.extend_from_slice(key);
    }
    [header(number, 1, entries.len(), 0), table, data].concat()
}

fn bucket(page: u64) -> Vec<u8> {
    [page.to_le_bytes(), [0; 8]].concat()
}

/// The value of a bucket whose page lies in it.
pub(super) fn inline(entries: &[Entry]) -> Vec<u8> {
    [bucket(0), leaf(0, entries, 0)].concat()
}

/// A file whose pages can be changed.
pub(super) struct Built(Vec<u8>);

impl Built {
    fn new(pages: usize) -> Self {
        Self(vec![0; pages * PAGE])
    }

    fn put(&mut self, page: &[u8]) {
        let number = usize::from(page[0]);
        self.0[number * PAGE..][..page.len()].copy_from_slice(page);
    }

    fn meta(&mut self, number: u64, root: u64, transaction: u64) {
        let pages = (self.0.len() / PAGE) as u64;
        let start = [0xED0C_DAED_u32, 2, PAGE as u32, 0].iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
        let rest = [root, 0, 8, pages, transaction, 0].iter().flat_map(|number| number.to_le_bytes()).collect();
        self.put(&[header(number, 4, 0, 0), start, rest].concat());
        self.sum_up();
    }

    /// Makes both checksums right.
    pub(super) fn sum_up(&mut self) {
        for number in 0..2 {
            let meta = &mut self.page(number)[16..];
            let sum = fnv1a(&meta[..56]);
            meta[56..64].copy_from_slice(&sum.to_le_bytes());
        }
    }

    /// Changes the number of pages in both meta pages.
    pub(super) fn set_pages(&mut self, pages: u64) {
        for number in 0..2 {
            self.page(number)[16 + 40..16 + 48].copy_from_slice(&pages.to_le_bytes());
        }
        self.sum_up();
    }

    /// A page, and everything behind it.
    pub(super) fn page(&mut self, number: usize) -> &mut [u8] {
        &mut self.0[number * PAGE..]
    }

    /// Changes the page that a branch's entry refers to.
    pub(super) fn set_child(&mut self, branch: usize, index: usize, child: u64) {
        self.page(branch)[16 + 16 * index + 8..][..8].copy_from_slice(&child.to_le_bytes());
    }

    /// The bytes of key and value of a leaf's entry.
    pub(super) fn entry(&mut self, leaf: usize, index: usize) -> &mut [u8] {
        let at = 16 + 16 * index;
        let number = |page: &[u8], at: usize| u32::from_le_bytes(page[at..][..4].try_into().unwrap()) as usize;
        let page = self.page(leaf);
        let (position, length) = (number(page, at + 4), number(page, at + 8) + number(page, at + 12));
        &mut page[at + position..][..length]
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.clone()
    }
}

/// A database with a value of the bucket `key`, and these notes in the bucket `meta`.
pub(super) fn small(key: &[u8], notes: &[Entry]) -> Built {
    let mut built = Built::new(4);
    built.put(&leaf(3, &[(b"key".to_vec(), key.to_vec()), (b"meta".to_vec(), inline(notes))], 1));
    built.meta(0, 3, 6);
    built.meta(1, 3, 7);
    built
}

/// The root is a branch (2) above a leaf (3); the bucket `key` is a branch (4) above the leaves 5, 6 and 7, the last of which overflows into 8. An older
/// transaction's root is page 9, which has to be completed to be used: see `meta` of page 0.
pub(super) fn tree() -> (Built, Vec<Entry>) {
    let value = |length: usize| (0..length).map(|n| n as u8).collect::<Vec<u8>>();
    let entries = vec![
        (key(2, 0), value(10)),
        (key(3, 0), value(0)),
        (key(3, 1), value(300)),
        ([key(5, 0), b"t".to_vec()].concat(), value(7)),
        (key(8, 0), value(1200)),
        ([key(9, 0), b"t".to_vec()].concat(), value(3)),
    ];
    let mut built = Built::new(10);
    built.put(&branch(2, &[(b"cluster".to_vec(), 3)]));
    let names = [(b"cluster".to_vec(), inline(&[])), (b"key".to_vec(), bucket(4)), (b"meta".to_vec(), inline(&[]))];
    built.put(&leaf(3, &names, 1));
    built.put(&branch(4, &[(key(2, 0), 5), (key(3, 1), 6), (key(8, 0), 7)]));
    for (number, pair) in (5..).zip(entries.chunks(2)) {
        built.put(&leaf(number, pair, 0));
    }
    built.put(&leaf(9, &[(b"key".to_vec(), inline(&[])), (b"meta".to_vec(), inline(&[]))], 1));
    built.meta(0, 9, 6);
    built.meta(1, 2, 7);
    (built, entries)
}
