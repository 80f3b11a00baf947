//! IDX, the format of MNIST and its kin, plain or gzipped: one file of images, one of labels beside it.
//!
//! A folder with `train-images…` and `t10k-images…` is read as one source whose holdout is the official
//! test set. Three dimensions are gray images; four are `[n, height, width, 3]`.

use std::{
    fs,
    io::{self, BufReader, Read},
    ops::Range,
    path::{Path, PathBuf},
};

use super::{Raw, SourceSpec};
use crate::{
    Error, ImageShape,
    table::text_file::{Unpacked, decompressed},
    transform::{MAX_SIDE, to_planes},
};

/// A source may have so many bytes of pixels, which lie in memory.
const MAX_BYTES: u64 = 4 << 30;

/// The files of one source: images, and the labels that belong to them.
#[derive(Debug)]
pub(crate) struct Files {
    train: (PathBuf, Option<PathBuf>),
    test: Option<(PathBuf, Option<PathBuf>)>,
}

#[derive(Debug)]
pub(crate) struct IdxSource {
    file: String,
    shape: ImageShape,
    /// Interleaved as in the file.
    pixels: Vec<u8>,
    labels: Option<Vec<String>>,
    holdout: Option<Range<usize>>,
}

impl Files {
    /// One file of images, with the labels beside it where the usual names say so.
    pub fn of(images: &Path) -> Self {
        Self { train: (images.to_owned(), labels_beside(images)), test: None }
    }
}

fn labels_beside(images: &Path) -> Option<PathBuf> {
    let name = images.file_name()?.to_string_lossy().into_owned();
    let renamed = name.replace("images", "labels");
    let candidates = [
        renamed.replace("idx3", "idx1").replace("idx4", "idx1"),
        renamed.replace("idx3", "idx1").replace("idx4", "idx1").trim_end_matches(".gz").to_owned(),
    ];
    candidates
        .into_iter()
        .filter(|c| *c != name)
        .map(|c| images.with_file_name(c))
        .find(|path| path.is_file())
}

/// Whether the file begins like IDX of bytes with three or four dimensions, packed or not.
pub(crate) fn is_idx(path: &Path) -> bool {
    let mut magic = [0u8; 4];
    let read = decompressed(path).is_ok_and(|mut file| file.read_exact(&mut magic).is_ok());
    read && matches!(magic, [0, 0, 8, 3 | 4])
}

impl IdxSource {
    /// The IDX files of a folder, if it holds such.
    pub fn find(dir: &Path) -> Option<Files> {
        let mut names: Vec<PathBuf> = fs::read_dir(dir).ok()?.flatten().map(|e| e.path()).collect();
        names.sort();
        let named = |part: &str| {
            let is = |p: &&PathBuf| p.file_name().is_some_and(|n| n.to_string_lossy().contains(part));
            names.iter().filter(is).find(|p| is_idx(p)).cloned()
        };
        let with_labels = |images: PathBuf| {
            let labels = labels_beside(&images);
            (images, labels)
        };
        let train = with_labels(named("train-images")?);
        Some(Files { train, test: named("t10k-images").map(with_labels) })
    }

    /// Opens IDX files of images and their labels; the test images become the holdout.
    ///
    /// # Errors
    /// A file cannot be read, is damaged or holds no images, the labels do not fit the images, or the test images have
    /// another size.
    pub fn open(files: Files, spec: &SourceSpec) -> Result<Self, Error> {
        let mut source = Self::read(&files.train, spec)?;
        if let Some(test) = &files.test {
            let other = Self::read(test, spec)?;
            if other.shape != source.shape {
                return Err(Error::bad(other.file, "its images have another size than the training file's"));
            }
            let n = source.len();
            source.pixels.extend(other.pixels);
            source.holdout = Some(n..source.len());
            source.labels = match (source.labels, other.labels) {
                (Some(mut a), Some(b)) => {
                    a.extend(b);
                    Some(a)
                }
                _ => None,
            };
        }
        if source.len() == 0 {
            return Err(Error::bad(source.file, "holds no images"));
        }
        Ok(source)
    }

    fn read((images, labels): &(PathBuf, Option<PathBuf>), spec: &SourceSpec) -> Result<Self, Error> {
        let shown = images.display().to_string();
        let (dims, pixels) = read_idx(images)?;
        let shape = match dims[..] {
            [_, height, width] => ImageShape { channels: 1, height, width },
            [_, height, width, 3] => ImageShape { channels: 3, height, width },
            _ => return Err(Error::bad(shown, format!("dimensions {dims:?} are no images"))),
        };
        let side = MAX_SIDE as usize;
        if shape.height == 0 || shape.width == 0 || shape.height > side || shape.width > side {
            return Err(Error::bad(
                shown,
                format!("images of {}×{} cannot be used", shape.width, shape.height),
            ));
        }
        let labels = match labels {
            Some(path) if !spec.no_labels() => Some(read_labels(path, dims[0])?),
            _ => None,
        };
        let file = images.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { file, shape, pixels, labels, holdout: None })
    }

    pub fn len(&self) -> usize {
        self.pixels.len() / self.shape.pixels()
    }

    pub fn name(&self, item: usize) -> String {
        format!("image {item} of {}", self.file)
    }

    pub fn labels(&self) -> Option<&[String]> {
        self.labels.as_deref()
    }

    pub fn fetch(&self, item: usize) -> Raw {
        let size = self.shape.pixels();
        Raw::Pixels(self.shape, to_planes(&self.pixels[item * size..(item + 1) * size], self.shape))
    }

    pub fn official_holdout(&self) -> Option<Range<usize>> {
        self.holdout.clone()
    }
}

fn read_labels(path: &Path, n: usize) -> Result<Vec<String>, Error> {
    let (dims, labels) = read_idx(path)?;
    if dims != [n] {
        return Err(Error::bad(path.display().to_string(), format!("{dims:?} labels do not fit {n} images")));
    }
    Ok(labels.into_iter().map(|l| l.to_string()).collect())
}

/// Dimensions and bytes of an IDX file of unsigned bytes. What is unpacked never exceeds what the header says.
fn read_idx(path: &Path) -> Result<(Vec<usize>, Vec<u8>), Error> {
    let fail = |why: String| Error::bad(path.display().to_string(), why);
    let mut reader = BufReader::new(decompressed(path)?);
    let mut word = [0u8; 4];
    let damaged = |error: io::Error| match Unpacked::is_over(&error) {
        true => Error::io(path)(error),
        false => fail(format!("is truncated or damaged ({error})")),
    };
    reader.read_exact(&mut word).map_err(damaged)?;
    let [0, 0, 8, rank @ 1..=4] = word else {
        return Err(fail("is no IDX file of bytes".to_owned()));
    };
    let mut dims = Vec::new();
    for _ in 0..rank {
        reader.read_exact(&mut word).map_err(damaged)?;
        dims.push(u32::from_be_bytes(word) as usize);
    }
    let size = dims.iter().try_fold(1u64, |size, &d| size.checked_mul(d as u64)).filter(|&s| s <= MAX_BYTES);
    let Some(size) = size else { return Err(fail(format!("dimensions {dims:?} are over the limit"))) };
    let mut bytes = Vec::new();
    reader.take(size + 1).read_to_end(&mut bytes).map_err(damaged)?;
    if bytes.len() as u64 != size {
        return Err(fail(format!("holds {} bytes where its header says {size}", bytes.len())));
    }
    Ok((dims, bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Write;

    fn idx(dims: &[u32], bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![0, 0, 8, dims.len() as u8];
        dims.iter().for_each(|d| out.extend(d.to_be_bytes()));
        out.extend(bytes);
        out
    }

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn plain_and_gzipped_with_labels_and_official_holdout() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: Vec<u8>| fs::write(dir.path().join(name), bytes).unwrap();
        write("train-images-idx3-ubyte.gz", gz(&idx(&[3, 2, 2], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])));
        write("train-labels-idx1-ubyte.gz", gz(&idx(&[3], &[7, 8, 9])));
        write("t10k-images-idx3-ubyte", idx(&[1, 2, 2], &[20, 21, 22, 23]));
        write("t10k-labels-idx1-ubyte", idx(&[1], &[7]));
        let source = IdxSource::open(IdxSource::find(dir.path()).unwrap(), &SourceSpec::default()).unwrap();
        assert_eq!(source.len(), 4);
        assert_eq!(source.labels().unwrap(), ["7", "8", "9", "7"]);
        assert_eq!(source.official_holdout(), Some(3..4));
        let Raw::Pixels(shape, pixels) = source.fetch(3) else { unreachable!("IDX holds pixels") };
        assert_eq!((shape.channels, pixels), (1, vec![20, 21, 22, 23]));
    }

    #[test]
    fn damaged_files_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("images-idx3-ubyte");
        for bytes in [
            idx(&[3, 2, 2], &[1, 2, 3]),
            idx(&[1, 2, 2], &[1, 2, 3, 4, 5]),
            idx(&[u32::MAX, u32::MAX, u32::MAX], &[]),
            vec![0, 0, 8],
            // A bomb: the header promises four bytes, a million follow.
            gz(&idx(&[1, 2, 2], &vec![0; 1_000_000])),
        ] {
            fs::write(&path, bytes).unwrap();
            assert!(read_idx(&path).is_err());
        }
    }
}
