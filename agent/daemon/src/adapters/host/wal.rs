//! Which cluster and member data belongs to, read from etcd's write-ahead log without starting etcd.
//!
//! A segment (`member/wal/<sequence>-<index>.wal`) is a row of frames: an `int64` length word, little endian, whose low 56 bits are the
//! record's length and whose top byte, if its high bit is set, counts padding; then a protobuf `walpb.Record`. Each segment begins with
//! the running checksum (type 4) and the metadata (type 1), an `etcdserverpb.Metadata` with the member's and the cluster's id.
//! The format is the same from etcd 3.0 to 3.7: `server/storage/wal/{encoder,decoder,wal}.go`, `walpb/record.proto`.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use quorate_core::ids::{EtcdClusterId, MemberId};

use super::{HostError, crc32c};

/// The ids in a write-ahead log's metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalIdentity {
    /// The etcd cluster.
    pub cluster: EtcdClusterId,
    /// The member.
    pub member: MemberId,
}

/// The two records are some sixty bytes; a segment is 64 MB.
const HEAD: u64 = 4096;

const METADATA: u64 = 1;
const CHECKSUM: u64 = 4;

/// Reads the ids from the newest segment in `dir` that can be read; `None` if there is no segment, because etcd never wrote one.
pub(super) fn identity(dir: &Path) -> Result<Option<WalIdentity>, HostError> {
    let mut newest_error = None;
    for path in segments(dir)?.into_iter().rev() {
        match head(&path).and_then(|bytes| parse(&bytes).map_err(|what| HostError::Wal { path, what })) {
            Ok(found) => return Ok(Some(found)),
            Err(error) => newest_error = newest_error.or(Some(error)),
        }
    }
    newest_error.map_or(Ok(None), Err)
}

/// The segments in ascending order: their names begin with the sequence number in hex.
fn segments(dir: &Path) -> Result<Vec<PathBuf>, HostError> {
    let entries = match fs::read_dir(dir) {
        Err(source) if source.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(HostError::io("list", dir))?,
    };
    let paths: Result<Vec<_>, _> = entries.map(|entry| entry.map(|e| e.path())).collect();
    let mut paths = paths.map_err(HostError::io("list", dir))?;
    paths.retain(|path| path.extension().is_some_and(|e| e == "wal"));
    paths.sort();
    Ok(paths)
}

fn head(path: &Path) -> Result<Vec<u8>, HostError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut bytes));
    read.map_err(HostError::io("read", path))?;
    Ok(bytes)
}

fn parse(bytes: &[u8]) -> Result<WalIdentity, &'static str> {
    let (checksum, rest) = frame(bytes)?;
    let checksum = record(checksum)?;
    if checksum.kind != CHECKSUM {
        return Err("its first record is no checksum");
    }
    let (metadata, _) = frame(rest)?;
    let metadata = record(metadata)?;
    if metadata.kind != METADATA {
        return Err("its second record is no metadata");
    }
    // A wrong id could make a quorum's list look like proof that this data is dead.
    if crc32c::update(checksum.crc, metadata.data) != metadata.crc {
        return Err("the checksum of its metadata is wrong");
    }
    ids(metadata.data)
}

/// Splits the first frame's record off.
fn frame(bytes: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    let (word, rest) = bytes.split_first_chunk::<8>().ok_or("it ends before its metadata")?;
    let word = u64::from_le_bytes(*word);
    let length = usize::try_from(word & !(0xff << 56)).map_err(|_| "a record's length is impossible")?;
    // Preallocated space reads as zero.
    if length == 0 {
        return Err("it ends before its metadata");
    }
    let padded = word >> 63 == 1;
    let padding = if padded { usize::try_from((word >> 56) & 0x7).unwrap_or_default() } else { 0 };
    let end = length.checked_add(padding).ok_or("a record's length is impossible")?;
    let record = rest.get(..length).ok_or("a record runs past its end or is impossibly long")?;
    Ok((record, rest.get(end..).unwrap_or_default()))
}

struct Record<'a> {
    kind: u64,
    crc: u32,
    data: &'a [u8],
}

fn record(bytes: &[u8]) -> Result<Record<'_>, &'static str> {
    let mut found = Record { kind: 0, crc: 0, data: &[] };
    for field in Fields(bytes) {
        match field? {
            (1, Value::Number(kind)) => found.kind = kind,
            (2, Value::Number(crc)) => found.crc = u32::try_from(crc).map_err(|_| "a checksum has more than 32 bits")?,
            (3, Value::Bytes(data)) => found.data = data,
            _ => {}
        }
    }
    Ok(found)
}

fn ids(metadata: &[u8]) -> Result<WalIdentity, &'static str> {
    let (mut member, mut cluster) = (None, None);
    for field in Fields(metadata) {
        match field? {
            (1, Value::Number(id)) => member = Some(MemberId(id)),
            (2, Value::Number(id)) => cluster = Some(EtcdClusterId(id)),
            _ => {}
        }
    }
    let (Some(member), Some(cluster)) = (member, cluster) else { return Err("its metadata lacks an id") };
    Ok(WalIdentity { cluster, member })
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a protobuf message, of the two wire types that occur here.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Result<(u64, Value<'a>), &'static str> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Number(self.varint()?),
            2 => Value::Bytes(self.bytes()?),
            _ => return Err("a record has a field of an unknown type"),
        };
        Ok((key >> 3, value))
    }

    fn varint(&mut self) -> Result<u64, &'static str> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first().ok_or("a record is cut short")?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("a number in a record is too long")
    }

    fn bytes(&mut self) -> Result<&'a [u8], &'static str> {
        let length = usize::try_from(self.varint()?).map_err(|_| "a field's length is impossible")?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or("a field runs past its record")?;
        self.0 = rest;
        Ok(bytes)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn varint(mut value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        while value >= 0x80 {
            out.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
            value >>= 7;
        }
        out.push(u8::try_from(value).unwrap());
        out
    }

    fn framed(kind: u64, crc: u32, data: &[u8]) -> Vec<u8> {
        let mut body = [vec![0x08], varint(kind), vec![0x10], varint(u64::from(crc))].concat();
        if !data.is_empty() {
            body.extend([vec![0x1a], varint(data.len() as u64), data.to_vec()].concat());
        }
        let padding = (8 - body.len() % 8) % 8;
        let top = if padding == 0 { 0 } else { 0x80 | padding as u64 };
        let word = body.len() as u64 | top << 56;
        [word.to_le_bytes().to_vec(), body, vec![0; padding]].concat()
    }

    /// A segment's beginning as etcd writes it.
    pub(in super::super) fn segment(member: u64, cluster: u64) -> Vec<u8> {
        let metadata = [vec![0x08], varint(member), vec![0x10], varint(cluster)].concat();
        let crc = crc32c::update(0, &metadata);
        [framed(CHECKSUM, 0, &[]), framed(METADATA, crc, &metadata), vec![0; 512]].concat()
    }

    const MEMBER: u64 = 0x8e9e_05c5_2164_694d;
    const CLUSTER: u64 = 0xcdf8_18a1_94e3_a8f7;

    #[test]
    fn reads_the_ids() {
        let expected = WalIdentity { cluster: EtcdClusterId(CLUSTER), member: MemberId(MEMBER) };
        assert_eq!(parse(&segment(MEMBER, CLUSTER)), Ok(expected));
    }

    #[test]
    fn every_truncation_is_an_error() {
        let whole = segment(MEMBER, CLUSTER);
        let needed = whole.len() - 512 - 8;
        for length in 0..needed {
            assert!(parse(&whole[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_flipped_bit_never_yields_other_ids() {
        let whole = segment(MEMBER, CLUSTER);
        let right = parse(&whole).unwrap();
        for bit in 0..(whole.len() - 512) * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(found) = parse(&bytes) {
                assert_eq!(found, right, "bit {bit}");
            }
        }
    }

    #[test]
    fn garbage_is_an_error_and_never_a_panic() {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        for round in 0..20_000 {
            let mut bytes = Vec::new();
            for _ in 0..round % 97 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                bytes.push(state.to_le_bytes()[0]);
            }
            assert!(parse(&bytes).is_err());
            // Garbage behind a plausible length gets further in the parser.
            let framed = [(bytes.len() as u64).to_le_bytes().to_vec(), bytes].concat();
            assert!(parse(&framed).is_err());
        }
    }

    #[test]
    fn the_newest_readable_segment_counts_and_none_is_an_error_with_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let wal = dir.path().join("wal");
        assert_eq!(identity(&wal).unwrap(), None);
        fs::create_dir(&wal).unwrap();
        fs::write(wal.join("0.tmp"), b"x").unwrap();
        assert_eq!(identity(&wal).unwrap(), None);

        let newest = wal.join("0000000000000001-0000000000000063.wal");
        fs::write(&newest, b"garbage").unwrap();
        let error = identity(&wal).unwrap_err().to_string();
        assert!(error.contains("0000000000000001-0000000000000063.wal"), "{error}");

        fs::write(wal.join("0000000000000000-0000000000000000.wal"), segment(1, 2)).unwrap();
        assert_eq!(identity(&wal).unwrap().unwrap().member, MemberId(1));
        fs::write(&newest, segment(3, 2)).unwrap();
        assert_eq!(identity(&wal).unwrap().unwrap().member, MemberId(3));
    }
}
