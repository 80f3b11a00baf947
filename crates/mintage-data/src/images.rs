//! A set of images, opened: decoded once and kept in memory when they fit, decoded on demand when not.
//!
//! Opening fixes the codec (size, colour, classes), counts what cannot be read, and splits the items.

mod survey;

use image::DynamicImage;
use rayon::prelude::*;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use self::survey::survey;
use crate::{
    Error, ImageBatch, ImageShape, ImageTransform, Images, Palette, SourceSpec, Splits,
    items::{Skipped, class_names, label_indices},
    palette::PaletteScan,
    source::{Raw, Source},
    transform::to_interleaved,
};

/// Decoded images are kept in memory up to this many bytes.
const MEMORY_LIMIT: usize = 512 << 20;
/// Items decoded at a time while opening, which bounds memory.
const IMAGES_PER_CHUNK: usize = 1024;

/// A set of images of one shape, split into train, valid and holdout.
#[derive(Debug)]
pub struct ImageSet {
    codec: ImageTransform,
    store: Store,
    names: Names,
    labels: Vec<u32>,
    splits: Splits,
    /// The colours of the train split where they are few; not looked for where a codec was given.
    palette: Option<Palette>,
    fingerprint: u64,
    skipped: Skipped,
    /// What opening found worth telling, but for what could not be read.
    notes: Vec<String>,
    /// Table and column of a database.
    place: Option<(String, String)>,
}

#[derive(Debug)]
enum Store {
    /// All images, CHW, one after another.
    Memory(Vec<u8>),
    /// The source's item of each image.
    Stream(Box<Source>, Vec<u32>),
}

#[derive(Debug)]
enum Names {
    Numbered,
    Listed(Vec<String>),
}

/// What opening found, before the splits.
struct Scan {
    /// Source items that could be read.
    items: Vec<u32>,
    hashes: Vec<u64>,
    pixels: Vec<u8>,
    skipped: Skipped,
}

impl ImageSet {
    /// Opens a source; the size, the colour and the classes follow from the specification and the data.
    ///
    /// # Errors
    /// The source cannot be read, an option of `spec` is out of bounds, too many images cannot be decoded, or fewer
    /// than two can be.
    pub fn open(spec: &SourceSpec) -> Result<Self, Error> {
        Self::open_within(spec, MEMORY_LIMIT)
    }

    /// [`ImageSet::open`] with its own limit on the bytes that are kept in memory; beyond it images are decoded each
    /// time they are asked for.
    ///
    /// # Errors
    /// Those of [`ImageSet::open`].
    pub fn open_within(spec: &SourceSpec, memory: usize) -> Result<Self, Error> {
        Self::open_with(spec, None, memory)
    }

    /// Opens a source as a trained model sees it: its size, its colour, its classes. Labels that the model
    /// does not know become "no class".
    ///
    /// # Errors
    /// The source cannot be read, too many of its images cannot be decoded, or none can be.
    pub fn open_as(spec: &SourceSpec, codec: &ImageTransform) -> Result<Self, Error> {
        Self::open_with(spec, Some(codec.clone()), MEMORY_LIMIT)
    }

    fn open_with(spec: &SourceSpec, codec: Option<ImageTransform>, memory: usize) -> Result<Self, Error> {
        let given = codec.is_some();
        let source = Source::open(spec)?;
        if spec.limit == Some(0) {
            return Err(Error::bad("limit", "must be at least 1"));
        }
        let chosen = source.chosen(spec.limit.unwrap_or(usize::MAX));
        let mut notes = source.notes();
        let mut codec = match codec {
            Some(codec) => codec,
            None => survey(&source, &chosen, spec, &mut notes)?,
        };
        let in_memory = chosen.len().saturating_mul(codec.shape.pixels()) <= memory;
        let scan = scan(&source, &chosen, &codec, spec, in_memory)?;
        let too_few = !given && scan.items.len() < 2;
        if scan.items.is_empty() || too_few {
            let why = if too_few {
                "holds one image only; there is nothing to learn from one"
            } else {
                "holds no readable image"
            };
            return Err(Error::bad(&spec.source, why).with_hint("a few hundred images are a good beginning"));
        }
        let texts: Option<Vec<&str>> =
            source.labels().map(|all| scan.items.iter().map(|&i| all[i as usize].as_str()).collect());
        if !given {
            codec.classes = match &texts {
                Some(texts) => class_names(texts, "images", &spec.source)?,
                None => Vec::new(),
            };
        }
        let labels = label_indices(texts.as_deref(), &codec.classes);
        let splits = splits_of(&source, &scan);
        let names = Names::Listed(scan.items.iter().map(|&i| source.name(i as usize)).collect());
        let fingerprint = fingerprint(&scan.hashes, &labels, &codec);
        let place = source.place();
        let Scan { items, pixels, skipped, .. } = scan;
        let store = if in_memory { Store::Memory(pixels) } else { Store::Stream(Box::new(source), items) };
        let palette = None;
        let mut set =
            Self { codec, store, names, labels, splits, palette, fingerprint, skipped, notes, place };
        if !given {
            set.palette = set.find_palette()?;
        }
        Ok(set)
    }

    /// Images that lie in memory already.
    pub fn from_memory(images: Images) -> Self {
        let hashes: Vec<u64> = images.pixels.chunks(images.shape.pixels().max(1)).map(xxh3_64).collect();
        let mut set = Self::from_memory_split(images, Splits::of(&hashes, None));
        // What lies in memory can be read.
        set.palette = set.find_palette().unwrap_or_default();
        set
    }

    /// The same, split as is said, without a look at its colours.
    pub fn from_memory_split(images: Images, splits: Splits) -> Self {
        let hashes: Vec<u64> = images.pixels.chunks(images.shape.pixels().max(1)).map(xxh3_64).collect();
        let (shape, fit, classes) = (images.shape, crate::Fit::Crop, images.classes);
        let codec = ImageTransform { shape, fit, classes, white: None };
        Self {
            splits,
            palette: None,
            fingerprint: fingerprint(&hashes, &images.labels, &codec),
            codec,
            store: Store::Memory(images.pixels),
            names: Names::Numbered,
            labels: images.labels,
            skipped: Skipped::default(),
            notes: Vec::new(),
            place: None,
        }
    }

    /// `spec` with the table and the column that were found: another one with images, which may come
    /// later, does not make it ambiguous then.
    #[must_use]
    pub fn resolved(&self, spec: &SourceSpec) -> SourceSpec {
        let mut spec = spec.clone();
        if let Some((table, column)) = &self.place {
            spec.table.get_or_insert_with(|| table.clone());
            spec.column.get_or_insert_with(|| column.clone());
        }
        spec
    }

    pub fn len(&self) -> usize {
        match &self.store {
            Store::Memory(pixels) => pixels.len() / self.codec.shape.pixels().max(1),
            Store::Stream(_, items) => items.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn shape(&self) -> ImageShape {
        self.codec.shape
    }

    /// Class names by index; empty without labels.
    pub fn classes(&self) -> &[String] {
        &self.codec.classes
    }

    /// One class index an item; empty without labels.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    pub fn splits(&self) -> &Splits {
        &self.splits
    }

    /// Makes what validates a part of train.
    pub fn train_on_valid(&mut self) {
        self.splits.train_on_valid();
    }

    pub fn codec(&self) -> &ImageTransform {
        &self.codec
    }

    /// The colours of the train split as it was opened, where they are few.
    pub fn palette(&self) -> Option<&Palette> {
        self.palette.as_ref()
    }

    /// Reads the train split until it has too many colours, which photographs have at once.
    fn find_palette(&self) -> Result<Option<Palette>, Error> {
        let (mut scan, mut image) = (PaletteScan::new(self.codec.shape.channels), Vec::new());
        for &item in &self.splits.train {
            self.read(&[item], &mut image)?;
            if !scan.add(&image) {
                return Ok(None);
            }
        }
        Ok(scan.palette())
    }

    /// The same for the same items read the same way; names caches.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Items of the source that could not be read.
    pub fn skipped(&self) -> usize {
        self.skipped.count
    }

    /// Name and reason of the first of them.
    pub fn first_skip(&self) -> Option<&str> {
        self.skipped.first()
    }

    /// Name and reason of all of them.
    pub fn skips(&self) -> &[String] {
        &self.skipped.reasons
    }

    /// What opening found worth telling, but for what could not be read.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether images are decoded on demand because they would not fit in memory.
    pub fn is_streamed(&self) -> bool {
        matches!(self.store, Store::Stream(..))
    }

    /// What to call an item in a message.
    pub fn name(&self, item: u32) -> String {
        match &self.names {
            Names::Numbered => format!("image {item}"),
            Names::Listed(names) => names[item as usize].clone(),
        }
    }

    /// Replaces the contents of `out` with the bytes of the items of `indices`, `n` × CHW.
    ///
    /// # Errors
    /// An image that is not kept in memory cannot be read or decoded any more.
    pub fn read(&self, indices: &[u32], out: &mut Vec<u8>) -> Result<(), Error> {
        out.clear();
        let size = self.codec.shape.pixels();
        for &i in indices {
            match &self.store {
                Store::Memory(pixels) => out.extend(&pixels[i as usize * size..(i as usize + 1) * size]),
                Store::Stream(source, items) => {
                    let item = items[i as usize] as usize;
                    let (planes, _) = read_item(source, item, &self.codec)
                        .map_err(|why| Error::bad(source.name(item), format!("has changed: {why}")))?;
                    out.extend(planes);
                }
            }
        }
        Ok(())
    }

    /// The items of `indices` as a batch.
    ///
    /// # Errors
    /// Those of [`ImageSet::read`].
    pub fn batch(&self, indices: &[u32]) -> Result<ImageBatch, Error> {
        let mut pixels = Vec::new();
        self.read(indices, &mut pixels)?;
        Ok(ImageBatch { pixels, labels: self.labels_of(indices), n: indices.len() })
    }

    /// The items of `indices` with the names of their classes.
    ///
    /// # Errors
    /// Those of [`ImageSet::read`].
    pub fn images(&self, indices: &[u32]) -> Result<Images, Error> {
        let ImageBatch { pixels, labels, .. } = self.batch(indices)?;
        Ok(Images { shape: self.shape(), pixels, labels, classes: self.classes().to_vec() })
    }

    fn labels_of(&self, indices: &[u32]) -> Vec<u32> {
        match self.labels.is_empty() {
            true => Vec::new(),
            false => indices.iter().map(|&i| self.labels[i as usize]).collect(),
        }
    }
}

/// Reads and decodes every chosen item once.
fn scan(
    source: &Source,
    chosen: &[usize],
    codec: &ImageTransform,
    spec: &SourceSpec,
    keep: bool,
) -> Result<Scan, Error> {
    let mut scan =
        Scan { items: Vec::new(), hashes: Vec::new(), pixels: Vec::new(), skipped: Skipped::default() };
    for chunk in chosen.chunks(IMAGES_PER_CHUNK) {
        let decoded: Vec<Result<(Vec<u8>, u64), String>> =
            chunk.par_iter().map(|&item| read_item(source, item, codec)).collect();
        for (&item, result) in chunk.iter().zip(decoded) {
            match result {
                Ok((planes, hash)) => {
                    scan.items.push(item as u32);
                    scan.hashes.push(hash);
                    if keep {
                        scan.pixels.extend(planes);
                    }
                }
                Err(why) => scan.skipped.add(format!("{}: {why}", source.name(item)), spec)?,
            }
        }
    }
    scan.skipped.told(chosen.len(), "images", spec)?;
    Ok(scan)
}

/// One item as the codec wants it, with a hash of its bytes in the source.
fn read_item(source: &Source, item: usize, codec: &ImageTransform) -> Result<(Vec<u8>, u64), String> {
    match source.fetch(item).map_err(|e| e.to_string())? {
        Raw::Encoded(bytes) => Ok((codec.decode(&bytes)?, xxh3_64(&bytes))),
        Raw::Pixels(shape, planes) => {
            let hash = xxh3_64(&planes);
            if shape == codec.shape {
                return Ok((planes, hash));
            }
            let (w, h) = (shape.width as u32, shape.height as u32);
            let interleaved = to_interleaved(&planes, shape);
            let image = match shape.channels {
                1 => image::GrayImage::from_raw(w, h, interleaved).map(DynamicImage::ImageLuma8),
                _ => image::RgbImage::from_raw(w, h, interleaved).map(DynamicImage::ImageRgb8),
            };
            Ok((codec.unify(&image.ok_or("wrong size")?), hash))
        }
    }
}

fn splits_of(source: &Source, scan: &Scan) -> Splits {
    // The official holdout is a range of source items; items that were left out shift it.
    let official = source.official_holdout().map(|range| {
        let at = |bound: usize| scan.items.partition_point(|&i| (i as usize) < bound);
        at(range.start)..at(range.end)
    });
    Splits::of(&scan.hashes, official)
}

fn fingerprint(hashes: &[u64], labels: &[u32], codec: &ImageTransform) -> u64 {
    let mut hasher = Xxh3::new();
    hashes.iter().for_each(|h| hasher.update(&h.to_le_bytes()));
    labels.iter().for_each(|l| hasher.update(&l.to_le_bytes()));
    hasher.update(format!("{codec:?}").as_bytes());
    hasher.digest()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{png_bytes, sink::Images, transform::Color};
    use std::{fs, path::Path};

    /// `n` gray squares of different brightness, in two folders.
    fn fill(dir: &Path, n: usize) -> SourceSpec {
        let shape = ImageShape { channels: 1, height: 8, width: 8 };
        for i in 0..n {
            let sub = dir.join(["a", "b"][i % 2]);
            fs::create_dir_all(&sub).unwrap();
            let image = Images { shape, pixels: vec![(i * 3) as u8; 64], labels: vec![], classes: vec![] };
            fs::write(sub.join(format!("{i:03}.png")), png_bytes(&image, 0, None).unwrap()).unwrap();
        }
        SourceSpec { source: dir.display().to_string(), ..SourceSpec::default() }
    }

    #[test]
    fn streamed_equals_in_memory() {
        let dir = tempfile::tempdir().unwrap();
        let spec = fill(dir.path(), 40);
        let (a, b) = (ImageSet::open(&spec).unwrap(), ImageSet::open_within(&spec, 100).unwrap());
        assert!(b.is_streamed() && !a.is_streamed());
        let all: Vec<u32> = (0..40).collect();
        assert_eq!(a.batch(&all).unwrap(), b.batch(&all).unwrap());
        assert_eq!((a.splits(), a.fingerprint()), (b.splits(), b.fingerprint()));
        assert_eq!(a.classes(), ["a", "b"]);
    }

    #[test]
    fn few_colours_are_a_palette_in_memory_or_streamed() {
        let dir = tempfile::tempdir().unwrap();
        let spec = fill(dir.path(), 10);
        let (a, b) = (ImageSet::open(&spec).unwrap(), ImageSet::open_within(&spec, 100).unwrap());
        assert!(a.palette().is_some() && a.palette() == b.palette());
        let train = a.batch(&a.splits().train).unwrap();
        assert!(a.palette().unwrap().indices(&train.pixels, 64).missing.is_empty());
        assert!(ImageSet::open_as(&spec, a.codec()).unwrap().palette().is_none());
        // Forty levels of gray are no palette.
        let spec = fill(dir.path(), 40);
        assert!(ImageSet::open(&spec).unwrap().palette().is_none());
    }

    #[test]
    fn train_and_test_folders_divide_and_do_not_label() {
        let dir = tempfile::tempdir().unwrap();
        fill(&dir.path().join("train"), 30);
        fill(&dir.path().join("test"), 8);
        let spec = SourceSpec { source: dir.path().display().to_string(), ..SourceSpec::default() };
        let set = ImageSet::open(&spec).unwrap();
        assert_eq!(set.classes(), ["a", "b"]);
        let held: Vec<String> = set.splits().holdout.iter().map(|&i| set.name(i)).collect();
        assert!(held.len() == 8 && held.iter().all(|name| name.starts_with("test")), "{held:?}");
        // A class that happens to be called "train" stays one.
        fs::rename(dir.path().join("test"), dir.path().join("bus")).unwrap();
        assert_eq!(ImageSet::open(&spec).unwrap().classes(), ["bus", "train"]);
    }

    #[test]
    fn a_few_damaged_images_are_skipped_and_counted() {
        let dir = tempfile::tempdir().unwrap();
        let spec = fill(dir.path(), 40);
        fs::write(dir.path().join("a/broken.png"), b"\x89PNG\r\n\x1a\n half").unwrap();
        let set = ImageSet::open(&spec).unwrap();
        assert_eq!((set.len(), set.skipped()), (40, 1));
        assert!(set.first_skip().unwrap().contains("a/broken.png"));
        let error = ImageSet::open(&SourceSpec { strict: true, ..spec.clone() }).unwrap_err();
        assert!(error.to_string().contains("a/broken.png"), "{error}");
        for i in 0..5 {
            fs::write(dir.path().join(format!("a/broken{i}.png")), b"no").unwrap();
        }
        let error = ImageSet::open(&spec).unwrap_err();
        assert!(error.to_string().contains("6 of 46"), "{error}");
    }

    /// `n` scans of 16 bits, with samples up to `most`.
    fn scans(dir: &Path, n: u16, most: u16) -> SourceSpec {
        for i in 0..n {
            let pixel = |x, _| image::Luma([if x == 0 { most - i } else { 100 }]);
            let scan: image::ImageBuffer<_, Vec<u16>> = image::ImageBuffer::from_fn(8, 8, pixel);
            scan.save(dir.join(format!("{i:02}.png"))).unwrap();
        }
        SourceSpec { source: dir.display().to_string(), ..SourceSpec::default() }
    }

    #[test]
    fn scans_of_twelve_bits_are_as_bright_as_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let spec = scans(dir.path(), 10, 4095);
        let set = ImageSet::open(&spec).unwrap();
        assert_eq!(set.codec().white, Some(4095));
        assert!(set.notes()[0].contains("use 12 of them"), "{:?}", set.notes());
        let batch = set.batch(&[0]).unwrap();
        assert_eq!((batch.pixels.iter().max(), batch.pixels.iter().min()), (Some(&255), Some(&6)));
        // A model sees later images as it saw these.
        let again = ImageSet::open_as(&spec, set.codec()).unwrap();
        assert_eq!(again.batch(&[0]).unwrap(), batch);
        // One factor for all, whichever is brightest.
        let spec = scans(dir.path(), 1, 60_000);
        let set = ImageSet::open(&spec).unwrap();
        assert!(set.codec().white.is_none() && set.notes().is_empty(), "{:?}", set.notes());
    }

    #[test]
    fn dark_images_are_told_of() {
        let dir = tempfile::tempdir().unwrap();
        let spec = fill(dir.path(), 8);
        assert!(ImageSet::open(&spec).unwrap().notes()[0].contains("8 % of white"));
    }

    #[test]
    fn one_image_missing_source_and_wrong_names_are_clear() {
        let dir = tempfile::tempdir().unwrap();
        let spec = fill(dir.path(), 1);
        assert!(ImageSet::open(&spec).unwrap_err().to_string().contains("one image only"));
        let missing = SourceSpec { source: "nowhere.db".into(), ..SourceSpec::default() };
        assert!(ImageSet::open(&missing).unwrap_err().to_string().contains("no such file"));
    }

    #[test]
    fn size_and_colour_follow_the_specification() {
        let dir = tempfile::tempdir().unwrap();
        let spec = fill(dir.path(), 20);
        assert_eq!(ImageSet::open(&spec).unwrap().shape().channels, 1);
        let set = ImageSet::open(&SourceSpec { size: Some(12), color: Color::Rgb, ..spec.clone() }).unwrap();
        assert_eq!(set.shape(), ImageShape { channels: 3, height: 12, width: 12 });
        assert_eq!(ImageSet::open(&SourceSpec { limit: Some(7), ..spec }).unwrap().len(), 7);
    }

    #[test]
    fn a_model_s_codec_keeps_its_classes() {
        let dir = tempfile::tempdir().unwrap();
        let spec = fill(dir.path(), 20);
        let mut codec = ImageSet::open(&spec).unwrap().codec().clone();
        codec.classes = vec!["b".into(), "z".into()];
        let set = ImageSet::open_as(&spec, &codec).unwrap();
        // "a" is unknown to the model: no class, one past the last.
        assert!(set.labels().iter().all(|&l| l == 0 || l == 2));
    }
}
