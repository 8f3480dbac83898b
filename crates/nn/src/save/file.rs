//! What everything that touches files shares: one error type, and writing that never leaves half a file behind.

use std::{
    fmt,
    io::Write,
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

/// Replaces the file at `path`, or creates it: afterwards it has all of `contents`. When writing fails or is
/// interrupted, what was there before is still there, whole.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("history.csv");
/// gradus_nn::write_atomically(&path, "epoch,loss\n1,0.25\n")?;
/// assert_eq!(std::fs::read_to_string(&path)?, "epoch,loss\n1,0.25\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_atomically(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> Result<(), DataError> {
    let path = path.as_ref();
    replace(path, contents.as_ref()).map_err(|reason| DataError::new(path, reason))
}

fn replace(path: &Path, contents: &[u8]) -> std::io::Result<()> {
    // Only within one directory is a rename sure to stay on one file system, and so to happen at once.
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".gradus-");
    // Temporary files are private by default; this one is to be as readable as any file that the user creates.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(dir)?;
    file.write_all(contents)?;
    // Without this a power cut after the rename can leave an empty file under the name.
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
        entries.map(|name| name.into_string().unwrap()).collect()
    }

    #[test]
    fn an_old_file_is_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write_atomically(&path, "a longer text").unwrap();
        write_atomically(&path, "short").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"short");
        assert_eq!(names(dir.path()), ["a"]);
    }

    #[test]
    fn a_failure_leaves_no_temporary_file_and_names_the_path() {
        let dir = tempfile::tempdir().unwrap();
        // A directory in the place of the file: everything works but the last step.
        let taken = dir.path().join("taken");
        fs::create_dir(&taken).unwrap();
        let error = write_atomically(&taken, "text").unwrap_err();
        assert_eq!(error.path, taken);
        assert_eq!(names(dir.path()), ["taken"]);

        let nowhere = dir.path().join("no/such/directory");
        let error = write_atomically(&nowhere, "text").unwrap_err();
        assert!(error.to_string().starts_with(nowhere.to_str().unwrap()), "{error}");
        assert!(write_atomically("", "text").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn new_files_get_the_users_ordinary_permissions() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (ours, plain) = (dir.path().join("ours"), dir.path().join("plain"));
        write_atomically(&ours, "").unwrap();
        fs::write(&plain, "").unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(ours), mode(plain));
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
}
