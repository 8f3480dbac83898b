//! Folders of PNG images, one for each class. Needs the feature `png`.

use super::Dataset;
use crate::save::{DataError, Reason};
use gradus_tensor::{Indices, Tensor};
use png::{ColorType, Decoder, Transformations};
use std::{
    fs,
    io::BufReader,
    path::{Path, PathBuf},
};

/// Reads a folder that has a folder of PNG images for each class: images `[n, channels, h, w]` with values in 0..=1, one
/// channel for grey images and three for coloured ones, and the names of the classes in alphabetic order, which are what the
/// labels count. Transparency is left out.
///
/// ```no_run
/// # use gradus_nn::data::images;
/// let (pets, classes) = images::folder("data/pets")?;
/// assert_eq!(classes, ["cats", "dogs"]);
/// # Ok::<(), gradus_nn::DataError>(())
/// ```
///
/// # Errors
/// When there are no images, one cannot be read, or they differ in size or in the number of channels.
pub fn folder(path: impl AsRef<Path>) -> Result<(Dataset, Vec<String>), DataError> {
    let path = path.as_ref();
    let classes: Vec<PathBuf> = entries(path)?.into_iter().filter(|entry| entry.is_dir()).collect();
    let (mut elements, mut labels, mut first) = (Vec::new(), Vec::new(), None);
    for (label, class) in classes.iter().enumerate() {
        let is_png = |file: &PathBuf| file.extension().is_some_and(|ext| ext.eq_ignore_ascii_case("png"));
        for file in entries(class)?.into_iter().filter(is_png) {
            let (shape, pixels) = image(&file).map_err(|reason| DataError::new(&file, reason))?;
            let expected = *first.get_or_insert(shape);
            if shape != expected {
                let reason =
                    format!("is an image {shape:?}, the first one {expected:?}: [channels, height, width]");
                return Err(DataError::new(&file, reason));
            }
            elements.extend(pixels);
            labels.push(label as i32);
        }
    }
    let Some([channels, h, w]) = first else {
        return Err(DataError::new(path, "has no folders with PNG images in them"));
    };
    let names = classes.iter().map(|class| class.file_name().unwrap_or_default().display().to_string());
    let images = Tensor::new(&elements, [labels.len(), channels, h, w]);
    Ok((Dataset::new(images, Indices::from(labels)), names.collect()))
}

/// What is in a folder, in alphabetic order.
fn entries(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    let all =
        || -> std::io::Result<Vec<PathBuf>> { fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect() };
    let mut paths = all().map_err(|error| DataError::new(path, error))?;
    paths.sort();
    Ok(paths)
}

/// The shape [channels, height, width] of an image, and its pixels channel by channel.
fn image(path: &Path) -> Result<([usize; 3], Vec<f32>), Reason> {
    let mut decoder = Decoder::new(BufReader::new(fs::File::open(path)?));
    // Eight bits a channel, whatever the file has, and no palette.
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info()?;
    let mut bytes = vec![0; reader.output_buffer_size().ok_or("is too large")?];
    let frame = reader.next_frame(&mut bytes)?;
    let (samples, channels) = match frame.color_type {
        ColorType::Grayscale => (1, 1),
        ColorType::GrayscaleAlpha => (2, 1),
        ColorType::Rgb => (3, 3),
        ColorType::Rgba => (4, 3),
        ColorType::Indexed => return Err("has a palette that was not resolved".into()),
    };
    let (w, h) = (frame.width as usize, frame.height as usize);
    let pixels = (0..channels)
        .flat_map(|channel| bytes[..w * h * samples].iter().skip(channel).step_by(samples))
        .map(|&byte| f32::from(byte) / 255.0);
    Ok(([channels, h, w], pixels.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use png::{BitDepth, Encoder};

    fn write(path: &Path, [w, h]: [u32; 2], color: ColorType, bytes: &[u8]) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut encoder = Encoder::new(fs::File::create(path).unwrap(), w, h);
        encoder.set_color(color);
        encoder.set_depth(BitDepth::Eight);
        encoder.write_header().unwrap().write_image_data(bytes).unwrap();
    }

    #[test]
    fn folders_become_classes_and_pixels_channels() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        write(&at("dogs/a.png"), [2, 1], ColorType::Rgb, &[255, 0, 51, 0, 255, 102]);
        write(&at("cats/b.PNG"), [2, 1], ColorType::Rgba, &[1, 2, 3, 255, 4, 5, 6, 0]);
        fs::write(at("cats/notes.txt"), "no image").unwrap();
        fs::write(at("readme"), "no class").unwrap();
        let (images, classes) = folder(dir.path()).unwrap();
        assert_eq!(classes, ["cats", "dogs"]);
        assert_eq!(images.labels().as_slice(), [0, 1]);
        assert_eq!(images.inputs().shape(), &[2, 3, 1, 2]);
        let bytes: Vec<f32> = images.inputs().iter().map(|x| (x * 255.0).round()).collect();
        assert_eq!(bytes, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0, 255.0, 0.0, 0.0, 255.0, 51.0, 102.0]);
    }

    #[test]
    fn images_that_do_not_fit_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        assert!(folder(dir.path()).unwrap_err().reason.contains("has no folders with PNG images"));
        write(&at("a/1.png"), [2, 1], ColorType::Grayscale, &[9, 8]);
        write(&at("a/2.png"), [1, 2], ColorType::Grayscale, &[9, 8]);
        let error = folder(dir.path()).unwrap_err();
        assert_eq!(error.path, at("a/2.png"));
        assert!(error.reason.contains("is an image [1, 2, 1], the first one [1, 1, 2]"), "{error}");
        fs::write(at("a/2.png"), b"no image").unwrap();
        assert_eq!(folder(dir.path()).unwrap_err().path, at("a/2.png"));
        let whole = fs::read(at("a/1.png")).unwrap();
        for len in 0..whole.len() - 12 {
            fs::write(at("a/1.png"), &whole[..len]).unwrap();
            assert_eq!(folder(dir.path()).unwrap_err().path, at("a/1.png"), "{len} bytes");
        }
        assert!(folder(at("nowhere")).is_err());
    }
}
