//! That what a model folder says fits together, before anything is built by it: it may be a stranger's.
//!
//! `config.json` is held to the bounds that `-s model.…` is held to, the codec to what it could have been fitted to (by
//! its own reader), and both to each other. What is left are sizes of the network, which the weights bound: it is
//! built without numbers, and every shape is compared with that in the file (see [`Model::load`](super::Model::load)).

use mintage_data::{
    AudioFormat, ImageShape, Palette, VideoFormat,
    sequence::{SequenceInfo, Tokenizer},
    transform::MAX_MODEL_SIDE,
};

use super::ModelConfig;
use crate::{
    dataset::AnyTransform,
    models::{AudioInfo, DataInfo, VideoInfo},
    run::MAX_TRAIN_SECS,
};

impl ModelConfig {
    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        if !self.model.suits(&self.info) {
            return Err(format!("a model of other data than {}", self.info.items()));
        }
        self.model.check().map_err(|error| error.message)?;
        if self.info.train_len() == 0 {
            return Err("info.train_len: must be at least 1".to_owned());
        }
        let classes = self.info.classes();
        if self.class_counts.len() != classes {
            return Err(format!("class_counts: {} counts of {classes} classes", self.class_counts.len()));
        }
        match (0.0..=MAX_TRAIN_SECS).contains(&self.train_secs) {
            true => Ok(()),
            false => Err("train_secs: is no time that a training takes".to_owned()),
        }
    }

    /// What the codec says otherwise.
    pub(super) fn check_codec(&self, codec: &AnyTransform) -> Result<(), String> {
        let differ = |what: &str| Err(format!("config.json and the codec differ in {what}"));
        match (&self.info, codec) {
            (DataInfo::Image(info), AnyTransform::Image(codec)) => {
                info.shape.check(MAX_MODEL_SIDE)?;
                match (info.shape == codec.shape, info.classes == codec.classes.len()) {
                    (true, true) => check_palette(info.palette.as_ref(), info.shape),
                    (false, _) => differ("the size of images"),
                    (_, false) => differ("the classes"),
                }
            }
            (DataInfo::Table(info), AnyTransform::Table(codec)) => codec
                .check_info(info)
                .map_err(|why| format!("config.json and the codec differ in the fields of rows: {why}")),
            (DataInfo::Sequence(info), AnyTransform::Sequence(codec, _)) => match differing(info, codec) {
                Some(what) => differ(what),
                None => Ok(()),
            },
            (DataInfo::Audio(info), AnyTransform::Audio(codec)) => {
                let AudioFormat { rate_hz, channels, segment, whole, classes, .. } = codec;
                let (classes, train_len) = (classes.len(), info.train_len);
                let (rate_hz, channels, segment, whole) = (*rate_hz, *channels, *segment, *whole);
                let own = AudioInfo { rate_hz, channels, segment, whole, classes, train_len };
                if own == *info { Ok(()) } else { differ("what a sound is") }
            }
            (DataInfo::Video(info), AnyTransform::Video(codec)) => {
                let VideoFormat { shape, frames, fps, classes, .. } = codec;
                let (classes, train_len) = (classes.len(), info.train_len);
                let (shape, frames, fps, palette) = (*shape, *frames, *fps, info.palette.clone());
                let own = VideoInfo { shape, frames, fps, classes, train_len, palette };
                match own == *info {
                    true => check_palette(info.palette.as_ref(), shape),
                    false => differ("what a clip is"),
                }
            }
            _ => differ("the kind of data"),
        }
    }
}

/// That the colours of a palette have the channels of pixels.
fn check_palette(palette: Option<&Palette>, shape: ImageShape) -> Result<(), String> {
    match palette.is_none_or(|palette| palette.channels() == shape.channels) {
        true => Ok(()),
        false => Err("info.palette: its colours are not those of the model's pixels".to_owned()),
    }
}

/// What a model was told of sequences that its codec says otherwise.
fn differing(info: &SequenceInfo, codec: &Tokenizer) -> Option<&'static str> {
    if info.modality != codec.modality() || info.vocab != codec.vocab() {
        return Some("the number of tokens");
    }
    // Models of before periods were known have none.
    let periods = info.periods.is_empty() || info.periods == codec.periods();
    (!periods).then_some("the periods of voices and bars")
}
