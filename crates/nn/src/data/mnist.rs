//! MNIST, and data sets in its format such as Fashion-MNIST: 28 x 28 pixel images of ten classes.

use super::{Dataset, idx};
use crate::save::DataError;
use gradus_tensor::Tensor;
use std::path::{Path, PathBuf};

const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// Reads the training and the test set from the four files of MNIST in a directory, each of them gzipped or not.
/// Images are `[n, 1, 28, 28]` with values in 0..=1, labels 0 to 9.
///
/// ```no_run
/// # use gradus_nn::data::mnist;
/// let (train, test) = mnist::load("data/mnist")?;
/// assert_eq!((train.len(), test.len()), (60_000, 10_000));
/// # Ok::<(), gradus_nn::DataError>(())
/// ```
///
/// # Errors
/// When files are missing, all of which are named, or cannot be read, or do not fit together; see [`idx::read`].
pub fn load(dir: impl AsRef<Path>) -> Result<(Dataset, Dataset), DataError> {
    let sets = files(dir.as_ref(), FILES)?;
    let [train_images, train_labels, test_images, test_labels] = &sets;
    Ok((pair(train_images, train_labels)?, pair(test_images, test_labels)?))
}

/// Reads the training set alone, as [`load`] does.
///
/// # Errors
/// As [`load`]: its two files are enough.
pub fn load_train(dir: impl AsRef<Path>) -> Result<Dataset, DataError> {
    let [images, labels] = files(dir.as_ref(), [FILES[0], FILES[1]])?;
    pair(&images, &labels)
}

/// Reads the test set alone, as [`load`] does.
///
/// ```no_run
/// # use gradus_nn::data::mnist;
/// assert_eq!(mnist::load_test("data/mnist")?.len(), 10_000);
/// # Ok::<(), gradus_nn::DataError>(())
/// ```
///
/// # Errors
/// As [`load`]: its two files are enough.
pub fn load_test(dir: impl AsRef<Path>) -> Result<Dataset, DataError> {
    let [images, labels] = files(dir.as_ref(), [FILES[2], FILES[3]])?;
    pair(&images, &labels)
}

/// Where the files of these names lie in a directory.
fn files<const N: usize>(dir: &Path, names: [&str; N]) -> Result<[PathBuf; N], DataError> {
    let found = names.map(|name| find(dir, name));
    let missing: Vec<&str> =
        names.iter().zip(&found).filter(|(_, file)| file.is_none()).map(|(&name, _)| name).collect();
    match missing.is_empty() {
        true => Ok(found.map(|file| file.expect("none is missing"))),
        false => Err(DataError::new(dir, format!("has no {} (or .gz)", missing.join(", ")))),
    }
}

fn find(dir: &Path, name: &str) -> Option<PathBuf> {
    [dir.join(name), dir.join(format!("{name}.gz"))].into_iter().find(|file| file.exists())
}

/// The images of one file with the labels of another.
fn pair(images_file: &Path, labels_file: &Path) -> Result<Dataset, DataError> {
    let images = idx::read(images_file)?;
    let &[n, 28, 28] = &images.shape[..] else {
        return Err(DataError::new(
            images_file,
            format!("holds the shape {:?}, not images [n, 28, 28]", images.shape),
        ));
    };
    let labels = idx::read(labels_file)?;
    let wrong = |reason: String| Err(DataError::new(labels_file, reason));
    if labels.shape != [n] {
        return wrong(format!("holds the shape {:?}, but there are {n} images", labels.shape));
    }
    if let Some(at) = labels.elements.iter().position(|&label| label > 9) {
        return wrong(format!("label {at} is {}, not 0 to 9", labels.elements[at]));
    }
    let mut inputs = Tensor::zeros([n, 1, 28, 28]);
    for (input, &pixel) in inputs.as_mut_slice().iter_mut().zip(&images.elements) {
        *input = f32::from(pixel) / 255.0;
    }
    Ok(Dataset::new(inputs, labels.elements.into_iter().map(i32::from).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn idx_file(sizes: &[u32], elements: &[u8]) -> Vec<u8> {
        let sizes_bytes = sizes.iter().flat_map(|n| n.to_be_bytes());
        let header = [0, 0, 8, sizes.len() as u8].into_iter().chain(sizes_bytes);
        header.chain(elements.iter().copied()).collect()
    }

    fn images(n: u32) -> Vec<u8> {
        let pixels: Vec<u8> = (0..n * 784).map(|i| (i % 256) as u8).collect();
        idx_file(&[n, 28, 28], &pixels)
    }

    /// A directory with these four files, in the order of `FILES`.
    fn dir(files: [Vec<u8>; 4]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in FILES.iter().zip(files) {
            fs::write(dir.path().join(name), bytes).unwrap();
        }
        dir
    }

    fn small() -> [Vec<u8>; 4] {
        [images(3), idx_file(&[3], &[9, 0, 4]), images(1), idx_file(&[1], &[7])]
    }

    #[test]
    fn four_files_become_two_sets() {
        let dir = dir(small());
        // One of them named as if it were zipped, which its bytes deny.
        fs::rename(dir.path().join(FILES[2]), dir.path().join(format!("{}.gz", FILES[2]))).unwrap();
        let (train, test) = load(dir.path()).unwrap();
        assert_eq!(train.labels().as_slice(), [9, 0, 4]);
        assert_eq!(test.labels().as_slice(), [7]);
        assert_eq!(train.inputs().shape()[..], [3, 1, 28, 28]);
        // Pixel (i, row, column) was written as (784 i + 28 row + column) mod 256.
        assert_eq!(train.inputs().get([0, 0, 9, 3]), 1.0);
        assert_eq!(train.inputs().get([1, 0, 2, 5]), ((784 + 2 * 28 + 5) % 256) as f32 / 255.0);
        assert_eq!(test.inputs().get([0, 0, 0, 0]), 0.0);
    }

    #[test]
    fn all_missing_files_are_named_at_once() {
        let dir = dir(small());
        fs::remove_file(dir.path().join(FILES[0])).unwrap();
        fs::remove_file(dir.path().join(FILES[3])).unwrap();
        let error = load(dir.path()).unwrap_err();
        assert_eq!(error.path, dir.path());
        assert_eq!(error.reason, "has no train-images-idx3-ubyte, t10k-labels-idx1-ubyte (or .gz)");
    }

    #[test]
    fn either_set_is_read_without_the_files_of_the_other() {
        let dir = dir(small());
        let remove = |which: usize| fs::remove_file(dir.path().join(FILES[which])).unwrap();
        remove(0);
        assert_eq!(load_test(dir.path()).unwrap().labels().as_slice(), [7]);
        assert!(load_train(dir.path()).unwrap_err().reason.starts_with("has no train-images-idx3-ubyte (or"));
        fs::write(dir.path().join(FILES[0]), images(3)).unwrap();
        remove(2);
        assert_eq!(load_train(dir.path()).unwrap().labels().as_slice(), [9, 0, 4]);
        assert!(load(dir.path()).is_err());
    }

    #[test]
    fn sets_that_do_not_fit_together_are_errors() {
        let error = |which: usize, file: Vec<u8>| {
            let mut files = small();
            files[which] = file;
            let dir = dir(files);
            let error = load(dir.path()).unwrap_err();
            assert_eq!(error.path, dir.path().join(FILES[which]));
            error.reason
        };
        assert_eq!(error(1, idx_file(&[2], &[1, 2])), "holds the shape [2], but there are 3 images");
        assert_eq!(error(1, idx_file(&[3], &[1, 2, 10])), "label 2 is 10, not 0 to 9");
        assert_eq!(error(3, images(1)), "holds the shape [1, 28, 28], but there are 1 images");
        assert_eq!(error(2, idx_file(&[1], &[7])), "holds the shape [1], not images [n, 28, 28]");
        assert_eq!(
            error(0, idx_file(&[1, 2, 2], &[0; 4])),
            "holds the shape [1, 2, 2], not images [n, 28, 28]"
        );
        // Sizes that hold nothing ask for nothing.
        assert!(
            error(2, idx_file(&[0, u32::MAX, u32::MAX], &[])).starts_with("holds the shape [0, 4294967295")
        );
    }

    /// Facts about the real files: class counts and labels are published with them, mean and standard deviation are
    /// the constants that everybody normalises with.
    #[test]
    #[ignore = "needs the MNIST files: set GRADUS_MNIST to their directory"]
    fn the_real_files() {
        let (train, test) = load(std::env::var("GRADUS_MNIST").unwrap()).unwrap();
        assert_eq!((train.len(), test.len()), (60_000, 10_000));
        assert_eq!(train.labels().as_slice()[..10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
        assert_eq!(test.labels().as_slice()[..10], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
        let count = |data: &Dataset, class| data.labels().as_slice().iter().filter(|&&l| l == class).count();
        let counts: Vec<usize> = (0..10).map(|class| count(&train, class)).collect();
        assert_eq!(counts, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
        let counts: Vec<usize> = (0..10).map(|class| count(&test, class)).collect();
        assert_eq!(counts, [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
        let n = train.inputs().numel() as f64;
        let mean = train.inputs().iter().map(f64::from).sum::<f64>() / n;
        let variance = train.inputs().iter().map(|x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
        assert!((mean - 0.1307).abs() < 5e-5 && (variance.sqrt() - 0.3081).abs() < 5e-5, "{mean} {variance}");
    }
}
