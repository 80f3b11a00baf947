//! A set of clips, opened: every clip decoded once, cut into windows of the codec's length, split.

use std::ops::Range;

use rayon::prelude::*;
use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_64_with_seed};

use super::{Ffmpeg, VideoBatch, VideoFormat, format::Look, source::VideoSource};
use crate::{
    Clips, DataKind, Error, Fit, ImageShape, Palette, SourceSpec, Splits,
    items::{Skipped, class_names, evenly, label_indices},
    spill::{ByteStore, ByteWriter},
};

/// What is stored, for messages.
const STORED: &str = "frames";
/// Decoded clips are kept in memory up to this many bytes, beyond that in a file.
const MEMORY_LIMIT: usize = 512 << 20;
/// The same for one clip while it is decoded beside others.
const CLIP_LIMIT: usize = 32 << 20;
/// Clips looked at to find size, rate, length and colour.
const SURVEYED_CLIPS: usize = 100;
/// Fewer clips than this are each split in time, if they are long enough: whole ones would say little of each other.
const MIN_WHOLE_CLIPS: usize = 10;
/// Windows of a clip that is split in time, at the least: one each to learn from, to validate and to hold out.
const MIN_WINDOWS_OF_SPLIT: usize = 3;
/// Windows of a single clip that something can be learned from, at the least.
const MIN_WINDOWS_OF_ONE_CLIP: usize = 5;
/// Shares of a clip that is split in time: what is held out, at its end, and what validates, in so many places.
const HOLDOUT_SHARE: f64 = 0.1;
const VALID_SHARE: f64 = 0.05;
const VALID_PLACES: usize = 5;

/// A set of clips of one shape, split into train, valid and holdout. Its items are windows: a clip that is longer than
/// the codec's `frames` has several, and one that is shorter stands still at its end.
#[derive(Debug)]
pub struct VideoSet {
    codec: VideoFormat,
    store: ByteStore,
    clips: Vec<Clip>,
    /// Those of train, then of valid, then of the holdout.
    windows: Vec<Window>,
    splits: Splits,
    /// The colours of the train split where they are few; not looked for where a codec was given.
    palette: Option<Palette>,
    /// The class of each window; empty without labels.
    labels: Vec<u32>,
    fingerprint: u64,
    skipped: Skipped,
    /// What is to be known of the clips.
    notes: Vec<String>,
    /// Table and column of a database.
    place: Option<(String, String)>,
}

#[derive(Debug)]
struct Clip {
    name: String,
    /// Item of the source.
    item: usize,
    hash: u64,
    /// Where its frames lie in the store.
    frames: Range<usize>,
}

#[derive(Clone, Debug)]
struct Window {
    clip: usize,
    /// Its first frame in the store.
    first: usize,
    /// The part of the clip that it may move in.
    within: Range<usize>,
}

impl Window {
    /// Where it begins in training: places where a window may begin are shared out evenly among those of its part.
    fn moved(&self, frames: usize, random: u64) -> usize {
        let Self { first, within, .. } = self;
        let places = within.len().saturating_sub(frames) + 1;
        let (number, all) = ((first - within.start) / frames, (within.len() / frames).max(1));
        let (low, high) = (number * places / all, (number + 1) * places / all);
        within.start + low + (random % (high - low) as u64) as usize
    }
}

/// A part of a clip that belongs to one split.
#[derive(Clone, Debug, PartialEq)]
struct Piece {
    clip: usize,
    frames: Range<usize>,
}

/// What opening found, before the splits.
struct Scan {
    clips: Vec<Clip>,
    store: ByteStore,
    skipped: Skipped,
    /// How many were to be read.
    chosen: usize,
}

impl VideoSet {
    /// Opens a source; the size, colour, length, rate and classes follow from the specification and the data.
    ///
    /// # Errors
    /// The source cannot be read, an option of `spec` is out of bounds, too many clips cannot be decoded, `ffmpeg` is
    /// missing for a film, or a single clip is too short to learn from.
    pub fn open(spec: &SourceSpec) -> Result<Self, Error> {
        Self::open_with(spec, None, &Ffmpeg::default(), MEMORY_LIMIT)
    }

    /// Opens a source as a trained model sees it: its size, its length, its rate, its classes. Labels that the model
    /// does not know become "no class".
    ///
    /// # Errors
    /// The source cannot be read, too many of its clips cannot be decoded, or `ffmpeg` is missing for a film.
    pub fn open_as(spec: &SourceSpec, codec: &VideoFormat) -> Result<Self, Error> {
        Self::open_with(spec, Some(codec), &Ffmpeg::default(), MEMORY_LIMIT)
    }

    /// [`VideoSet::open`], or [`VideoSet::open_as`] where the codec is `known`, with a program `ffmpeg` and its own
    /// limit on the bytes that are kept in memory.
    ///
    /// # Errors
    /// Those of [`VideoSet::open`].
    pub fn open_with(
        spec: &SourceSpec,
        known: Option<&VideoFormat>,
        ffmpeg: &Ffmpeg,
        memory: usize,
    ) -> Result<Self, Error> {
        if spec.limit == Some(0) {
            return Err(Error::bad("limit", "must be at least 1"));
        }
        let source = VideoSource::open(spec)?;
        if source.needs_ffmpeg() {
            ffmpeg.check(&spec.source)?;
        }
        let chosen: Vec<usize> = (0..source.len()).collect();
        let mut codec = match known {
            Some(codec) => codec.clone(),
            None => survey(&source, &chosen, spec, ffmpeg)?,
        };
        let scan = scan(&source, &chosen, &codec, spec, ffmpeg, memory)?;
        let texts: Option<Vec<&str>> =
            source.labels().map(|all| scan.clips.iter().map(|clip| all[clip.item]).collect());
        if known.is_none() {
            codec.classes = match &texts {
                Some(texts) => class_names(texts, "clips", &spec.source)?,
                None => Vec::new(),
            };
        }
        let classes = label_indices(texts.as_deref(), &codec.classes);
        let official = source.official_holdout().map(|range| {
            let at = |bound: usize| scan.clips.partition_point(|clip| clip.item < bound);
            at(range.start)..at(range.end)
        });
        let pieces = pieces(&scan.clips, official, codec.frames);
        let mut notes = source.notes();
        notes.extend(scan.skipped.told(scan.chosen, "clips", spec)?);
        let mut set = Self { notes, ..Self::of(codec, scan, &classes, pieces, source.place()) };
        if known.is_none() {
            set.palette = set.find_palette();
        }
        if known.is_none() && set.clips.len() < 2 && set.len() < MIN_WINDOWS_OF_ONE_CLIP {
            let why = format!(
                "holds one clip of {:.1} seconds only; that is too short to learn from",
                set.seconds()
            );
            let hint = "a few hundred clips, or one of several minutes, are a good beginning";
            return Err(Error::bad(&spec.source, why).with_hint(hint));
        }
        Ok(set)
    }

    fn of(
        codec: VideoFormat,
        scan: Scan,
        classes: &[u32],
        pieces: [Vec<Piece>; 3],
        place: Option<(String, String)>,
    ) -> Self {
        let mut windows = Vec::new();
        let [train, valid, holdout] = pieces.map(|pieces| {
            let first = windows.len() as u32;
            pieces.iter().for_each(|piece| windows.extend(windows_of(piece, codec.frames)));
            (first..windows.len() as u32).collect()
        });
        let splits = Splits { train, valid, holdout };
        let labels: Vec<u32> = match classes.is_empty() {
            true => Vec::new(),
            false => windows.iter().map(|window| classes[window.clip]).collect(),
        };
        let fingerprint = fingerprint(&scan.clips, classes, &codec);
        let Scan { clips, store, skipped, .. } = scan;
        let (notes, palette) = (Vec::new(), None);
        Self { codec, store, clips, windows, splits, palette, labels, fingerprint, skipped, notes, place }
    }

    /// Clips that lie in memory already, one window each.
    pub fn from_memory(new: Clips) -> Self {
        Self::within_memory(new, None)
    }

    /// The same, of which these are held out.
    pub fn from_memory_with(new: Clips, holdout: Range<usize>) -> Self {
        Self::within_memory(new, Some(holdout))
    }

    fn within_memory(new: Clips, holdout: Option<Range<usize>>) -> Self {
        let codec = VideoFormat {
            shape: new.shape,
            frames: new.frames,
            fps: new.fps,
            fit: Fit::Crop,
            classes: new.classes.clone(),
        };
        let clip = |i: usize| Clip {
            name: format!("clip {i}"),
            item: i,
            hash: xxh3_64(new.clip(i)),
            frames: i * new.frames..(i + 1) * new.frames,
        };
        let clips: Vec<Clip> = (0..new.len()).map(clip).collect();
        let frames = (0..new.len()).flat_map(|i| (0..new.frames).map(move |frame| (i, frame)));
        let store = ByteStore::Memory(frames.flat_map(|(i, frame)| new.frame(i, frame)).collect());
        let pieces = whole_clips(&clips, holdout);
        let scan = Scan { clips, store, skipped: Skipped::default(), chosen: new.len() };
        let mut set = Self::of(codec, scan, &new.labels, pieces, None);
        set.palette = set.find_palette();
        set
    }

    /// `spec` with what opening decided: what comes later beside the clips does not make it ambiguous then.
    #[must_use]
    pub fn resolved(&self, spec: &SourceSpec) -> SourceSpec {
        let mut spec = SourceSpec { kind: Some(DataKind::Video), ..spec.clone() };
        if let Some((table, column)) = &self.place {
            spec.table.get_or_insert_with(|| table.clone());
            spec.column.get_or_insert_with(|| column.clone());
        }
        spec
    }

    /// Items: windows of all splits.
    pub fn len(&self) -> usize {
        self.windows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// Clips that the windows are of.
    pub fn clip_count(&self) -> usize {
        self.clips.len()
    }

    /// How long all clips are together.
    pub fn seconds(&self) -> f64 {
        self.clips.iter().map(|clip| clip.frames.len()).sum::<usize>() as f64 / self.codec.fps
    }

    /// Of a frame.
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

    pub fn codec(&self) -> &VideoFormat {
        &self.codec
    }

    /// The colours of the train split as it was opened, where they are few.
    pub fn palette(&self) -> Option<&Palette> {
        self.palette.as_ref()
    }

    /// Looks at all frames that training may see, until there are too many colours.
    fn find_palette(&self) -> Option<Palette> {
        let ImageShape { channels, .. } = self.codec.shape;
        let part = |&item: &u32| self.windows[item as usize].within.clone();
        let mut parts: Vec<Range<usize>> = self.splits.train.iter().map(part).collect();
        // Windows side by side move in the same part.
        parts.dedup();
        let size = self.codec.shape.pixels();
        let frames = parts.into_iter().flatten();
        Palette::of(channels, frames.map(|frame| &self.store.bytes()[frame * size..(frame + 1) * size]))
    }

    /// The same for the same clips read the same way; names caches.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Clips of the source that could not be read.
    pub fn skipped(&self) -> usize {
        self.skipped.count
    }

    /// Name and reason of all of them.
    pub fn skips(&self) -> &[String] {
        &self.skipped.reasons
    }

    /// Sentences on what is to be known of the clips, such as how many of them cannot be read.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether the frames lie in a file because they would not fit in memory.
    pub fn is_mapped(&self) -> bool {
        matches!(self.store, ByteStore::File(_))
    }

    /// What to call an item in a message: its clip, and from when on it is of a long one.
    pub fn name(&self, item: u32) -> String {
        let Window { clip, first, .. } = &self.windows[item as usize];
        let Clip { name, frames, .. } = &self.clips[*clip];
        match frames.len() >= 2 * self.codec.frames {
            true => format!("{name} at {:.1} s", (first - frames.start) as f64 / self.codec.fps),
            false => name.clone(),
        }
    }

    /// The items of `indices` as a batch. With a `seed`, as they are trained on: windows begin anywhere.
    pub fn batch(&self, indices: &[u32], seed: Option<u64>) -> VideoBatch {
        let mut pixels = vec![0; indices.len() * self.codec.pixels()];
        for (place, (&item, out)) in
            indices.iter().zip(pixels.chunks_mut(self.codec.pixels().max(1))).enumerate()
        {
            let random =
                seed.map(|seed| xxh3_64_with_seed(&(place as u64).to_le_bytes(), seed ^ u64::from(item)));
            self.read(&self.windows[item as usize], random, out);
        }
        let labels = match self.labels.is_empty() {
            true => Vec::new(),
            false => indices.iter().map(|&item| self.labels[item as usize]).collect(),
        };
        VideoBatch { pixels, labels, n: indices.len() }
    }

    /// Fills `out`, channels × frames × area, from the store, where each frame lies by itself.
    fn read(&self, window: &Window, random: Option<u64>, out: &mut [u8]) {
        let VideoFormat { frames, shape, .. } = self.codec;
        let first = random.map_or(window.first, |random| window.moved(frames, random));
        let (area, size) = (shape.height * shape.width, shape.pixels());
        for frame in 0..frames {
            // Behind its end a short clip stands still.
            let at = (first + frame).min(window.within.end - 1) * size;
            for channel in 0..shape.channels {
                let from = at + channel * area;
                let to = (channel * frames + frame) * area;
                out[to..to + area].copy_from_slice(&self.store.bytes()[from..from + area]);
            }
        }
    }

    /// The items of `indices` with their classes' names.
    pub fn clips(&self, indices: &[u32]) -> Clips {
        let VideoBatch { pixels, labels, .. } = self.batch(indices, None);
        let VideoFormat { shape, frames, fps, .. } = self.codec;
        Clips { shape, frames, fps, pixels, labels, classes: self.classes().to_vec() }
    }
}

/// The codec that the specification and a look at some of the clips ask for.
fn survey(
    source: &VideoSource,
    chosen: &[usize],
    spec: &SourceSpec,
    ffmpeg: &Ffmpeg,
) -> Result<VideoFormat, Error> {
    let look = |item: usize| source.fetch(item).and_then(|clip| clip.look(ffmpeg));
    let looked = evenly(chosen.len(), SURVEYED_CLIPS);
    let looks: Vec<Result<Look, String>> = looked.par_iter().map(|&i| look(chosen[i])).collect();
    let known: Vec<Look> = looks.iter().flatten().cloned().collect();
    match looks.first() {
        Some(Err(why)) if known.is_empty() => {
            let why = match chosen.len() {
                1 => why.clone(),
                _ => format!("none of its clips can be read; {}: {why}", source.name(chosen[0])),
            };
            Err(Error::bad(&spec.source, why))
        }
        _ => VideoFormat::of(&known, chosen.len() == 1, spec),
    }
}

/// Reads and decodes every chosen clip once.
fn scan(
    source: &VideoSource,
    chosen: &[usize],
    codec: &VideoFormat,
    spec: &SourceSpec,
    ffmpeg: &Ffmpeg,
    memory: usize,
) -> Result<Scan, Error> {
    let (mut clips, mut skipped) = (Vec::new(), Skipped::default());
    let mut writer = ByteWriter::new(memory, STORED);
    let mut end = 0;
    let together = 2 * rayon::current_num_threads().max(1);
    // A single film may have all threads, many share them.
    let threads = if chosen.len() == 1 { 0 } else { 1 };
    for chunk in chosen.chunks(together) {
        let decoded: Vec<Result<(ByteStore, u64), String>> =
            chunk.par_iter().map(|&item| read_clip(source, item, codec, ffmpeg, threads)).collect();
        for (&item, result) in chunk.iter().zip(decoded) {
            let name = source.name(item);
            match result {
                Ok((frames, hash)) => {
                    writer.push(frames.bytes())?;
                    let first = end;
                    end += frames.bytes().len() / codec.shape.pixels().max(1);
                    clips.push(Clip { name, item, hash, frames: first..end });
                }
                Err(why) if chosen.len() == 1 => return Err(Error::bad(&spec.source, why)),
                Err(why) => skipped.add(format!("{name}: {why}"), spec)?,
            }
        }
    }
    Ok(Scan { clips, store: writer.finish()?, skipped, chosen: chosen.len() })
}

/// The frames of one clip as the codec wants them, with a hash of its bytes in the source.
fn read_clip(
    source: &VideoSource,
    item: usize,
    codec: &VideoFormat,
    ffmpeg: &Ffmpeg,
    threads: usize,
) -> Result<(ByteStore, u64), String> {
    let clip = source.fetch(item)?;
    let mut writer = ByteWriter::new(CLIP_LIMIT, STORED);
    clip.frames(codec, ffmpeg, threads, &mut |frame| writer.push(frame).map_err(|error| error.to_string()))?;
    Ok((writer.finish().map_err(|error| error.to_string())?, clip.hash()?))
}

/// What belongs to train, valid and holdout: whole clips by a hash of their bytes, parts of each where there are few.
fn pieces(clips: &[Clip], official: Option<Range<usize>>, frames: usize) -> [Vec<Piece>; 3] {
    let long = clips.iter().all(|clip| clip.frames.len() >= MIN_WINDOWS_OF_SPLIT * frames);
    if official.is_some() || clips.len() >= MIN_WHOLE_CLIPS || !long {
        return whole_clips(clips, official);
    }
    let mut parts = [Vec::new(), Vec::new(), Vec::new()];
    for (number, clip) in clips.iter().enumerate() {
        for (part, ranges) in parts.iter_mut().zip(parts_of(clip.frames.clone(), frames)) {
            part.extend(ranges.into_iter().map(|frames| Piece { clip: number, frames }));
        }
    }
    parts
}

fn whole_clips(clips: &[Clip], official: Option<Range<usize>>) -> [Vec<Piece>; 3] {
    let hashes: Vec<u64> = clips.iter().map(|clip| clip.hash).collect();
    let Splits { train, valid, holdout } = Splits::of(&hashes, official);
    let piece = |&clip: &u32| Piece { clip: clip as usize, frames: clips[clip as usize].frames.clone() };
    [train, valid, holdout].map(|part| part.iter().map(piece).collect())
}

/// A clip in time: its end is held out; the rest is cut into a few stretches, each of which begins with a part to
/// validate. What is held out or validates is whole windows.
fn parts_of(clip: Range<usize>, frames: usize) -> [Vec<Range<usize>>; 3] {
    let all = clip.len() / frames;
    let share = |share: f64| ((all as f64 * share).round() as usize).max(1);
    let (held, valid) = (share(HOLDOUT_SHARE), share(VALID_SHARE));
    let end = clip.end - held * frames;
    let places = valid.min(VALID_PLACES);
    let (mut train, mut validate, mut holdout) = (Vec::new(), Vec::new(), Vec::new());
    holdout.push(end..clip.end);
    let stretch = |place: usize| clip.start + (end - clip.start) * place / places;
    for place in 0..places {
        // The first places have one more where it does not come out even.
        let windows = valid / places + usize::from(place < valid % places);
        let middle = stretch(place) + windows * frames;
        validate.push(stretch(place)..middle);
        train.push(middle..stretch(place + 1));
    }
    [train, validate, holdout]
}

/// Windows side by side; a last one that is not full is left out, unless it is the only one.
fn windows_of(piece: &Piece, frames: usize) -> impl Iterator<Item = Window> {
    let Piece { clip, frames: within } = piece.clone();
    let count = (within.len() / frames).max(usize::from(!within.is_empty()));
    (0..count).map(move |i| Window { clip, first: within.start + i * frames, within: within.clone() })
}

fn fingerprint(clips: &[Clip], classes: &[u32], codec: &VideoFormat) -> u64 {
    let mut hasher = Xxh3::new();
    clips.iter().for_each(|clip| hasher.update(&clip.hash.to_le_bytes()));
    classes.iter().for_each(|class| hasher.update(&class.to_le_bytes()));
    hasher.update(format!("{codec:?}").as_bytes());
    hasher.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_clip_are_whole_windows_and_do_not_overlap() {
        for (length, frames) in [(48, 16), (100, 16), (1000, 16), (3000, 2), (7, 2)] {
            let [train, valid, held] = parts_of(5..5 + length, frames);
            let mut all: Vec<Range<usize>> = [&train[..], &valid, &held].concat();
            all.sort_by_key(|range| range.start);
            assert_eq!((all[0].start, all[all.len() - 1].end), (5, 5 + length));
            assert!(all.windows(2).all(|pair| pair[0].end == pair[1].start), "{all:?}");
            assert!(valid.iter().chain(&held).all(|range| range.len() % frames == 0 && !range.is_empty()));
            assert!(train.iter().all(|range| range.len() >= frames), "{train:?}");
            assert_eq!(held[0].end, 5 + length, "the end is held out");
        }
    }

    #[test]
    fn windows_lie_side_by_side() {
        let firsts = |frames: Range<usize>| -> Vec<usize> {
            windows_of(&Piece { clip: 0, frames }, 4).map(|window| window.first).collect()
        };
        assert_eq!(firsts(3..14), [3, 7]);
        assert_eq!(firsts(3..5), [3]);
        assert_eq!(firsts(3..3), [0; 0]);
    }

    #[test]
    fn in_training_windows_begin_anywhere_in_their_part() {
        for within in [3..5usize, 3..7, 3..14, 3..40] {
            let last = within.end.max(4 + 3) - 4;
            let windows: Vec<Window> = windows_of(&Piece { clip: 0, frames: within }, 4).collect();
            let mut begun: Vec<usize> =
                windows.iter().flat_map(|window| (0..100).map(|random| window.moved(4, random))).collect();
            begun.sort_unstable();
            begun.dedup();
            assert_eq!(begun, (3..=last).collect::<Vec<usize>>());
        }
    }
}
