//! PNG images, one by one and in folders, one for each class. Needs the feature `png`.

use super::Dataset;
use crate::save::{DataError, Reason, expansion_limit, read_file, room, write_atomically};
use gradus_tensor::{Indices, Interpolation, Tensor};
use png::{BitDepth, ColorType, Decoder, Encoder, Transformations};
use std::{
    fs,
    io::Cursor,
    path::{Path, PathBuf},
};

/// Reads a PNG image: `[channels, h, w]` with values in 0..=1, one channel for grey images and three for coloured ones and
/// palettes. Samples of 8 bits are v / 255, of 16 bits v / 65535, of fewer likewise; transparency is left out.
///
/// An image may unpack to 64 MiB, or to 100 times the file's size when that is more.
///
/// # Errors
/// When the file cannot be read, is damaged or no PNG, or is larger.
///
/// ```
/// use gradus_nn::data::images;
/// use gradus_tensor::Tensor;
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("step.png");
/// images::write(&path, &Tensor::from([[0.0, 0.2, 1.0]]))?;
/// let image = images::read(&path)?;
/// assert_eq!(image.shape(), &[1, 1, 3]);
/// assert_eq!(image.to_vec(), [0.0, 0.2, 1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read(path: impl AsRef<Path>) -> Result<Tensor, DataError> {
    let path = path.as_ref();
    let bytes = read_file(path);
    bytes.and_then(|bytes| decode(&bytes)).map_err(|reason| DataError::new(path, reason))
}

/// Writes a PNG image of 8 bits a channel, ⌊255 x + 1/2⌋ of values in 0..=1: a grey one of `[h, w]` or `[1, h, w]`, a coloured
/// one of `[3, h, w]`. The file is complete or not there at all. An example is at [`read`].
///
/// # Errors
/// When a value is not in 0..=1, or the file cannot be written.
///
/// # Panics
/// When the image has another shape, or no pixels.
#[track_caller]
pub fn write(path: impl AsRef<Path>, image: &Tensor) -> Result<(), DataError> {
    let path = path.as_ref();
    let file = encode_tensor("images::write", image).map_err(|reason| DataError::new(path, reason))?;
    write_atomically(path, file)
}

/// The file that [`write`] writes, for a function of this name.
#[track_caller]
pub(crate) fn encode_tensor(of: &str, image: &Tensor) -> Result<Vec<u8>, Reason> {
    let (channels, h, w) = match image.shape()[..] {
        [h, w] => (1, h, w),
        [channels @ (1 | 3), h, w] => (channels, h, w),
        _ => panic!("{of}: an image is [h, w], [1, h, w] or [3, h, w], not {}", image.shape()),
    };
    assert!(h > 0 && w > 0, "{of}: an image {} has no pixels", image.shape());
    let byte = |x: f32| match (0.0..=1.0).contains(&x) {
        true => Ok((255.0 * x).round() as u8),
        false => Err(format!("a value of the image is {x}, not in 0..=1")),
    };
    let pixels = image.reshape([channels, h * w]).t();
    let bytes: Vec<u8> = pixels.iter().map(byte).collect::<Result<_, _>>()?;
    encode([w, h], if channels == 1 { ColorType::Grayscale } else { ColorType::Rgb }, &bytes)
}

/// The file of an image of 8 bits a channel.
pub(crate) fn encode([w, h]: [usize; 2], color: ColorType, bytes: &[u8]) -> Result<Vec<u8>, Reason> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, u32::try_from(w)?, u32::try_from(h)?);
    encoder.set_color(color);
    encoder.set_depth(BitDepth::Eight);
    encoder.write_header()?.write_image_data(bytes)?;
    Ok(file)
}

/// How the images of a folder are brought to one form. By default they are not: each must have the first one's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FolderOptions {
    /// The number of channels: 1 makes coloured images grey, 0.299 r + 0.587 g + 0.114 b (ITU-R BT.601); 3 gives grey ones
    /// three equal channels.
    pub channels: Option<usize>,
    /// `[h, w]`: images of other sizes are interpolated, linearly along each axis, the outer edges of the corner pixels lying
    /// on each other. One that is made much smaller loses pixels that lie between.
    pub size: Option<[usize; 2]>,
}

/// Reads a folder that has a folder of PNG images for each class, with the default [`FolderOptions`]: images
/// `[n, channels, h, w]`, each as [`read`] reads it, and the names of the classes in alphabetic order, which are what the labels
/// count. Folders without PNG images are no classes; files and folders whose names begin with a point are left out, as is what
/// is no regular file.
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
#[doc(alias = "ImageFolder")]
pub fn folder(path: impl AsRef<Path>) -> Result<(Dataset, Vec<String>), DataError> {
    folder_with(path, &FolderOptions::default())
}

/// Reads a folder of images, as [`folder`] with options.
///
/// ```no_run
/// # use gradus_nn::data::images::{self, FolderOptions};
/// let options = FolderOptions { channels: Some(3), size: Some([64, 64]) };
/// let (photos, classes) = images::folder_with("data/photos", &options)?;
/// assert_eq!(photos.inputs().shape()[1..], [3, 64, 64]);
/// # Ok::<(), gradus_nn::DataError>(())
/// ```
///
/// # Errors
/// As [`folder`].
///
/// # Panics
/// When the number of channels is neither 1 nor 3, or a size is 0.
#[track_caller]
pub fn folder_with(
    path: impl AsRef<Path>,
    options: &FolderOptions,
) -> Result<(Dataset, Vec<String>), DataError> {
    assert!(
        matches!(options.channels, None | Some(1 | 3)) && options.size.is_none_or(|size| !size.contains(&0)),
        "images::folder: images have 1 or 3 channels and at least one pixel, not {options:?}"
    );
    let path = path.as_ref();
    let (mut elements, mut labels, mut classes, mut first) = (Vec::new(), Vec::new(), Vec::new(), None);
    for class in entries(path)?.into_iter().filter(|entry| entry.is_dir()) {
        let images: Vec<PathBuf> = entries(&class)?.into_iter().filter(|file| is_png(file)).collect();
        if images.is_empty() {
            continue;
        }
        for file in images {
            let image = converted(read(&file)?, options);
            let expected = first.get_or_insert_with(|| image.shape().clone());
            if image.shape() != expected {
                let reason = format!(
                    "is an image {}, the first one {expected}: [channels, height, width]; FolderOptions brings them \
                     to one form",
                    image.shape()
                );
                return Err(DataError::new(&file, reason));
            }
            elements.extend(image.iter());
            labels.push(classes.len() as i32);
        }
        classes.push(class.file_name().unwrap_or_default().display().to_string());
    }
    let Some(shape) = first else {
        return Err(DataError::new(path, "has no folders with PNG images in them"));
    };
    let images = Tensor::try_new(&elements, [&[labels.len()], &shape[..]].concat());
    let images = images.map_err(|error| DataError::new(path, error))?;
    Ok((Dataset::new(images, Indices::from(labels)), classes))
}

/// What is in a folder, in alphabetic order, without what is hidden.
fn entries(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    let all =
        || -> std::io::Result<Vec<PathBuf>> { fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect() };
    let mut paths = all().map_err(|error| DataError::new(path, error))?;
    paths.retain(|path| path.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b".")));
    paths.sort();
    Ok(paths)
}

/// Whether it is a file of this name. A link that leads nowhere is one: reading it says so.
fn is_png(path: &Path) -> bool {
    path.extension().is_some_and(|ext| ext.eq_ignore_ascii_case("png"))
        && fs::metadata(path).map_or(true, |found| found.is_file())
}

fn converted(mut image: Tensor, options: &FolderOptions) -> Tensor {
    match (image.shape()[0], options.channels) {
        (1, Some(3)) => {
            let shape = [3, image.shape()[1], image.shape()[2]];
            image = image.broadcast_to(shape);
        }
        (3, Some(1)) => {
            let channel = |c| image.slice(0, c..c + 1);
            image = channel(0) * 0.299 + channel(1) * 0.587 + channel(2) * 0.114;
        }
        _ => {}
    }
    for (axis, size) in options.size.iter().flatten().enumerate() {
        if image.shape()[axis + 1] != *size {
            let linear = Interpolation::Linear { align_corners: false };
            image = image.interpolate_axis(axis as isize + 1, *size, None, linear);
        }
    }
    image
}

/// What the images of other formats begin with.
const OTHER_FORMATS: [(&[u8], &str); 6] = [
    (b"\xff\xd8\xff", "a JPEG"),
    (b"GIF8", "a GIF"),
    (b"BM", "a BMP"),
    (b"II*\0", "a TIFF"),
    (b"MM\0*", "a TIFF"),
    (b"RIFF", "a WEBP"),
];

fn decode(bytes: &[u8]) -> Result<Tensor, Reason> {
    if let Some((_, format)) = OTHER_FORMATS.iter().find(|(begin, _)| bytes.starts_with(begin)) {
        return Err(format!("is {format} by its first bytes, not a PNG, which alone is read").into());
    }
    let limit = expansion_limit(bytes.len());
    let mut decoder = Decoder::new(Cursor::new(bytes));
    // No palette, and at least eight bits a channel.
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info()?;
    if reader.info().palette.as_ref().is_some_and(|palette| palette.len() % 3 != 0) {
        return Err("has a palette whose last color is not whole".into());
    }
    let (w, h) = (reader.info().width, reader.info().height);
    let len = reader.output_buffer_size().filter(|&len| len <= limit);
    let len =
        len.ok_or_else(|| format!("claims {w} x {h} pixels, which unpack to more than {limit} bytes"))?;
    let mut bytes = room(len)?;
    bytes.resize(len, 0);
    let frame = reader.next_frame(&mut bytes)?;
    let (samples, channels) = match frame.color_type {
        ColorType::Grayscale => (1, 1),
        ColorType::GrayscaleAlpha => (2, 1),
        ColorType::Rgb => (3, 3),
        ColorType::Rgba => (4, 3),
        ColorType::Indexed => return Err("has a palette that was not resolved".into()),
    };
    let (w, h) = (frame.width as usize, frame.height as usize);
    let mut values: Vec<f32> = room(h * w * samples)?;
    match frame.bit_depth {
        BitDepth::Sixteen => {
            let (words, _) = bytes.as_chunks();
            values.extend(words.iter().map(|&word| f32::from(u16::from_be_bytes(word)) / 65535.0));
        }
        _ => values.extend(bytes.iter().map(|&byte| f32::from(byte) / 255.0)),
    }
    let image = Tensor::try_new(values, [h, w, samples])?;
    Ok(image.slice(2, ..channels).permute([2, 0, 1]).contiguous())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn png(path: &Path, [w, h]: [u32; 2], color: ColorType, bytes: &[u8]) {
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
        png(&at("dogs/a.png"), [2, 1], ColorType::Rgb, &[255, 0, 51, 0, 255, 102]);
        png(&at("cats/b.PNG"), [2, 1], ColorType::Rgba, &[1, 2, 3, 255, 4, 5, 6, 0]);
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
        png(&at("a/1.png"), [2, 1], ColorType::Grayscale, &[9, 8]);
        png(&at("a/2.png"), [1, 2], ColorType::Grayscale, &[9, 8]);
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

    #[test]
    fn what_is_hidden_or_no_image_makes_no_class() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["b/1.png", ".git/1.png", "b/._1.png"] {
            png(&at(name), [1, 1], ColorType::Grayscale, &[9]);
        }
        fs::write(at("b/._1.png"), "what another system keeps beside an image").unwrap();
        fs::create_dir(at("a")).unwrap();
        fs::create_dir(at("b/2.png")).unwrap();
        #[cfg(unix)]
        let _held = std::os::unix::net::UnixListener::bind(at("b/3.png")).unwrap();
        let (images, classes) = folder(dir.path()).unwrap();
        assert_eq!((images.len(), &classes[..]), (1, &["b".to_owned()][..]));
        assert_eq!(images.labels().as_slice(), [0]);
        // A link that leads nowhere was meant to be an image.
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("nowhere", at("b/4.png")).unwrap();
            assert_eq!(folder(dir.path()).unwrap_err().path, at("b/4.png"));
        }
    }

    #[test]
    fn images_are_brought_to_one_form_when_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        png(&at("a/1.png"), [2, 1], ColorType::Grayscale, &[0, 255]);
        png(&at("a/2.png"), [1, 1], ColorType::Rgb, &[255, 51, 0]);
        assert!(folder(dir.path()).unwrap_err().reason.contains("FolderOptions brings them to one form"));
        let read = |channels, size| {
            let options = FolderOptions { channels: Some(channels), size: Some(size) };
            folder_with(dir.path(), &options).unwrap().0.inputs().clone()
        };
        assert_eq!(read(3, [1, 2]).to_vec(), [0., 1., 0., 1., 0., 1., 1., 1., 0.2, 0.2, 0., 0.]);
        let grey = read(1, [1, 4]).to_vec();
        // Linear between the middles of two pixels, and the weights of red and green.
        let expected = [0.0, 0.25, 0.75, 1.0, 0.4164, 0.4164, 0.4164, 0.4164];
        assert!(grey.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{grey:?}");
    }

    #[test]
    fn one_image_is_written_and_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image.png");
        let bytes = Tensor::arange(3 * 4 * 5);
        for image in [bytes.reshape([3, 4, 5]), bytes.reshape([1, 12, 5]), bytes.reshape([5, 12]).t()] {
            write(&path, &(&image / 255.0)).unwrap();
            let back = read(&path).unwrap();
            assert_eq!(back.reshape(image.shape()), image / 255.0);
        }
        // Rounded to the nearest of 256 values, half of one up.
        write(&path, &Tensor::from([[0.5, 0.001, 0.003]])).unwrap();
        assert_eq!(read(&path).unwrap(), Tensor::from([[[128.0, 0.0, 1.0]]]) / 255.0);
        for value in [f32::NAN, -0.01, 1.01] {
            let error = write(&path, &Tensor::full([1, 1], value)).unwrap_err();
            assert_eq!(error.reason, format!("a value of the image is {value}, not in 0..=1"));
        }
    }

    #[test]
    #[should_panic = "images::write: an image is [h, w], [1, h, w] or [3, h, w], not [2, 4, 4]"]
    fn an_image_of_two_channels_panics() {
        let _ = write("image.png", &Tensor::zeros([2, 4, 4]));
    }

    fn encoded(color: ColorType, depth: BitDepth, palette: Option<&[u8]>, bytes: &[u8]) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, 2, 1);
        encoder.set_color(color);
        encoder.set_depth(depth);
        if let Some(palette) = palette {
            encoder.set_palette(palette.to_vec());
        }
        encoder.write_header().unwrap().write_image_data(bytes).unwrap();
        file
    }

    #[test]
    fn sixteen_bits_are_all_used() {
        let grey = encoded(ColorType::Grayscale, BitDepth::Sixteen, None, &[0x80, 0xff, 0x00, 0x01]);
        assert_eq!(decode(&grey).unwrap().to_vec(), [33023.0 / 65535.0, 1.0 / 65535.0]);
        let alpha =
            encoded(ColorType::GrayscaleAlpha, BitDepth::Sixteen, None, &[0xff, 0xff, 0, 0, 0, 0, 1, 2]);
        assert_eq!(decode(&alpha).unwrap().to_vec(), [1.0, 0.0]);
        let few = encoded(ColorType::Grayscale, BitDepth::Two, None, &[0b0111_0000]);
        assert_eq!(decode(&few).unwrap().to_vec(), [85.0 / 255.0, 1.0]);
    }

    /// The CRC of every chunk set right, after its contents were changed.
    fn with_checksums(mut file: Vec<u8>) -> Vec<u8> {
        let mut at = 8;
        while at + 12 <= file.len() {
            let len = u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
            let Some(chunk) = file.get(at + 4..at + 8 + len) else { break };
            let mut crc = flate2::Crc::new();
            crc.update(chunk);
            let sum = crc.sum().to_be_bytes();
            if let Some(place) = file.get_mut(at + 8 + len..at + 12 + len) {
                place.copy_from_slice(&sum);
            }
            at += 12 + len;
        }
        file
    }

    #[test]
    fn a_palette_that_ends_within_a_color_is_an_error() {
        let file = encoded(ColorType::Indexed, BitDepth::Eight, Some(&[1, 2, 3, 255, 0, 51]), &[1, 0]);
        assert_eq!(decode(&file).unwrap().to_vec().len(), 6);
        let at = file.windows(4).position(|bytes| bytes == b"PLTE").unwrap();
        let mut short = file.clone();
        short.remove(at + 9);
        short[at - 1] = 5;
        let error = decode(&with_checksums(short)).unwrap_err().to_string();
        assert_eq!(error, "has a palette whose last color is not whole");
    }

    #[test]
    fn an_image_that_claims_very_many_pixels_takes_no_memory() {
        let mut file = encoded(ColorType::Grayscale, BitDepth::Eight, None, &[1, 2]);
        for size in [150_000u32, 1 << 30, u32::MAX >> 1] {
            file[16..20].copy_from_slice(&size.to_be_bytes());
            file[20..24].copy_from_slice(&size.to_be_bytes());
            let error = decode(&with_checksums(file.clone())).unwrap_err().to_string();
            assert!(
                error.contains("unpack to more than") || error.to_lowercase().contains("limit"),
                "{error}"
            );
        }
    }

    proptest! {
        #[test]
        fn changed_images_never_panic(
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            kind in 0usize..4,
        ) {
            let mut file = match kind {
                0 => encoded(ColorType::Rgb, BitDepth::Eight, None, &[1; 6]),
                1 => encoded(ColorType::Indexed, BitDepth::Two, Some(&[1, 2, 3, 4, 5, 6]), &[0x40]),
                2 => encoded(ColorType::GrayscaleAlpha, BitDepth::Sixteen, None, &[1; 8]),
                _ => encoded(ColorType::Grayscale, BitDepth::One, None, &[0x40]),
            };
            for (at, value) in flips {
                let at = at.index(file.len());
                file[at] = value;
            }
            let _ = decode(&file);
            let _ = decode(&with_checksums(file));
        }
    }
}
