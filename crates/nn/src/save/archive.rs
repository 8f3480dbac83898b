//! Zip archives, which npz and `.pt` files are: what is read of one takes no more memory than the file's size allows.

use super::file::{Reason, unpack};
use std::io::Cursor;
use zip::{CompressionMethod, ZipArchive};

/// An archive, and how many bytes may still be read of it.
pub(crate) struct Archive {
    zip: ZipArchive<Cursor<Vec<u8>>>,
    /// Of entries that are not compressed. They may lie over each other: a thousand of them in the place of one.
    stored: usize,
    packed: usize,
}

/// The shortest description of an entry.
const SHORTEST: usize = 46;

impl Archive {
    /// Of the bytes of a file. Compressed entries may unpack to `limit` bytes together, the others to the file's length.
    pub(crate) fn open(bytes: Vec<u8>, limit: usize) -> Result<Archive, Reason> {
        let stored = bytes.len();
        if claimed(&bytes).any(|entries| entries > (bytes.len() / SHORTEST) as u64) {
            return Err("claims more entries than it has room for".into());
        }
        Ok(Archive { zip: ZipArchive::new(Cursor::new(bytes))?, stored, packed: limit })
    }

    /// The names of all entries, in their order.
    pub(crate) fn names(&self) -> Vec<String> {
        (0..self.zip.len()).map(|i| self.zip.name_for_index(i).unwrap_or_default().to_owned()).collect()
    }

    /// The place of an entry in that order.
    pub(crate) fn find(&self, name: &str) -> Result<usize, Reason> {
        self.zip.index_for_name(name).ok_or_else(|| format!("has no entry {name}").into())
    }

    pub(crate) fn is_compressed(&mut self, index: usize) -> Result<bool, Reason> {
        Ok(self.zip.by_index_raw(index)?.compression() != CompressionMethod::Stored)
    }

    /// All bytes of an entry.
    pub(crate) fn read(&mut self, index: usize) -> Result<Vec<u8>, Reason> {
        let file = self.zip.by_index(index)?;
        if file.compression() != CompressionMethod::Stored {
            let bytes = unpack(file, self.packed)?;
            self.packed -= bytes.len();
            return Ok(bytes);
        }
        if file.size() > self.stored as u64 {
            return Err("lies over another entry: together they are longer than the file".into());
        }
        let bytes = unpack(file, self.stored)?;
        self.stored -= bytes.len();
        Ok(bytes)
    }
}

/// How many entries the records of large archives (zip64) claim, for which the library takes memory before it reads them. It
/// would believe any of these; a false one, by chance, must look like a record in its length too.
fn claimed(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let word = |at: &[u8]| at.first_chunk().map(|&word| u64::from_le_bytes(word));
    let records = bytes.windows(56).filter(|record| record.starts_with(b"PK\x06\x06"));
    records.filter_map(move |record| {
        let len = word(&record[4..])?;
        (len <= bytes.len() as u64).then(|| word(&record[32..]))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use zip::{ZipWriter, write::SimpleFileOptions};

    fn archive(entries: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in entries {
            zip.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    /// The archive of one entry, whose description is repeated under other names.
    fn repeated(mut bytes: Vec<u8>, times: u16) -> Vec<u8> {
        let at = |bytes: &[u8], magic: &[u8]| bytes.windows(4).position(|four| four == magic).unwrap();
        let (start, end) = (at(&bytes, b"PK\x01\x02"), at(&bytes, b"PK\x05\x06"));
        let (entry, mut tail) = (bytes[start..end].to_vec(), bytes[end..].to_vec());
        bytes.truncate(start);
        for i in 0..times {
            let mut entry = entry.clone();
            // The name comes last in a description without extras.
            let name = entry.len() - 4;
            entry[name..].copy_from_slice(format!("{i:04}").as_bytes());
            bytes.extend(entry);
        }
        tail[8..10].copy_from_slice(&times.to_le_bytes());
        tail[10..12].copy_from_slice(&times.to_le_bytes());
        tail[12..16].copy_from_slice(&(u32::from(times) * entry.len() as u32).to_le_bytes());
        bytes.extend(tail);
        bytes
    }

    #[test]
    fn entries_in_one_place_are_not_read_again_and_again() {
        let content = [7; 10_000];
        let bytes = repeated(archive(&[("name", &content)], CompressionMethod::Stored), 100);
        let len = bytes.len();
        let mut archive = Archive::open(bytes, 1 << 20).unwrap();
        assert_eq!(archive.names().len(), 100);
        let read: Vec<Result<Vec<u8>, Reason>> = (0..100).map(|i| archive.read(i)).collect();
        let whole: usize = read.iter().flatten().map(Vec::len).sum();
        assert!((10_000..=len).contains(&whole), "{whole} bytes of {len}");
        let error = read[99].as_ref().unwrap_err().to_string();
        assert_eq!(error, "lies over another entry: together they are longer than the file");
        // Where they lie one after the other all are read.
        let entries: Vec<(String, Vec<u8>)> = (0..9).map(|i| (i.to_string(), vec![i; 1000])).collect();
        let entries: Vec<(&str, &[u8])> =
            entries.iter().map(|(name, bytes)| (&name[..], &bytes[..])).collect();
        let mut archive = Archive::open(self::archive(&entries, CompressionMethod::Stored), 0).unwrap();
        assert!((0..9).all(|i| archive.read(i).is_ok_and(|bytes| bytes == entries[i].1)));
    }

    #[test]
    fn what_is_compressed_has_one_limit_together() {
        let zeros = [0; 1000];
        let bytes = archive(&[("a", &zeros), ("b", &zeros)], CompressionMethod::Deflated);
        let mut archive = Archive::open(bytes, 1500).unwrap();
        assert!(archive.is_compressed(0).unwrap());
        assert_eq!(archive.read(0).unwrap(), zeros);
        assert_eq!(archive.read(1).unwrap_err().to_string(), "unpacks to more than 500 bytes");
    }

    #[test]
    fn a_number_of_entries_that_the_file_has_no_room_for_is_refused() {
        let plain = archive(&[("name", &[1; 5000])], CompressionMethod::Stored);
        let end = plain.len() - 22;
        let directory = u64::from(u32::from_le_bytes(*plain[end + 16..].first_chunk().unwrap()));
        let large = |entries: u64| {
            let (mut bytes, mut tail) = (plain[..end].to_vec(), plain[end..].to_vec());
            bytes.extend(b"PK\x06\x06");
            let size = (end as u64) - directory;
            for word in [44, 45 << 16 | 45, 0, entries, entries, size, directory] {
                let word: u64 = word;
                // Two versions of 16 bits, then two disks of 32.
                let bits = if word == (45 << 16 | 45) { 4 } else { 8 };
                bytes.extend(&word.to_le_bytes()[..bits]);
            }
            bytes.extend(b"PK\x06\x07\0\0\0\0");
            bytes.extend((end as u64).to_le_bytes());
            bytes.extend(1u32.to_le_bytes());
            tail[8..12].fill(0xff);
            bytes.extend(tail);
            bytes
        };
        let mut archive = Archive::open(large(1), 0).unwrap();
        assert_eq!(archive.read(0).unwrap(), [1; 5000]);
        for entries in [1000, 1 << 40, u64::MAX] {
            let error = Archive::open(large(entries), 0).err().unwrap().to_string();
            assert_eq!(error, "claims more entries than it has room for", "{entries}");
        }
    }
}
