//! The data of a run, whatever their kind.

use std::{path::Path, sync::Arc};

use mintage_data::{
    AudioFormat, AudioSet, DataKind, Detected, Error, ImageSet, ImageTransform, RowEncoder, SourceSpec,
    Split, Splits, TableSet, VideoFormat, VideoSet, detect,
    sequence::{Augmentation, Chunking, Modality, SequenceSet, Tokenizer},
    table::schema::{ColumnSchema, IdFormat, Kind},
};

use crate::models::{AudioInfo, Batch, DataInfo, ImageInfo, VideoInfo, with_classes};

/// An opened source of any kind, split into train, valid and holdout.
#[derive(Clone, Debug)]
pub enum AnyData {
    /// Images of one shape.
    Image(Arc<ImageSet>),
    /// Rows of a table.
    Table(Arc<TableSet>),
    /// Texts or music as sequences of tokens.
    Sequence(Arc<SequenceSet>),
    /// Sounds of one sampling rate.
    Audio(Arc<AudioSet>),
    /// Clips of one shape and length.
    Video(Arc<VideoSet>),
}

/// The transform between the items of a source and the numbers of a model.
#[derive(Clone, Debug)]
pub enum AnyTransform {
    /// Resizing and colours of images.
    Image(ImageTransform),
    /// Between the cells of a row and the fields of a model.
    Table(Box<RowEncoder>),
    /// A tokenizer, with the classes that documents may have.
    Sequence(Box<Tokenizer>, Vec<String>),
    /// Sampling rate, channels and length of the segments of sounds.
    Audio(AudioFormat),
    /// Shape, frames and frame rate of clips.
    Video(VideoFormat),
}

impl AnyTransform {
    /// Writes the transform into the folder `codec` of a model.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), Error> {
        match self {
            Self::Image(codec) => codec.save(dir),
            Self::Table(codec) => codec.save(dir),
            Self::Sequence(codec, _) => codec.save(dir),
            Self::Audio(codec) => codec.save(dir),
            Self::Video(codec) => codec.save(dir),
        }
    }

    /// Reads the transform of a model for the kind of data of `info`.
    ///
    /// # Errors
    /// A file is missing or damaged.
    pub fn load(dir: &Path, info: &DataInfo) -> Result<Self, Error> {
        match info {
            DataInfo::Image(_) => ImageTransform::load(dir).map(Self::Image),
            DataInfo::Table(_) => RowEncoder::load(dir).map(Box::new).map(Self::Table),
            DataInfo::Sequence(info) => {
                let codec = Tokenizer::load(dir, info.modality)?;
                Ok(Self::Sequence(Box::new(codec), info.classes.clone()))
            }
            DataInfo::Audio(_) => AudioFormat::load(dir).map(Self::Audio),
            DataInfo::Video(_) => VideoFormat::load(dir).map(Self::Video),
        }
    }
}

impl From<Arc<ImageSet>> for AnyData {
    fn from(set: Arc<ImageSet>) -> Self {
        Self::Image(set)
    }
}

impl From<Arc<TableSet>> for AnyData {
    fn from(set: Arc<TableSet>) -> Self {
        Self::Table(set)
    }
}

impl AnyData {
    /// Opens whatever `spec` names.
    ///
    /// # Errors
    /// The source cannot be read, or holds nothing to learn from.
    pub fn open(spec: &SourceSpec) -> Result<Self, Error> {
        Self::open_detected(spec, &detect(spec)?)
    }

    /// Opens a source as the kind of data that was found in it.
    ///
    /// # Errors
    /// The source cannot be read, or holds nothing of that kind to learn from.
    pub fn open_detected(spec: &SourceSpec, found: &Detected) -> Result<Self, Error> {
        let spec = &SourceSpec { kind: Some(found.kind), ..spec.clone() };
        match found.kind {
            DataKind::Image => ImageSet::open(spec).map(Arc::new).map(Self::Image),
            DataKind::Table => TableSet::open(spec).map(Arc::new).map(Self::Table),
            DataKind::Text | DataKind::Music => SequenceSet::open(spec).map(Arc::new).map(Self::Sequence),
            DataKind::Audio => AudioSet::open(spec).map(Arc::new).map(Self::Audio),
            DataKind::Video => VideoSet::open(spec).map(Arc::new).map(Self::Video),
        }
    }

    /// Makes what validates a part of train, where nobody else holds the data yet.
    pub(crate) fn train_on_valid(&mut self) {
        match self {
            Self::Image(set) => drop(Arc::get_mut(set).map(ImageSet::train_on_valid)),
            Self::Table(set) => drop(Arc::get_mut(set).map(TableSet::train_on_valid)),
            Self::Sequence(set) => drop(Arc::get_mut(set).map(SequenceSet::train_on_valid)),
            Self::Audio(set) => drop(Arc::get_mut(set).map(AudioSet::train_on_valid)),
            Self::Video(set) => drop(Arc::get_mut(set).map(VideoSet::train_on_valid)),
        }
    }

    /// Opens a source with the transform of a trained model.
    ///
    /// # Errors
    /// The source cannot be read, or does not suit the transform.
    pub fn open_as(spec: &SourceSpec, codec: &AnyTransform) -> Result<Self, Error> {
        match codec {
            AnyTransform::Table(codec) => TableSet::open_as(spec, codec).map(Arc::new).map(Self::Table),
            AnyTransform::Image(codec) => ImageSet::open_as(spec, codec).map(Arc::new).map(Self::Image),
            AnyTransform::Sequence(codec, classes) => {
                SequenceSet::open_as(spec, codec, classes).map(Arc::new).map(Self::Sequence)
            }
            AnyTransform::Audio(codec) => AudioSet::open_as(spec, codec).map(Arc::new).map(Self::Audio),
            AnyTransform::Video(codec) => VideoSet::open_as(spec, codec).map(Arc::new).map(Self::Video),
        }
    }

    /// The transform between the items and the numbers of a model.
    pub fn codec(&self) -> AnyTransform {
        match self {
            Self::Image(set) => AnyTransform::Image(set.codec().clone()),
            Self::Table(set) => AnyTransform::Table(Box::new(set.codec().clone())),
            Self::Sequence(set) => {
                AnyTransform::Sequence(Box::new(set.codec().clone()), set.info().classes.clone())
            }
            Self::Audio(set) => AnyTransform::Audio(set.codec().clone()),
            Self::Video(set) => AnyTransform::Video(set.codec().clone()),
        }
    }

    /// What a model has to know of the data: shapes, classes, the number of training items.
    pub fn info(&self) -> DataInfo {
        match self {
            Self::Image(set) => DataInfo::Image(ImageInfo {
                shape: set.shape(),
                classes: set.classes().len(),
                train_len: set.splits().train.len(),
                palette: set.palette().cloned(),
            }),
            Self::Table(set) => DataInfo::Table(set.info().clone()),
            Self::Sequence(set) => DataInfo::Sequence(set.info().clone()),
            Self::Audio(set) => {
                let AudioFormat { rate_hz, channels, segment, whole, .. } = *set.codec();
                let (classes, train_len) = (set.classes().len(), set.items(Split::Train).len());
                DataInfo::Audio(AudioInfo { rate_hz, channels, segment, whole, classes, train_len })
            }
            Self::Video(set) => {
                let VideoFormat { shape, frames, fps, .. } = *set.codec();
                let (classes, train_len) = (set.classes().len(), set.splits().train.len());
                let palette = set.palette().cloned();
                DataInfo::Video(VideoInfo { shape, frames, fps, classes, train_len, palette })
            }
        }
    }

    /// Which items are trained on, which validate, and which are held out.
    pub fn splits(&self) -> &Splits {
        match self {
            Self::Image(set) => set.splits(),
            Self::Table(set) => set.splits(),
            Self::Sequence(set) => set.splits(),
            Self::Audio(set) => set.splits(),
            Self::Video(set) => set.splits(),
        }
    }

    /// The items of a split: its files or rows, or the windows or segments that sequences and sounds are cut
    /// into.
    pub fn items(&self, split: Split, cut: Option<Chunking>) -> Vec<u32> {
        match (self, cut) {
            (Self::Sequence(set), Some(cut)) => set.items(split, cut).collect(),
            (Self::Audio(set), _) => set.items(split).collect(),
            _ => self.splits().get(split).to_vec(),
        }
    }

    /// The items of `indices` as a batch, in that order.
    ///
    /// With a `seed` as they are trained on: it chooses where windows begin.
    ///
    /// # Errors
    /// The items cannot be read, such as a file that has gone since the source was opened.
    pub fn batch(&self, indices: &[u32], cut: Option<Chunking>, seed: Option<u64>) -> Result<Batch, Error> {
        match self {
            Self::Image(set) => set.batch(indices).map(Batch::Image),
            Self::Table(set) => Ok(Batch::Table(set.batch(indices))),
            Self::Sequence(set) => {
                let cut = cut.unwrap_or_else(|| unreachable!("models of sequences say how they are cut"));
                Ok(Batch::Sequence(set.batch(indices, cut, seed)))
            }
            Self::Audio(set) => Ok(Batch::Audio(set.batch(indices, seed))),
            Self::Video(set) => Ok(Batch::Video(set.batch(indices, seed))),
        }
    }

    /// The items of a step of training, which `augmentation` changes from pass to pass.
    ///
    /// # Errors
    /// The items cannot be read, such as a file that has gone since the source was opened.
    pub fn training_batch(
        &self,
        indices: &[u32],
        cut: Option<Chunking>,
        augmentation: Augmentation,
        seed: u64,
        step: u64,
    ) -> Result<Batch, Error> {
        match (self, cut) {
            (Self::Sequence(set), Some(cut)) => {
                Ok(Batch::Sequence(set.training_batch(indices, cut, augmentation, seed, step)))
            }
            _ => self.batch(indices, cut, Some(seed ^ step.rotate_left(32))),
        }
    }

    /// `spec` with every choice filled in that was made on opening the source.
    pub fn resolved(&self, spec: &SourceSpec) -> SourceSpec {
        match self {
            Self::Image(set) => set.resolved(spec),
            Self::Table(set) => set.resolved(spec),
            Self::Sequence(set) => set.resolved(spec),
            Self::Audio(set) => set.resolved(spec),
            Self::Video(set) => set.resolved(spec),
        }
    }

    /// What the user should know about how the source was read.
    pub fn notes(&self) -> &[String] {
        match self {
            Self::Image(set) => set.notes(),
            Self::Table(set) => &set.table().notes,
            Self::Sequence(set) => set.notes(),
            Self::Audio(set) => set.notes(),
            Self::Video(set) => set.notes(),
        }
    }

    /// The items that could not be read, each with the reason.
    pub fn skips(&self) -> &[String] {
        match self {
            Self::Image(set) => set.skips(),
            Self::Table(_) => &[],
            Self::Sequence(set) => set.skips(),
            Self::Audio(set) => set.skips(),
            Self::Video(set) => set.skips(),
        }
    }

    /// Which columns of a table are not learned, and what becomes of them: "made afresh: name, mail".
    ///
    /// Empty for other kinds of data.
    pub fn makings(&self) -> Vec<String> {
        let Self::Table(set) = self else { return Vec::new() };
        let columns = &set.schema().columns;
        let named = |what: &dyn Fn(&ColumnSchema) -> bool| {
            let names = columns.iter().filter(|column| what(column)).map(|column| column.name.as_str());
            names.collect::<Vec<_>>().join(", ")
        };
        let category = |column: &ColumnSchema| column.kind == Kind::Category;
        let empty = |column: &ColumnSchema| matches!(column.made_afresh(), Some(IdFormat::Empty { .. }));
        let afresh = |column: &ColumnSchema| column.made_afresh().is_some();
        let found = [
            ("made afresh", named(&|c| afresh(c) && !empty(c) && !category(c))),
            ("rare values made afresh", named(&|c| afresh(c) && !empty(c) && category(c))),
            ("left empty", named(&|c| empty(c) && !category(c))),
            ("rare values left empty", named(&|c| empty(c) && category(c))),
            (
                "drawn from the real values, by text = \"redraw\"",
                named(&|c| c.kind == Kind::Text && !afresh(c)),
            ),
        ];
        let said = found.into_iter().filter(|(_, names)| !names.is_empty());
        said.map(|(what, names)| format!("{what}: {names}")).collect()
    }

    /// Keys of `[data]` that have no meaning for this kind of data.
    pub fn irrelevant_keys(&self) -> &'static [&'static str] {
        match self {
            Self::Image(_) | Self::Video(_) => &["rare"],
            Self::Table(_) => &["fit", "color", "strict"],
            Self::Audio(_) | Self::Sequence(_) => &["fit", "color", "rare"],
        }
    }

    /// The rules that every new row keeps, in words; empty for other kinds of data.
    pub fn rules(&self) -> Vec<String> {
        match self {
            Self::Table(set) => set.codec().rules.rules().iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        }
    }

    /// The data in words: "2,000 images 28×28 gray, 10 classes (1,801 train, 99 valid, 100 holdout)".
    pub fn describe(&self) -> String {
        match self {
            Self::Image(set) => {
                let what = format!("{} {}", thousands(set.len()), self.info().items());
                format!("{what} {}", parts(set.splits()))
            }
            Self::Table(set) => Self::describe_table(set),
            Self::Sequence(set) => Self::describe_sequences(set),
            Self::Audio(set) => Self::describe_sounds(set),
            Self::Video(set) => Self::describe_clips(set),
        }
    }

    /// Sounds in words: "3,000 sounds, 22 minutes, 8000 Hz mono, 10 classes (…)".
    pub fn describe_sounds(set: &AudioSet) -> String {
        let AudioFormat { rate_hz, channels, .. } = *set.codec();
        let secs: f64 = (0..set.len() as u32).map(|sound| set.seconds(sound)).sum();
        let time = match secs {
            short if short < 120.0 => format!("{short:.0} seconds"),
            _ => format!("{} minutes", thousands((secs / 60.0).round() as usize)),
        };
        let channels = if channels == 1 { "mono" } else { "stereo" };
        let classes = with_classes(set.classes().len());
        let count = thousands(set.len());
        format!("{count} sounds, {time}, {rate_hz} Hz {channels}{classes} {}", parts(set.splits()))
    }

    /// Clips in words: "300 clips, 8 frames 64×64 RGB at 8 a second, 9 classes (…)".
    ///
    /// Of long clips also how many parts they are learned in.
    pub fn describe_clips(set: &VideoSet) -> String {
        let VideoFormat { shape, frames, fps, .. } = *set.codec();
        let color = if shape.channels == 1 { "gray" } else { "RGB" };
        let what = match (set.clip_count(), set.len()) {
            (1, parts) => format!("one clip in {} parts", thousands(parts)),
            (clips, parts) if clips == parts => format!("{} clips", thousands(clips)),
            (clips, parts) => format!("{} clips in {} parts", thousands(clips), thousands(parts)),
        };
        let (size, classes) =
            (format!("{}×{}", shape.width, shape.height), with_classes(set.classes().len()));
        let parts = parts(set.splits());
        format!("{what}, {frames} frames {size} {color} at {fps} a second{classes} {parts}")
    }

    /// Rows in words: "32,561 rows of 15 columns (…)".
    pub fn describe_table(set: &TableSet) -> String {
        let (rows, columns) = (thousands(set.len()), set.table().columns.len());
        format!("{rows} rows of {columns} columns {}", parts(set.splits()))
    }

    /// Texts or tunes in words: "83 texts, 9,406,204 tokens of 4,096 kinds (71 train, 5 valid, 7 holdout)".
    ///
    /// A single text is described by its tokens alone.
    pub fn describe_sequences(set: &SequenceSet) -> String {
        let info = set.info();
        let tokens: u64 =
            [Split::Train, Split::Valid, Split::Holdout].map(|split| set.tokens(split)).iter().sum();
        let tokens = format!("{} tokens of {} kinds", thousands(tokens as usize), thousands(info.vocab));
        if set.is_one() {
            return format!("one text, {tokens}");
        }
        let what = if info.modality == Modality::Text { "texts" } else { "tunes" };
        let classes = with_classes(info.classes.len());
        format!("{} {what}, {tokens}{classes} {}", thousands(set.len()), parts(set.splits()))
    }
}

/// "(1,801 train, 99 valid, 100 holdout)".
fn parts(splits: &Splits) -> String {
    let Splits { train, valid, holdout } = splits;
    let [train, valid, holdout] = [train, valid, holdout].map(|part| thousands(part.len()));
    format!("({train} train, {valid} valid, {holdout} holdout)")
}

/// A number with commas: 12345 → "12,345".
pub fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let head = digits.len() % 3;
    let mut text = digits[..head].to_owned();
    for (i, chunk) in digits.as_bytes()[head..].chunks(3).enumerate() {
        if head > 0 || i > 0 {
            text.push(',');
        }
        text.extend(chunk.iter().map(|&b| b as char));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(thousands(7), "7");
        assert_eq!(thousands(1234), "1,234");
        assert_eq!(thousands(123_456), "123,456");
        assert_eq!(thousands(1_234_567), "1,234,567");
    }
}
