//! The IDX format of the MNIST files: arrays of bytes with their shape, gzipped or not.

use crate::save::{DataError, Reason, expansion_limit, read_file, unpack};
use flate2::bufread::MultiGzDecoder;
use std::path::Path;

/// An array of bytes, row-major: the pixels of images or their labels.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Idx {
    /// The sizes of the axes.
    pub shape: Vec<usize>,
    /// The elements, as many as the product of the sizes.
    pub elements: Vec<u8>,
}

/// The code that stands for bytes in the header; the format's others are wider numbers.
const BYTES: u8 = 8;

/// Reads an IDX file of bytes. Whether it is gzipped shows in its first bytes; the name does not matter.
///
/// A damaged file is an error, and memory is taken only for what it really holds. A gzipped file may unpack to 64 MiB, or to 100
/// times its size when that is more.
///
/// ```
/// use gradus_nn::data::idx;
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("labels-idx1-ubyte");
/// // Two zeros, the code for bytes, one axis, of size 3; then the labels.
/// std::fs::write(&path, [0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4])?;
/// let labels = idx::read(&path)?;
/// assert_eq!((labels.shape, labels.elements), (vec![3], vec![5, 0, 4]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the file cannot be read, is damaged, unpacks to more, or holds elements of another type than bytes.
pub fn read(path: impl AsRef<Path>) -> Result<Idx, DataError> {
    let path = path.as_ref();
    let bytes = read_file(path);
    bytes
        .and_then(|bytes| decode(&bytes, expansion_limit(bytes.len())))
        .map_err(|reason| DataError::new(path, reason))
}

fn decode(bytes: &[u8], limit: usize) -> Result<Idx, Reason> {
    if bytes.first() == Some(&0x1f) {
        return parse(&unpack(MultiGzDecoder::new(bytes), limit)?);
    }
    parse(bytes)
}

fn parse(mut bytes: &[u8]) -> Result<Idx, Reason> {
    let [a, b, element_type, rank] = header_word(&mut bytes)?;
    if [a, b] != [0, 0] {
        return Err(format!("is not an IDX file: it begins with {a:02x} {b:02x}, not with 00 00").into());
    }
    if element_type != BYTES {
        return Err(format!("holds elements of type {element_type:#04x}, not bytes ({BYTES:#04x})").into());
    }
    let mut shape = Vec::new();
    for _ in 0..rank {
        shape.push(u32::from_be_bytes(header_word(&mut bytes)?) as usize);
    }
    let len = shape.iter().try_fold(1usize, |len, &n| len.checked_mul(n));
    let len = len.ok_or_else(|| format!("claims the shape {shape:?}, which no file holds"))?;
    match bytes.len() {
        found if found < len => Err(format!("ends after {found} of {len} elements").into()),
        found if found > len => Err(format!("goes on after its {len} elements").into()),
        _ => Ok(Idx { shape, elements: bytes.to_vec() }),
    }
}

/// The next four bytes.
fn header_word(bytes: &mut &[u8]) -> Result<[u8; 4], Reason> {
    let (word, rest) = bytes.split_first_chunk().ok_or("ends within its header")?;
    *bytes = rest;
    Ok(*word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;
    use std::io::Write;

    /// A file of 2 x 3 elements, written out by hand.
    const SMALL: [u8; 18] = [0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 7, 8, 9, 255, 0, 1];

    fn zip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn decode(bytes: &[u8]) -> Result<Idx, Reason> {
        super::decode(bytes, 1 << 20)
    }

    fn reason(bytes: &[u8]) -> String {
        decode(bytes).unwrap_err().to_string()
    }

    #[test]
    fn plain_and_zipped_files_of_any_name_read_alike() {
        let expected = Idx { shape: vec![2, 3], elements: vec![7, 8, 9, 255, 0, 1] };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("misnamed.txt");
        for bytes in [SMALL.to_vec(), zip(&SMALL)] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(read(&path).unwrap(), expected);
        }
        // A gzip file may consist of several members.
        let members = [zip(&SMALL[..7]), zip(&SMALL[7..])].concat();
        assert_eq!(decode(&members[..]).unwrap(), expected);
    }

    #[test]
    fn empty_arrays_and_scalars_are_arrays() {
        assert_eq!(decode(&[0, 0, 8, 1, 0, 0, 0, 0]).unwrap().shape, [0]);
        assert_eq!(decode(&[0, 0, 8, 0, 5]).unwrap(), Idx { shape: vec![], elements: vec![5] });
    }

    #[test]
    fn every_truncation_is_an_error() {
        let zipped = zip(&SMALL);
        for bytes in [&SMALL[..], &zipped] {
            for len in 0..bytes.len() {
                assert!(decode(&bytes[..len]).is_err(), "the first {len} bytes are no file");
            }
        }
        assert_eq!(reason(&SMALL[..9]), "ends within its header");
        assert_eq!(reason(&SMALL[..14]), "ends after 2 of 6 elements");
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(reason(b"PK\x03\x04"), "is not an IDX file: it begins with 50 4b, not with 00 00");
        assert_eq!(reason(&[0, 0, 0x0d, 1]), "holds elements of type 0x0d, not bytes (0x08)");
        let long = [&SMALL[..], &[0]].concat();
        assert_eq!(reason(&long), "goes on after its 6 elements");
        assert_eq!(reason(&zip(&long)), "goes on after its 6 elements");
        // Not even a whole byte of garbage is taken for another gzip member.
        assert!(decode(&[zip(&SMALL), vec![0]].concat()[..]).is_err());
        let missing = read("no/such/file").unwrap_err();
        assert_eq!(missing.path, Path::new("no/such/file"));
        assert!(missing.reason.contains("No such file") || cfg!(not(unix)), "{missing}");
        assert!(read(std::env::temp_dir()).is_err());
    }

    #[test]
    fn a_header_that_claims_too_much_takes_no_memory() {
        let header = |rank: u8, size: u32| {
            let sizes = std::iter::repeat_n(size.to_be_bytes(), rank as usize).flatten();
            [0, 0, 8, rank].into_iter().chain(sizes).collect::<Vec<u8>>()
        };
        for claim in [header(4, u32::MAX), header(255, 2)] {
            assert!(
                reason(&claim).starts_with("claims the shape [") && reason(&zip(&claim)).contains("no file")
            );
        }
        let before = peak_memory();
        assert_eq!(reason(&header(1, u32::MAX)), "ends after 0 of 4294967295 elements");
        assert_eq!(reason(&zip(&header(1, 1 << 30))), "ends after 0 of 1073741824 elements");
        let bomb = zip(&[&header(1, 2 << 20)[..], &vec![0; 2 << 20]].concat());
        assert_eq!(reason(&bomb), "unpacks to more than 1048576 bytes");
        assert!(peak_memory() - before < 512 << 20);
    }

    /// The most address space that this process has had, in bytes.
    #[cfg(target_os = "linux")]
    fn peak_memory() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmPeak:")).unwrap();
        1024 * peak.trim().trim_end_matches(" kB").parse::<usize>().unwrap()
    }

    #[cfg(not(target_os = "linux"))]
    fn peak_memory() -> usize {
        0
    }

    #[test]
    fn a_wrong_checksum_is_an_error() {
        let mut zipped = zip(&SMALL);
        let crc = zipped.len() - 8;
        zipped[crc] ^= 1;
        assert!(decode(&zipped[..]).is_err());
    }

    proptest! {
        #[test]
        fn changed_files_never_panic(flips in prop::collection::vec((0usize..60, any::<u8>()), 1..4), zipped: bool) {
            let mut bytes = if zipped { zip(&SMALL) } else { SMALL.to_vec() };
            for (at, value) in flips {
                let at = at % bytes.len();
                bytes[at] = value;
            }
            if let Ok(idx) = decode(&bytes[..]) {
                prop_assert_eq!(idx.elements.len(), idx.shape.iter().product::<usize>());
            }
        }
    }
}
