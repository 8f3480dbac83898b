//! What everything that touches files shares: one error type, reading that cannot hang or fill the memory, and writing that
//! never leaves half a file behind.

use std::{
    ffi::OsString,
    fmt,
    fs::{self, File, OpenOptions},
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

/// A file that cannot be read or written: which one, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DataError {
    /// The file, or the directory when files are missing from it.
    pub path: PathBuf,
    /// Why, in words.
    pub reason: String,
}

impl DataError {
    pub(crate) fn new(path: &Path, reason: impl fmt::Display) -> DataError {
        DataError { path: path.to_owned(), reason: reason.to_string() }
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

impl std::error::Error for DataError {}

/// Why reading or writing failed, before the path is known.
pub(crate) type Reason = Box<dyn std::error::Error + Send + Sync>;

/// The most axes of a tensor in a file, as in NumPy.
pub(crate) const MOST_AXES: usize = 64;

/// A file for reading, and its length. What is no regular file is refused: a pipe would wait, a device never end.
pub(crate) fn open_file(path: &Path) -> Result<(File, u64), Reason> {
    if !fs::metadata(path)?.is_file() {
        return Err("is no regular file".into());
    }
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    Ok((file, len))
}

/// All bytes of a file, read at once.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, Reason> {
    let mut bytes = Vec::new();
    open_file(path)?.0.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The most bytes that the contents of a compressed file of `len` bytes may take in memory: 64 MiB, or 100 times the
/// file when that is more.
pub(crate) fn expansion_limit(len: usize) -> usize {
    len.saturating_mul(100).max(64 << 20)
}

/// Unpacks until the end, or fails with more than `limit` bytes. Memory is taken as the bytes arrive.
pub(crate) fn unpack(input: impl Read, limit: usize) -> Result<Vec<u8>, Reason> {
    let mut bytes = Vec::new();
    input.take((limit as u64).saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(format!("unpacks to more than {limit} bytes").into());
    }
    Ok(bytes)
}

/// An empty vector with room for so many elements, if there is memory for them.
#[cfg(any(feature = "png", feature = "pt"))]
pub(crate) fn room<T>(len: usize) -> Result<Vec<T>, String> {
    let mut elements = Vec::new();
    let reserved = elements.try_reserve_exact(len);
    reserved.map_err(|_| format!("takes memory for {len} elements, which there is not"))?;
    Ok(elements)
}

/// Replaces the file at `path`, or creates it: afterwards it has all of `contents`, also after a power cut. When writing
/// fails or is interrupted, what was there before is still there, whole.
///
/// The contents are first written to a file beside it, `.NAME.gradus-0`, which then gets the name. One that a killed process
/// left is removed by the next that writes to the same path; those that write at the same time do not disturb each other, and
/// the last one's file stays. Where `path` is a symbolic link the file that it points to is replaced. The file keeps its
/// permissions and, where the user may give files away, its owner. Other hard links to it keep the old contents.
///
/// # Errors
/// When the file cannot be written, or there is something else than a regular file at `path`: a directory, a pipe, a device.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("history.csv");
/// gradus_nn::write_atomically(&path, "epoch,loss\n1,0.25\n")?;
/// assert_eq!(std::fs::read_to_string(&path)?, "epoch,loss\n1,0.25\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_atomically(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> Result<(), DataError> {
    write_atomically_with(path.as_ref(), |file| file.write_all(contents.as_ref()))
}

/// The same with contents that are written part by part.
pub(crate) fn write_atomically_with(
    path: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), DataError> {
    replace(path, write).map_err(|reason| DataError::new(path, reason))
}

fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let path = &resolved(path)?;
    let name = path.file_name().ok_or_else(|| io::Error::other("names no file"))?;
    let old = match fs::metadata(path) {
        Ok(old) if !old.is_file() => return Err(io::Error::other("is no regular file")),
        Ok(old) => Some(old),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    // Only within one directory is a rename sure to stay on one file system, and so to happen at once.
    let dir = folder_of(path);
    let (temporary, mut file) = create(dir, name, old.as_ref())?;
    let written = (|| {
        write(&mut file)?;
        if let Some(old) = &old {
            keep_rights(&file, old)?;
        }
        // Without this a power cut after the rename can leave an empty file under the name.
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if let Err(error) = written {
        // The first error is the one to tell.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    // Without this the rename itself may be lost.
    flush_folder(dir)
}

/// Brings the names in a folder to the disk. Where a folder cannot be opened there is nothing to do about it.
fn flush_folder(dir: &Path) -> io::Result<()> {
    match File::open(dir) {
        Ok(dir) if cfg!(unix) => dir.sync_all(),
        _ => Ok(()),
    }
}

/// The folder that a path lies in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes a folder, and those around it, where they are missing; they are there after a power cut, too.
pub(crate) fn create_folders(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let around = folder_of(path);
    if around != path {
        create_folders(around)?;
    }
    match fs::create_dir(path) {
        // Another process was quicker.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => {}
        made => made?,
    }
    flush_folder(around)
}

/// Where a path's symbolic links lead, which need not exist.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    // As many as the kernel follows.
    for _ in 0..40 {
        match fs::read_link(&path) {
            Ok(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("is a symbolic link that leads nowhere"))
}

/// What the name of a file that is being written has before and behind that of the file that it becomes.
const HIDDEN: &str = ".";
const MARK: &str = ".gradus-";

/// Removes what killed processes left in a folder of files of such names, as far as it can be removed.
pub(crate) fn remove_leftovers(dir: &Path, is_ours: impl Fn(&str) -> bool) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let of = name.to_str().and_then(|name| name.strip_prefix(HIDDEN)?.rsplit_once(MARK));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if of.is_some_and(|(of, number)| is_number(number) && is_ours(of)) {
            remove_stale(&entry.path());
        }
    }
}

/// An empty file of this process's own in the directory, locked: `.NAME.gradus-0`, or the next number while others write
/// to the same name.
fn create(dir: &Path, name: &std::ffi::OsStr, old: Option<&fs::Metadata>) -> io::Result<(PathBuf, File)> {
    let mut stem = OsString::from(HIDDEN);
    if name.len() <= 200 {
        stem.push(name);
    } else {
        // File systems take 255 bytes.
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        stem.push(format!("{:016x}", hasher.finish()));
    }
    for number in 0..1000 {
        let mut path = dir.join(&stem).into_os_string();
        path.push(format!("{MARK}{number}"));
        let path = PathBuf::from(path);
        for _ in 0..10 {
            match new_options(old).open(&path) {
                Ok(file) => match file.try_lock() {
                    Ok(()) if names(&path, &file) => return Ok((path, file)),
                    // Somebody took it for a stale one between the two calls, or it is held.
                    Ok(()) | Err(fs::TryLockError::WouldBlock) => break,
                    // A file system without locks: nobody can take it for stale.
                    Err(fs::TryLockError::Error(_)) => return Ok((path, file)),
                },
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    if !remove_stale(&path) {
                        break;
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }
    Err(io::Error::other("too many others write this file"))
}

/// Removes a file that nobody holds a lock on; false when somebody does, or it is no file of ours.
fn remove_stale(path: &Path) -> bool {
    // A pipe of this name would wait for a reader.
    if !fs::symlink_metadata(path).is_ok_and(|found| found.is_file()) {
        return false;
    }
    // One that is to replace a read-only file may only be read. Some file systems give locks to those alone that may write.
    let file = OpenOptions::new().write(true).open(path).or_else(|_| File::open(path));
    let Ok(file) = file else { return false };
    // While the lock is held nobody else removes or renames what has this name.
    file.try_lock().is_ok() && names(path, &file) && fs::remove_file(path).is_ok()
}

#[cfg(unix)]
fn new_options(old: Option<&fs::Metadata>) -> OpenOptions {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    let mut options = OpenOptions::new();
    // Never more readable than the file that it replaces.
    options.write(true).create_new(true).mode(old.map_or(0o666, |old| old.mode() & 0o700));
    options
}

#[cfg(not(unix))]
fn new_options(_: Option<&fs::Metadata>) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    options
}

/// Whether the path still names this file.
#[cfg(unix)]
fn names(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    let of = |found: io::Result<fs::Metadata>| found.map(|found| (found.dev(), found.ino())).ok();
    of(fs::symlink_metadata(path)).is_some_and(|there| Some(there) == of(file.metadata()))
}

#[cfg(not(unix))]
fn names(path: &Path, _: &File) -> bool {
    path.exists()
}

fn keep_rights(file: &File, old: &fs::Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let new = file.metadata()?;
        if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
            // Only some may give files away; the others' file is their own.
            let _ = fchown(file, Some(old.uid()), Some(old.gid()));
        }
    }
    file.set_permissions(old.permissions())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn an_old_file_is_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write_atomically(&path, "a longer text").unwrap();
        write_atomically(&path, "short").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"short");
        assert_eq!(names(dir.path()), ["a"]);
        // A name of as many bytes as file systems take, which leaves none for another's.
        let long = dir.path().join("n".repeat(255));
        write_atomically(&long, "long").unwrap();
        assert_eq!(fs::read(&long).unwrap(), b"long");
        assert_eq!(names(dir.path()).len(), 2);
    }

    #[test]
    fn a_failure_leaves_no_temporary_file_and_names_the_path() {
        let dir = tempfile::tempdir().unwrap();
        let taken = dir.path().join("taken");
        fs::create_dir(&taken).unwrap();
        let error = write_atomically(&taken, "text").unwrap_err();
        assert_eq!((error.path, error.reason), (taken, "is no regular file".to_owned()));
        assert_eq!(names(dir.path()), ["taken"]);

        let nowhere = dir.path().join("no/such/directory");
        let error = write_atomically(&nowhere, "text").unwrap_err();
        assert!(error.to_string().starts_with(nowhere.to_str().unwrap()), "{error}");
        assert!(write_atomically("", "text").is_err());
        assert!(write_atomically("..", "text").is_err());
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_a_living_one_writes_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (path, stale) = (dir.path().join("a"), dir.path().join(".a.gradus-0"));
        fs::write(&stale, "half of a fi").unwrap();
        write_atomically(&path, "whole").unwrap();
        assert_eq!(names(dir.path()), ["a"]);
        let held = File::create(&stale).unwrap();
        held.lock().unwrap();
        write_atomically(&path, "newer").unwrap();
        assert_eq!(names(dir.path()), [".a.gradus-0", "a"]);
        assert_eq!(fs::read(&path).unwrap(), b"newer");
    }

    #[test]
    fn many_at_once_leave_one_whole_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::thread::scope(|scope| {
            for digit in 0..8u8 {
                let path = &path;
                scope.spawn(move || {
                    for round in 0..20 {
                        write_atomically(path, vec![digit; 1000 + round]).unwrap();
                        let read = fs::read(path).unwrap();
                        assert!(read.len() >= 1000 && read.iter().all(|byte| *byte == read[0]));
                    }
                });
            }
        });
        assert_eq!(names(dir.path()), ["a"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_one_and_its_file_is_replaced() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("run")).unwrap();
        symlink("run/7", at("latest")).unwrap();
        symlink("latest", at("mine")).unwrap();
        // Also when it leads to what is not there yet.
        for contents in ["first", "second"] {
            write_atomically(at("mine"), contents).unwrap();
            assert_eq!(fs::read_to_string(at("run/7")).unwrap(), contents);
            assert_eq!(names(dir.path()), ["latest", "mine", "run"]);
            assert_eq!(names(&at("run")), ["7"]);
        }
        symlink("loop", at("loop")).unwrap();
        assert!(write_atomically(at("loop"), "x").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn files_keep_their_permissions() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (ours, plain) = (dir.path().join("ours"), dir.path().join("plain"));
        write_atomically(&ours, "").unwrap();
        fs::write(&plain, "").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
        for permissions in [0o600, 0o666, 0o640, 0o755] {
            fs::set_permissions(&ours, PermissionsExt::from_mode(permissions)).unwrap();
            write_atomically(&ours, "secret").unwrap();
            assert_eq!(mode(&ours) & 0o7777, permissions);
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_regular_file_is_neither_written_nor_read() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("socket");
        let _held = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        for path in [Path::new("/dev/null"), &socket, dir.path()] {
            assert_eq!(write_atomically(path, "x").unwrap_err().reason, "is no regular file");
            assert_eq!(read_file(path).unwrap_err().to_string(), "is no regular file");
        }
        // It would never end.
        assert!(read_file(Path::new("/dev/zero")).is_err());
        assert_eq!(names(dir.path()), ["socket"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_without_write_permission_is_an_error() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o555)).unwrap();
        // The superuser may write everywhere; the file system of the kernel's devices refuses even that user.
        let permitted = fs::write(dir.path().join("probe"), "").is_ok();
        let path = if permitted { PathBuf::from("/sys/file") } else { path };
        let error = write_atomically(&path, "text").unwrap_err();
        assert_eq!(error.path, path);
        assert!(!error.reason.is_empty());
    }

    #[cfg(any(feature = "png", feature = "pt"))]
    #[test]
    fn no_room_is_an_error() {
        assert!(room::<u8>(1000).unwrap().capacity() >= 1000);
        let error = room::<f32>(1 << 60).unwrap_err();
        assert_eq!(error, "takes memory for 1152921504606846976 elements, which there is not");
    }

    #[test]
    fn what_unpacks_to_too_much_is_refused() {
        assert_eq!(unpack(&[1u8; 10][..], 10).unwrap().len(), 10);
        let error = unpack(io::repeat(0), 1 << 20).unwrap_err();
        assert_eq!(error.to_string(), "unpacks to more than 1048576 bytes");
    }
}
