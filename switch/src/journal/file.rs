//! Segments as files: each record with its length and checksum before it.

use std::io;
use std::path::{Path, PathBuf};

use bytes::{Buf as _, BufMut as _, Bytes};
use mesh::clock::Timestamp;
use prost::Message as _;
use proto::switch::v1::AccountingRecord;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

/// Ending of a segment's name.
const ENDING: &str = "records";

/// Length and checksum.
const HEAD: usize = 8;

/// A segment that takes records.
#[derive(Debug)]
pub(super) struct Appending {
    pub(super) path: PathBuf,
    pub(super) began: Timestamp,
    pub(super) bytes: u64,
    file: File,
}

impl Appending {
    pub(super) async fn create(path: PathBuf, began: Timestamp) -> io::Result<Self> {
        let file = File::options().create_new(true).append(true).open(&path).await?;
        Ok(Self { path, began, bytes: 0, file })
    }

    /// Writes records through to the disk.
    pub(super) async fn append(&mut self, records: &[Bytes]) -> io::Result<()> {
        let mut block = Vec::new();
        for record in records {
            let length = u32::try_from(record.len()).map_err(io::Error::other)?;
            block.put_u32_le(length);
            block.put_u32_le(crc32fast::hash(record));
            block.put_slice(record);
        }
        self.file.write_all(&block).await?;
        self.file.flush().await?;
        self.file.sync_data().await?;
        self.bytes += block.len() as u64;
        Ok(())
    }
}

/// Where the segment of this number is.
pub(super) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.{ENDING}"))
}

/// The segments that are in the folder, which is made when it is not there; oldest first.
pub(super) fn segments_in(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    std::fs::create_dir_all(folder)?;
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_segment = path.extension().is_some_and(|ending| ending == ENDING);
        let number = path.file_stem().and_then(|name| name.to_str()?.parse().ok());
        if let Some(number) = number.filter(|_| is_segment) {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found)
}

/// The records of a segment, up to the first that was not written to its end.
pub(super) async fn read(path: &Path) -> io::Result<Vec<AccountingRecord>> {
    let mut block = Bytes::from(tokio::fs::read(path).await?);
    let mut records = Vec::new();
    while block.len() >= HEAD {
        let (length, checksum) = (block.get_u32_le() as usize, block.get_u32_le());
        if block.len() < length {
            break;
        }
        let record = block.split_to(length);
        if crc32fast::hash(&record) != checksum {
            break;
        }
        records.push(AccountingRecord::decode(record).map_err(io::Error::other)?);
    }
    Ok(records)
}
